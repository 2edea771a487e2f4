#include "runsc/child.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/spawn.h"
#include "base/text.h"
#include "base/unique_fd.h"

namespace gyrfalcon {
namespace {

using Clock = std::chrono::steady_clock;

std::unexpected<Error> FailOf(const std::string& program, const std::string& what) {
  return Fail(Fault::kEnvironment, fmt::format("{}: {}", program, what));
}

// The end of what a child wrote to standard error. Whoever wrote it may be the sandbox: what it
// says is quoted, and never much.
class Complaints {
 public:
  static constexpr size_t kBytesMax = 512;

  void Add(std::string_view piece) {
    end_ += piece;
    if (end_.size() > kBytesMax) end_.erase(0, end_.size() - kBytesMax);
  }
  // ": " and the last line that is not blank; "" where there is none.
  std::string LastLine() const {
    std::string_view text = TrimBlanks(end_);
    if (const size_t line = text.rfind('\n'); line != std::string_view::npos) {
      text.remove_prefix(line + 1);
    }
    return text.empty() ? std::string() : ": " + Escape(text);
  }

 private:
  static std::string Escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      constexpr unsigned char kDelete = 0x7f;
      if (byte >= ' ' && byte < kDelete) {
        out += c;
      } else {
        out += fmt::format("\\x{:02x}", byte);
      }
    }
    return out;
  }

  std::string end_;
};

// False: nothing more comes.
bool TakePiece(int fd, std::string& piece) {
  constexpr size_t kPieceBytes = 64 * 1024;
  piece.resize(kPieceBytes);
  ssize_t got = 0;
  do {
    got = read(fd, piece.data(), piece.size());
  } while (got < 0 && errno == EINTR);
  piece.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return got > 0;
}

// Until the end of the output; an error at a limit.
Result<void> ReadOutput(const std::string& program, int fd, UniqueFd& complaints,
                        Complaints& complained, const ChildLimits& limits,
                        const std::function<void(std::string_view)>& take) {
  const auto end = Clock::now() + limits.patience;
  size_t taken = 0;
  std::string piece;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    // poll passes over a descriptor of -1.
    std::array<pollfd, 3> waiting = {
        {{fd, POLLIN, 0}, {limits.stop_fd, POLLIN, 0}, {complaints.get(), POLLIN, 0}}};
    const int ready =
        left.count() > 0 ? poll(waiting.data(), waiting.size(), static_cast<int>(left.count())) : 0;
    if (ready == 0) return FailOf(program, "took too long");
    if (ready < 0) {
      if (errno == EINTR) continue;
      return FailOf(program, ErrnoText(errno));
    }
    if (waiting[1].revents != 0) return FailOf(program, "stopped");
    if (waiting[2].revents != 0) {
      if (!TakePiece(complaints.get(), piece)) complaints.reset();
      complained.Add(piece);
    }
    if (waiting[0].revents == 0) continue;
    if (!TakePiece(fd, piece)) return {};
    taken += piece.size();
    if (taken > limits.output_bytes_max) return FailOf(program, "printed too much");
    take(piece);
  }
}

// What is there when the child has ended; its own children may keep the pipe open, so nobody waits.
void TakeRest(const UniqueFd& complaints, Complaints& complained) {
  std::string piece;
  constexpr int kPiecesMax = 16;
  for (int i = 0; complaints && i < kPiecesMax; ++i) {
    pollfd waiting{.fd = complaints.get(), .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, 0) <= 0 || !TakePiece(complaints.get(), piece)) return;
    complained.Add(piece);
  }
}

// A program may close its output and live on: it gets as long again, then it is killed.
int WaitFor(pid_t pid, const ChildLimits& limits) {
  const auto end = Clock::now() + limits.patience;
  int status = 0;
  for (;;) {
    const pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid) return status;
    if (ended < 0 && errno != EINTR) return -1;
    if (Clock::now() >= end) break;
    constexpr int kPauseMs = 5;
    pollfd stop{.fd = limits.stop_fd, .events = POLLIN, .revents = 0};
    if (poll(&stop, 1, kPauseMs) > 0) break;
  }
  kill(-pid, SIGKILL);
  // One that hangs in the kernel does not die even now: it must not hold us.
  constexpr int kTries = 200;
  for (int i = 0; i < kTries && waitpid(pid, &status, WNOHANG) != pid; ++i) {
    poll(nullptr, 0, 5);
  }
  return SIGKILL;
}

}  // namespace

Result<void> RunChild(const std::vector<std::string>& words, const ChildLimits& limits,
                      const std::function<void(std::string_view)>& take) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return FailOf(words.front(), ErrnoText(errno));
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return FailOf(words.front(), ErrnoText(errno));
  UniqueFd complaints(ends[0]);
  UniqueFd complaining(ends[1]);
  const auto pid = Spawn(words, {.output = writing.get(), .complaints = complaining.get()});
  writing.reset();
  complaining.reset();
  if (!pid) return std::unexpected(pid.error());
  Complaints complained;
  auto read = ReadOutput(words.front(), reading.get(), complaints, complained, limits, take);
  if (!read) kill(-*pid, SIGKILL);
  const int status = WaitFor(*pid, limits);
  TakeRest(complaints, complained);
  if (!read) {
    read.error().message += complained.LastLine();
    return read;
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    const std::string end = WIFEXITED(status) ? fmt::format("ended with {}", WEXITSTATUS(status))
                                              : std::string("was killed");
    return FailOf(words.front(), end + complained.LastLine());
  }
  return {};
}

Result<std::string> RunChild(const std::vector<std::string>& words, const ChildLimits& limits) {
  std::string output;
  const auto ran = RunChild(words, limits, [&](std::string_view piece) { output += piece; });
  if (!ran) return std::unexpected(ran.error());
  return output;
}

}  // namespace gyrfalcon
