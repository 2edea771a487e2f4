#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "channels/channel.h"
#include "channels/give_up.h"

namespace gyrfalcon {
namespace {

// With a reader that takes nothing, where the alert can be tried again later.
constexpr std::chrono::seconds kPatience{10};
constexpr std::chrono::hours kForever{24 * 365};

UniqueFd OpenForAppend(const std::string& path, int more_flags = 0) {
  return UniqueFd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | more_flags, 0600));
}

// What mends an error of a write to the alerts' file.
std::string_view FileAdvice(int error_number) {
  constexpr struct {
    int error_number;
    std::string_view advice;
  } kRows[] = {
      {ENOENT, "make its folder, or change file_output.filename"},
      {ENOTDIR, "what it lies in is no folder: change file_output.filename"},
      {EISDIR, "file_output.filename names a file, not a folder"},
      {EACCES, "let gyrfalcon's user write there, or change file_output.filename"},
      {EPERM, "let gyrfalcon's user write there, or change file_output.filename"},
      {EROFS, "its file system is read-only: change file_output.filename"},
      {ENOSPC, "make room on its file system"},
      {EDQUOT, "make room in the quota of gyrfalcon's user"},
      {EFBIG, "it may not become larger: rotate it"},
      {ENXIO, "it is a pipe that nobody reads: start its reader"},
      {EPIPE, "it is a pipe that nobody reads any more: start its reader"},
      {ETIMEDOUT, "who reads this pipe takes nothing: see what holds it up"},
  };
  const auto row = std::ranges::find(kRows, error_number,
                                     &std::remove_cvref_t<decltype(kRows[0])>::error_number);
  return row == std::end(kRows) ? "see what has become of it" : row->advice;
}

std::string_view StreamAdvice(int error_number) {
  switch (error_number) {
    case EPIPE:
      return "nobody reads it any more: restart gyrfalcon with a reader, or set "
             "stdout_output.enabled to false";
    case ETIMEDOUT:
      return "who reads it takes nothing: see what holds it up";
    case ENOSPC:
      return "make room where it is written to";
    default:
      return "see where it leads to, or set stdout_output.enabled to false";
  }
}

std::unexpected<Error> CantWrite(const std::string& path, int error_number) {
  return Fail(Fault::kEnvironment, "cannot write alerts to " + path + ": " +
                                       ErrnoText(error_number) + "; " +
                                       std::string(FileAdvice(error_number)));
}

// Lines that are written together.
struct Lines {
  std::string text;
  std::vector<size_t> ends;  // of each line, behind its newline
};

// The line that a full disk, or a reader that stopped, has cut.
struct TornLine {
  std::string boot_id;
  uint64_t sequence = 0;
  size_t written = 0;  // bytes of it

  bool IsOf(const OutgoingAlert& alert) const {
    return sequence != 0 && sequence == alert.sequence && boot_id == alert.boot_id;
  }
};

class FdChannel : public Channel {
 public:
  FdChannel(std::string name, int fd, AlertFormatOptions format, bool buffered)
      : name_(std::move(name)), format_(std::move(format)), fd_(fd), buffered_(buffered) {}

  std::string_view name() const override { return name_; }
  bool is_local() const override { return true; }

  Delivery Deliver(std::span<const OutgoingAlert> batch) override {
    Delivery delivery;
    while (delivery.done < batch.size()) {
      const auto rest = batch.subspan(delivery.done);
      patience_ = rest.front().sequence == 0 ? kForever : kPatience;
      if (const auto mended = MendTornLine(rest.front()); !mended) {
        delivery.problem = mended.error();
        break;
      }
      const Lines lines = Gather(rest);
      size_t written = torn_ ? std::exchange(torn_, std::nullopt)->written : 0;
      const auto all = WriteAll(lines.text, written);
      const auto cut = std::ranges::upper_bound(lines.ends, written);
      delivery.done += static_cast<size_t>(cut - lines.ends.begin());
      if (all) continue;
      NoteTornLine(batch, delivery.done, written - (cut == lines.ends.begin() ? 0 : *(cut - 1)));
      delivery.problem = all.error();
      break;
    }
    return delivery;
  }

  void GiveUp() override { give_up_.Raise(); }

