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
  FdChannel(std::string name, int fd, AlertFormatOptions format, bool buffered)
      : name_(std::move(name)), format_(std::move(format)), fd_(fd), buffered_(buffered) {}

  std::string_view name() const override { return name_; }

  Delivery Deliver(std::span<const OutgoingAlert> batch) override {
    constexpr size_t kTogetherBytes = 64 * 1024;
    Delivery delivery;
    std::string lines;
    size_t in_lines = 0;
    for (const OutgoingAlert& outgoing : batch) {
      lines += FormatAlert(*outgoing.alert, format_, outgoing.stamp());
      lines += '\n';
      ++in_lines;
      const bool is_last = delivery.done + in_lines == batch.size();
      if (buffered_ && !is_last && lines.size() < kTogetherBytes) continue;
      if (const auto written = WriteAll(lines); !written) {
        delivery.problem = written.error();
        return delivery;
      }
      delivery.done += in_lines;
      in_lines = 0;
      lines.clear();
    }
    return delivery;
  }

  void GiveUp() override { given_up_ = true; }

 protected:
  void set_fd(int fd) { fd_ = fd; }
  std::unexpected<Error> Problem(int error_number) const {
    return Fail(Fault::kEnvironment, name_ + ": " + ErrnoText(error_number));
  }

 private:
  Result<void> WriteAll(std::string_view rest) const {
    while (!rest.empty()) {
      if (!WaitForRoom()) return Problem(ETIMEDOUT);
      // As much as a pipe that poll calls writable takes without blocking.
      const ssize_t written = write(fd_, rest.data(), std::min<size_t>(rest.size(), PIPE_BUF));
      if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (written < 0) return Problem(errno);
      rest.remove_prefix(static_cast<size_t>(written));
    }
    return {};
  }

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
  const AlertFormatOptions format_;
  int fd_;
  const bool buffered_;
};

class FileChannel final : public FdChannel {
 public:
  FileChannel(std::string path, UniqueFd file, AlertFormatOptions format, bool buffered,
              bool keep_open)
      : FdChannel(path, file.get(), std::move(format), buffered),
        path_(std::move(path)),
        file_(std::move(file)),
        keep_open_(keep_open) {}

  Delivery Deliver(std::span<const OutgoingAlert> batch) override {
    if (keep_open_) return FdChannel::Deliver(batch);
    file_ = OpenForAppend(path_, O_NONBLOCK);  // a pipe that nobody reads is an error, not a wait
    if (file_.get() < 0) return {.done = 0, .refused = 0, .problem = Problem(errno).error()};
    set_fd(file_.get());
    return FdChannel::Deliver(batch);
  }

 private:
  const std::string path_;
  UniqueFd file_;
  const bool keep_open_;
};

}  // namespace

std::unique_ptr<Channel> MakeFdChannel(std::string name, int fd, AlertFormatOptions format,
                                       bool buffered) {
  return std::make_unique<FdChannel>(std::move(name), fd, std::move(format), buffered);
}

Result<std::unique_ptr<Channel>> MakeFileChannel(std::string path, AlertFormatOptions format,
                                                 bool buffered, bool keep_open) {
  UniqueFd file = OpenForAppend(path);
  if (file.get() < 0) {
    return Fail(Fault::kEnvironment, "cannot write alerts to " + path + ": " + ErrnoText(errno) +
                                         "; make its folder or change file_output.filename");
  }
  return std::make_unique<FileChannel>(std::move(path), std::move(file), std::move(format),
                                       buffered, keep_open);
}

}  // namespace gyrfalcon
