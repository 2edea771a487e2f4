#include "daemon.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/unix_socket.h"
#include "wire/handshake_message.h"

namespace gyrfalcon {
namespace {

UniqueFd TryConnect(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const auto address = UnixAddress(path);
  if (!address || ::connect(fd.get(), Generic(*address), sizeof *address) != 0) return {};
  return fd;
}

[[noreturn]] void Exec(const std::string& program, const std::string& folder,
                       const std::string& socket_path, const std::vector<std::string>& rules,
                       const std::vector<std::string>& arguments, int output,
                       const std::string& log) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::vector<std::string> args = {program, "run",
                                   "-o",    "gvisor.socket=" + socket_path,
                                   "-o",    "store.path=" + folder + "/alerts.db",
                                   "-o",    "log_level=error"};
  for (const std::string& file : rules) {
    args.emplace_back("-r");
    args.push_back(file);
  }
  args.insert(args.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  pointers.reserve(args.size() + 1);
  for (std::string& arg : args) pointers.push_back(arg.data());
  pointers.push_back(nullptr);
  ::dup2(output, STDOUT_FILENO);
  if (!log.empty()) {
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file >= 0) ::dup2(file, STDERR_FILENO);
  }
  ::execv(program.c_str(), pointers.data());
  constexpr int kNotFound = 127;
  ::_exit(kNotFound);
}

}  // namespace

Result<Daemon> Daemon::Start(const std::string& program, const std::string& folder,
                             const std::vector<std::string>& rules,
                             const std::vector<std::string>& arguments, const std::string& log) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Fail(Fault::kEnvironment, "no pipe: " + ErrnoText(errno));
  }
  UniqueFd output(ends[0]);
  const UniqueFd input(ends[1]);
  const std::string socket_path = folder + "/daemon.sock";
  const int64_t begin = SteadyNs();
  const pid_t child = ::fork();
  if (child < 0) return Fail(Fault::kEnvironment, "no child: " + ErrnoText(errno));
  if (child == 0) Exec(program, folder, socket_path, rules, arguments, input.get(), log);
  Daemon daemon(child, std::move(output), socket_path);
  constexpr int64_t kPatienceNs = 20'000'000'000;
  while (SteadyNs() - begin < kPatienceNs) {
    if (TryConnect(socket_path)) {
      daemon.start_ns_ = SteadyNs() - begin;
      return daemon;
    }
    if (::waitpid(child, nullptr, WNOHANG) == child) {
      daemon.child_ = -1;
      return Fail(Fault::kEnvironment, program + " ended at once");
    }
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  return Fail(Fault::kEnvironment, program + " does not listen");
}

Daemon::Daemon(Daemon&& other) noexcept
    : child_(std::exchange(other.child_, -1)),
      output_(std::move(other.output_)),
      socket_path_(std::move(other.socket_path_)),
      start_ns_(other.start_ns_),
      unread_(std::move(other.unread_)) {}

Daemon::~Daemon() {
  if (child_ > 0) Stop();
}

int Daemon::Stop() {
  output_.reset();  // it must not wait for a reader
  ::kill(child_, SIGTERM);
  int status = 0;
  while (::waitpid(child_, &status, 0) < 0 && errno == EINTR) {
  }
  child_ = -1;
  return status;
}

int64_t Daemon::MemoryBytes(std::string_view row) const {
  std::ifstream file("/proc/" + std::to_string(child_) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(std::string(row) + ":"))
      return std::stoll(line.substr(row.size() + 1)) * 1024;
  }
  return 0;
}

std::optional<std::string> Daemon::NextLine(int timeout_ms) {
  for (;;) {
    if (const size_t end = unread_.find('\n'); end != std::string::npos) {
      std::string line = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      return line;
    }
    pollfd waiting{output_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, timeout_ms) <= 0) return std::nullopt;
    std::array<char, 64 * 1024> block;
    const ssize_t got = ::read(output_.get(), block.data(), block.size());
    if (got <= 0) return std::nullopt;
    unread_.append(block.data(), static_cast<size_t>(got));
  }
}

Result<UniqueFd> ConnectSandbox(const std::string& socket_path) {
  UniqueFd fd = TryConnect(socket_path);
  const auto hello = EncodeHandshake();
  std::array<std::byte, kHandshakeBytesMax> answer;
  if (!fd || ::send(fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL) < 0 ||
      ::recv(fd.get(), answer.data(), answer.size(), 0) <= 0) {
    return Fail(Fault::kEnvironment, "cannot connect to " + socket_path);
  }
  return fd;
}

}  // namespace gyrfalcon