 protected:
  void set_fd(int fd) { fd_ = fd; }
  bool is_torn() const { return torn_.has_value(); }
  void ForgetTornLine() { torn_.reset(); }
  virtual std::unexpected<Error> Problem(int error_number) const {
    return Fail(Fault::kEnvironment, name_ + ": " + ErrnoText(error_number) + "; " +
                                         std::string(StreamAdvice(error_number)));
  }

 private:
  Lines Gather(std::span<const OutgoingAlert> alerts) const {
    constexpr size_t kTogetherBytes = 64 * 1024;
    Lines lines;
    for (const OutgoingAlert& alert : alerts) {
      lines.text += FormatAlert(*alert.alert, format_, alert.stamp());
      lines.text += '\n';
      lines.ends.push_back(lines.text.size());
      if (!buffered_ || lines.text.size() >= kTogetherBytes) break;
    }
    return lines;
  }

  // Its alert comes again as a rule, and the line goes on where it was cut. Where another one
  // comes, the cut line is ended.
  Result<void> MendTornLine(const OutgoingAlert& next) {
    if (!torn_ || torn_->IsOf(next)) return {};
    size_t written = 0;
    const auto ended = WriteAll("\n", written);
    if (ended) torn_.reset();
    return ended;
  }

  void NoteTornLine(std::span<const OutgoingAlert> batch, size_t at, size_t bytes) {
    if (bytes == 0 || at == batch.size()) return;
    torn_ = TornLine{std::string(batch[at].boot_id), batch[at].sequence, bytes};
  }

  // From `written` on, which goes on as far as it comes.
  Result<void> WriteAll(std::string_view text, size_t& written) const {
    while (written < text.size()) {
      if (give_up_.WaitFor(fd_, POLLOUT, patience_) != Waited::kReady) return Problem(ETIMEDOUT);
      // As much as a pipe that poll calls writable takes without blocking.
      const std::string_view piece = text.substr(written, PIPE_BUF);
      const ssize_t taken = write(fd_, piece.data(), piece.size());
      if (taken < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (taken < 0) return Problem(errno);
      written += static_cast<size_t>(taken);
    }
    return {};
  }

  const std::string name_;
  const AlertFormatOptions format_;
  GiveUpSignal give_up_;
  std::chrono::nanoseconds patience_ = kForever;
  int fd_;
  const bool buffered_;
  std::optional<TornLine> torn_;
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
    if (!keep_open_ || reopen_.exchange(false)) {
      if (const auto opened = OpenAnew(); !opened) return {0, 0, opened.error()};
    }
    const Delivery delivery = FdChannel::Deliver(batch);
    if (is_torn()) fstat(file_.get(), &as_left_);
    return delivery;
  }

  void Reopen() override { reopen_ = true; }

 protected:
  std::unexpected<Error> Problem(int error_number) const override {
    return CantWrite(path_, error_number);
  }

 private:
  Result<void> OpenAnew() {
    UniqueFd file =
        OpenForAppend(path_, O_NONBLOCK);  // a pipe that nobody reads: an error, no wait
    if (!file) {
      reopen_ = true;
      return Problem(errno);
    }
    struct stat found{};
    fstat(file.get(), &found);
    const bool is_as_left = found.st_dev == as_left_.st_dev && found.st_ino == as_left_.st_ino &&
                            found.st_size == as_left_.st_size;
    if (is_torn() && !is_as_left) ForgetTornLine();
    file_ = std::move(file);
    set_fd(file_.get());
    return {};
  }

  const std::string path_;
  UniqueFd file_;
  const bool keep_open_;
  std::atomic<bool> reopen_ = false;
  struct stat as_left_{};  // with a torn line at its end
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
    return CantWrite(path, errno);
  }
  return std::make_unique<FileChannel>(std::move(path), std::move(file), std::move(format),
                                       buffered, keep_open);
}

Result<void> CheckAlertFile(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return CantWrite(path, EISDIR);
    if (access(path.c_str(), W_OK) != 0) return CantWrite(path, errno);
    return {};
  }
  if (errno != ENOENT) return CantWrite(path, errno);
  const std::string folder = std::filesystem::path(path).parent_path();
  if (access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) != 0) {
    return CantWrite(path, errno);
  }
  return {};
}

}  // namespace gyrfalcon
