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

class FdChannel final : public Channel {
 public:
  FdChannel(std::string name, int fd, UniqueFd owned, bool buffered)
      : name_(std::move(name)), fd_(fd), owned_(std::move(owned)), buffered_(buffered) {}

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

 private:
  bool WaitForRoom() const {
    constexpr int kLookAgainMs = 100;
    pollfd waiting{fd_, POLLOUT, 0};
    while (!given_up_) {
      if (poll(&waiting, 1, kLookAgainMs) == 1) return true;
    }
    return false;
  }

  Result<void> Drop(int error_number) {
    buffer_.clear();
    return Fail(Fault::kEnvironment, name_ + ": " + ErrnoText(error_number));
  }

  std::atomic<bool> given_up_ = false;
  const std::string name_;
  const int fd_;
  const UniqueFd owned_;
  const bool buffered_;
  std::string buffer_;
};

}  // namespace

std::unique_ptr<Channel> MakeFdChannel(std::string name, int fd, bool buffered) {
  return std::make_unique<FdChannel>(std::move(name), fd, UniqueFd(), buffered);
}

Result<std::unique_ptr<Channel>> MakeFileChannel(std::string path, bool buffered) {
  UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (file.get() < 0) {
    return Fail(Fault::kEnvironment, "cannot write alerts to " + path + ": " + ErrnoText(errno) +
                                         "; make its folder or change file_output.filename");
  }
  const int fd = file.get();
  return std::make_unique<FdChannel>(std::move(path), fd, std::move(file), buffered);
}

}  // namespace gyrfalcon
