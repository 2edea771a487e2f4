#include "channels/fed_process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/spawn.h"

namespace gyrfalcon {
namespace {

std::string HowItEnded(const siginfo_t& info) {
  if (info.si_code != CLD_EXITED) return fmt::format("was killed by signal {}", info.si_status);
  return info.si_status == 0 ? "" : fmt::format("ended with {}", info.si_status);
}

// glibc 2.36 declares pidfd_open without extern "C".
int OpenPidFd(pid_t pid) {
  return static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
}

}  // namespace

FedProcess::FedProcess(pid_t pid, UniqueFd pid_fd, UniqueFd input)
    : pid_(pid), pid_fd_(std::move(pid_fd)), input_(std::move(input)) {}

FedProcess::FedProcess(FedProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      pid_fd_(std::move(other.pid_fd_)),
      input_(std::move(other.input_)) {}

Result<FedProcess> FedProcess::Start(const std::vector<std::string>& words) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return Fail(Fault::kEnvironment, ErrnoText(errno));
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  fcntl(writing.get(), F_SETFL, O_NONBLOCK);
  const auto pid =
      Spawn(words, {.input = reading.get(), .output = STDERR_FILENO, .complaints = STDERR_FILENO});
  if (!pid) return std::unexpected(pid.error());
  FedProcess process(*pid, UniqueFd(OpenPidFd(*pid)), std::move(writing));
  if (!process.pid_fd_) return Fail(Fault::kEnvironment, "pidfd_open: " + ErrnoText(errno));
  return process;
}

FedProcess::~FedProcess() {
  if (pid_ == 0) return;
  Kill();
  // One that hangs in the kernel does not die even now: it must not hold us.
  constexpr int kPatienceMs = 1'000;
  pollfd end{pid_fd_.get(), POLLIN, 0};
  poll(&end, 1, kPatienceMs);
  waitpid(pid_, nullptr, WNOHANG);
}

Result<size_t> FedProcess::Write(std::string_view text) {
  ssize_t written = 0;
  do {
    written = write(input_.get(), text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written >= 0) return static_cast<size_t>(written);
  if (errno == EAGAIN) return size_t{0};
  return Fail(Fault::kEnvironment, ErrnoText(errno));
}

size_t FedProcess::UnreadBytes() const {
  int bytes = 0;
  return ioctl(input_.get(), FIONREAD, &bytes) == 0 ? static_cast<size_t>(bytes) : 0;
}

std::optional<std::string> FedProcess::WaitForEnd(std::chrono::nanoseconds patience,
                                                  const GiveUpSignal& give_up) {
  if (give_up.WaitFor(pid_fd_.get(), POLLIN, patience) != Waited::kReady) return std::nullopt;
  siginfo_t info{};
  if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0) return ErrnoText(errno);
  pid_ = 0;
  return HowItEnded(info);
}

void FedProcess::Kill() {
  if (pid_ != 0) kill(-pid_, SIGKILL);
}

}  // namespace gyrfalcon
