// Connections against a real daemon.
//   drain               sandboxes that have gone and left full queues: every message is counted
//   drain_at_stop       the same, and the daemon is told to stop before it reads any of it
//   handshakes          how long a sandbox waits for its handshake beside silent clients
//   handshakes_stalled  the same while every other thread of the daemon stands still
// Prints one JSON object; exit code 1 where a message is missing or a handshake took too long, 77
// where too few open files are allowed.
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd_limit.h"
#include "base/test_folder.h"
#include "base/unix_socket.h"
#include "daemon.h"
#include "sandbox_messages.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

struct Options {
  std::string program = "build/release/gyrfalcon";
  int connections = 1'000;
  int silent = 10'000;
  int probes = 400;
  double limit_ms = 50;
};

constexpr int kSkipped = 77;

// No runsc is run, and the totals at the end are told.
Result<Daemon> StartDaemon(const Options& options, const TestFolder& folder) {
  return Daemon::Start(options.program, folder.path(), {},
                       {"-o", "gvisor.runsc=", "-o", "log_level=info"}, folder / "log");
}

std::string Tail(const std::string& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  constexpr size_t kShown = 2'000;
  return text.size() > kShown ? text.substr(text.size() - kShown) : text;
}

// The first number behind `word`; nullopt where the log does not have it.
std::optional<uint64_t> NumberBehind(const std::string& text, std::string_view word) {
  const size_t at = text.rfind(word);
  if (at == std::string::npos) return std::nullopt;
  uint64_t number = 0;
  const char* begin = text.data() + at + word.size();
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

// By `gyrfalcon status`; nullopt where it does not answer.
std::optional<uint64_t> Status(const Options& options, const Daemon& daemon,
                               const std::string& counter) {
  const std::string command =
      fmt::format("{} status --json --socket {}", options.program, daemon.socket_path());
  FILE* output = ::popen(command.c_str(), "r");
  if (output == nullptr) return std::nullopt;
  std::string text(64 * 1024, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), output));
  ::pclose(output);
  std::erase(text, ' ');
  return NumberBehind(text, fmt::format("\"{}\":", counter));
}

