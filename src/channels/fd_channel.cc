#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "channels/channel.h"

namespace gyrfalcon {
namespace {

UniqueFd OpenForAppend(const std::string& path, int more_flags = 0) {
  return UniqueFd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | more_flags, 0600));
}

class FdChannel : public Channel {
 public:
  FdChannel(std::string name, int fd, bool buffered)
      : name_(std::move(name)), fd_(fd), buffered_(buffered) {}

  std::string_view name() const override { return name_; }

  Result<void> Write(std::string_view line) override {
    buffer_ += line;
    buffer_ += '\n';
    constexpr size_t kBufferBytes = 64 * 1024;
    return buffered_ && buffer_.size() < kBufferBytes ? Result<void>() : Flush();
  }

  Result<void> Flush() override {
    std::string_view rest = buffer_;
    while (!rest.empty()) {
      if (!WaitForRoom()) return Drop(ETIMEDOUT);
      // As much as a pipe that poll calls writable takes without blocking.
      const ssize_t written = write(fd_, rest.data(), std::min<size_t>(rest.size(), PIPE_BUF));
      if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (written < 0) return Drop(errno);
      rest.remove_prefix(static_cast<size_t>(written));
    }
    buffer_.clear();
    return {};
  }

  void GiveUp() override { given_up_ = true; }

 protected:
  void set_fd(int fd) { fd_ = fd; }
  bool has_lines() const { return !buffer_.empty(); }
  Result<void> Drop(int error_number) {
    buffer_.clear();
    return Fail(Fault::kEnvironment, name_ + ": " + ErrnoText(error_number));
  }

 private:
  bool WaitForRoom() const {
    constexpr int kLookAgainMs = 100;
    pollfd waiting{fd_, POLLOUT, 0};
    while (!given_up_) {
      if (poll(&waiting, 1, kLookAgainMs) == 1) return true;
    }
    return false;
  }

  std::atomic<bool> given_up_ = false;
  const std::string name_;
  int fd_;
  const bool buffered_;
  std::string buffer_;
};

class FileChannel final : public FdChannel {
 public:
  FileChannel(std::string path, UniqueFd file, bool buffered, bool keep_open)
      : FdChannel(path, file.get(), buffered),
        path_(std::move(path)),
        file_(std::move(file)),
        keep_open_(keep_open) {}

  Result<void> Flush() override {
    if (!has_lines() || keep_open_) return FdChannel::Flush();
    file_ = OpenForAppend(path_, O_NONBLOCK);  // a pipe that nobody reads is an error, not a wait
    if (file_.get() < 0) return Drop(errno);
    set_fd(file_.get());
    return FdChannel::Flush();
  }

 private:
  const std::string path_;
  UniqueFd file_;
  const bool keep_open_;
};

}  // namespace

std::unique_ptr<Channel> MakeFdChannel(std::string name, int fd, bool buffered) {
  return std::make_unique<FdChannel>(std::move(name), fd, buffered);
}

Result<std::unique_ptr<Channel>> MakeFileChannel(std::string path, bool buffered, bool keep_open) {
  UniqueFd file = OpenForAppend(path);
  if (file.get() < 0) {
    return Fail(Fault::kEnvironment, "cannot write alerts to " + path + ": " + ErrnoText(errno) +
                                         "; make its folder or change file_output.filename");
  }
  return std::make_unique<FileChannel>(std::move(path), std::move(file), buffered, keep_open);
}

}  // namespace gyrfalcon