// What a sandbox sends until its queue is full.
size_t Fill(int fd, const std::string& id) {
  const std::string message = OpenedFile(id, "/etc/hostname");
  size_t sent = 0;
  while (::send(fd, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0) ++sent;
  return sent;
}

Result<uint64_t> LeaveFullQueues(const Options& options, const Daemon& daemon) {
  std::vector<UniqueFd> sandboxes;
  for (int i = 0; i < options.connections; ++i) {
    auto fd = ConnectSandbox(daemon.socket_path());
    if (!fd) return std::unexpected(fd.error());
    sandboxes.push_back(std::move(*fd));
  }
  ::kill(daemon.pid(), SIGSTOP);
  uint64_t sent = 0;
  for (size_t i = 0; i < sandboxes.size(); ++i) {
    sent += Fill(sandboxes[i].get(), fmt::format("sandbox-{:08}", i));
    sandboxes[i].reset();
  }
  return sent;
}

Result<int> Drain(const Options& options, bool at_stop) {
  const TestFolder folder;
  auto daemon = StartDaemon(options, folder);
  if (!daemon) return std::unexpected(daemon.error());
  const auto sent = LeaveFullQueues(options, *daemon);
  if (!sent) return std::unexpected(sent.error());
  const int64_t began_ns = SteadyNs();
  if (at_stop) ::kill(daemon->pid(), SIGTERM);
  ::kill(daemon->pid(), SIGCONT);
  if (!at_stop) {
    const int64_t patience_ns = 60'000'000'000;
    while (Status(options, *daemon, "messages") != *sent && SteadyNs() - began_ns < patience_ns) {
      std::this_thread::sleep_for(20ms);
    }
  }
  const double seconds = static_cast<double>(SteadyNs() - began_ns) / 1e9;
  const int status = daemon->Stop();
  const double stopped = static_cast<double>(SteadyNs() - began_ns) / 1e9;
  const std::string log = Tail(folder / "log");
  const auto taken_up = NumberBehind(log, "totals: ");
  fmt::print(
      "{{\"connections\":{},\"sent\":{},\"taken_up\":{},\"seconds\":{:.2f},\"at_stop\":{}}}\n",
      options.connections, *sent, taken_up.value_or(0), at_stop ? stopped : seconds, at_stop);
  if (status == 0 && taken_up == *sent && !log.contains("drain_cut_short")) return 0;
  fmt::print(stderr, "status {}; the log ends:\n{}\n", status, log);
  return 1;
}

// Connects and says nothing, in a process of its own.
class SilentClients {
 public:
  SilentClients(const std::string& path, int count) {
    child_ = ::fork();
    if (child_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const sockaddr_un address = UnixAddress(path).value();
    for (int i = 0; i < count; ++i) {
      const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
      if (fd < 0 || ::connect(fd, Generic(address), sizeof address) != 0) {
        ::_exit(1);
      }
    }
    for (;;) ::pause();
  }
  ~SilentClients() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  SilentClients(const SilentClients&) = delete;
  SilentClients& operator=(const SilentClients&) = delete;
  bool lives() const { return ::waitpid(child_, nullptr, WNOHANG) == 0; }

 private:
  pid_t child_ = -1;
};

// Stops every thread of a process but the one that shakes hands.
class Stall {
 public:
  explicit Stall(pid_t pid) {
    for (const auto& entry : fs::directory_iterator(fmt::format("/proc/{}/task", pid))) {
      std::ifstream file(entry.path() / "comm");
      std::string name;
      std::getline(file, name);
      if (name == "handshakes") continue;
      const pid_t thread = std::atoi(entry.path().filename().c_str());
      if (::ptrace(PTRACE_SEIZE, thread, nullptr, nullptr) != 0) continue;
      ::ptrace(PTRACE_INTERRUPT, thread, nullptr, nullptr);
      int status = 0;
      if (::waitpid(thread, &status, __WALL) == thread && WIFSTOPPED(status)) {
        stopped_.push_back(thread);
      }
    }
  }
  ~Stall() {
    for (const pid_t thread : stopped_) ::ptrace(PTRACE_DETACH, thread, nullptr, nullptr);
  }
  Stall(const Stall&) = delete;
  Stall& operator=(const Stall&) = delete;
  size_t count() const { return stopped_.size(); }

 private:
  std::vector<pid_t> stopped_;
};

double Quantile(std::vector<double>& sorted, double part) {
  return sorted[static_cast<size_t>(part * static_cast<double>(sorted.size() - 1))];
}

Result<int> Handshakes(const Options& options, bool stalled) {
  const TestFolder folder;
  auto daemon = StartDaemon(options, folder);
  if (!daemon) return std::unexpected(daemon.error());
  std::optional<Stall> stall;
  // It listens before it has all its threads: no lock of a start may be held.
  if (const auto first = ConnectSandbox(daemon->socket_path()); !first) {
    return std::unexpected(first.error());
  }
  std::this_thread::sleep_for(1s);
  if (stalled) stall.emplace(daemon->pid());
  const size_t stopped = stall ? stall->count() : 0;
  const SilentClients silent(daemon->socket_path(), options.silent);
  std::vector<double> waited_ms;
  double slowest_began_ms = 0;  // after the first silent one
  // While the silent ones come, are there, and are closed after their deadline of 5 s.
  const int64_t first_ns = SteadyNs();
  for (int i = 0; i < options.probes; ++i) {
    const int64_t began_ns = SteadyNs();
    if (const auto fd = ConnectSandbox(daemon->socket_path()); !fd) {
      return std::unexpected(fd.error());
    }
    waited_ms.push_back(static_cast<double>(SteadyNs() - began_ns) / 1e6);
    if (waited_ms.back() >= std::ranges::max(waited_ms)) {
      slowest_began_ms = static_cast<double>(began_ns - first_ns) / 1e6;
    }
    std::this_thread::sleep_for(20ms);
  }
  const bool all_came = silent.lives();
  stall.reset();
  daemon->Stop();
  std::ranges::sort(waited_ms);
  fmt::print(
      "{{\"silent\":{},\"threads_stopped\":{},\"probes\":{},\"p50_ms\":{:.2f},\"p99_ms\":{:.2f},"
      "\"max_ms\":{:.2f},\"max_at_ms\":{:.0f}}}\n",
      options.silent, stopped, options.probes, Quantile(waited_ms, 0.5), Quantile(waited_ms, 0.99),
      waited_ms.back(), slowest_began_ms);
  if (!all_came) fmt::print(stderr, "not all silent clients could connect\n");
  if (stalled && stopped == 0) fmt::print(stderr, "no thread could be stopped\n");
  return all_came && (stopped != 0 || !stalled) && waited_ms.back() <= options.limit_ms ? 0 : 1;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Connections against a real daemon");
  app.add_option("--program", options.program, "gyrfalcon")->capture_default_str();
  app.add_option("--limit-ms", options.limit_ms, "For the slowest handshake")
      ->capture_default_str();
  app.require_subcommand(1);
  std::map<std::string, CLI::App*> commands;
  for (const char* name : {"drain", "drain_at_stop"}) {
    commands[name] = app.add_subcommand(name);
    commands[name]->add_option("--connections", options.connections)->capture_default_str();
  }
  for (const char* name : {"handshakes", "handshakes_stalled"}) {
    commands[name] = app.add_subcommand(name);
    commands[name]->add_option("--silent", options.silent)->capture_default_str();
    commands[name]->add_option("--probes", options.probes)->capture_default_str();
  }
  CLI11_PARSE(app, argc, argv);
  RaiseFdLimit();
  const bool drains = commands["drain"]->parsed() || commands["drain_at_stop"]->parsed();
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const int needed = (drains ? options.connections : options.silent) + options.probes + 200;
  if (files.rlim_cur < static_cast<rlim_t>(needed)) {
    fmt::print("SKIPPED: needs a limit of {} open files\n", needed);
    return kSkipped;
  }
  const auto result = drains ? Drain(options, commands["drain_at_stop"]->parsed())
                             : Handshakes(options, commands["handshakes_stalled"]->parsed());
  if (!result) {
    fmt::print(stderr, "connection_soak: {}\n", result.error().message);
    return 1;
  }
  return *result;
}

}  // namespace
}  // namespace gyrfalcon

int main(int argc, char** argv) {
  return gyrfalcon::Main(argc, argv);
}
