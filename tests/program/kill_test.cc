// SIGKILL in the middle of a stream of alerts, as often as said: whatever was in the store by then
// must reach the output, by that daemon or by one after it. A real daemon, with a sandbox that this
// program plays; the output is its standard output, which is read slowly, so that much waits at
// each end.
//
//   kill_test [KILLS]     GYRFALCON names the program
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <thread>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "points/test_message.h"
#include "store/position.h"
#include "store/spool_reader.h"

namespace gyrfalcon {
namespace {

using namespace std::chrono_literals;
using testing::Message;
using Ids = std::set<std::pair<std::string, uint64_t>>;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  std::exit(1);
}

// The daemon, and what comes out of it.
class Run {
 public:
  Run(const std::string& program, const std::string& folder) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) Die("no pipe");
    output_ = UniqueFd(ends[0]);
    const UniqueFd input(ends[1]);
    fcntl(input.get(), F_SETPIPE_SZ, 4'096);
    child_ = fork();
    if (child_ < 0) Die("no child");
    if (child_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(input.get(), STDOUT_FILENO);
      execl(program.c_str(), program.c_str(), "run", "-r", (folder + "/rules.yaml").c_str(), "-o",
            ("gvisor.socket=" + folder + "/run/g.sock").c_str(), "-o",
            ("store.path=" + folder + "/store/alerts.db").c_str(), "-o", "json_output=true", "-o",
            "gvisor.runsc=", "-o", "log_level=error", nullptr);
      _exit(127);
    }
  }
  ~Run() {
    if (child_ > 0) Kill(SIGKILL);
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void Kill(int signal) {
    kill(child_, signal);
    waitpid(child_, nullptr, 0);
    child_ = -1;
  }
  void Terminate() const { kill(child_, SIGTERM); }
  void Wait() {
    waitpid(child_, nullptr, 0);
    child_ = -1;
  }
  // Whole lines until its end; a line that the kill cut off is not one that came.
  void Read(Ids& got, std::atomic<int>& pause_us) const {
    std::string text;
    char block[4'096];
    for (;;) {
      const ssize_t size = read(output_.get(), block, sizeof block);
      if (size <= 0) return;
      text.append(block, static_cast<size_t>(size));
      for (size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
        const auto json = nlohmann::json::parse(text.substr(0, end), nullptr, false);
        // What a kill cut off goes on with the next daemon's first line only where a pipe is
        // shared.
        if (json.is_discarded()) Die("no JSON: " + text.substr(0, end));
        got.emplace(json.value("boot_id", ""), json.value("sequence", uint64_t{0}));
      }
      std::this_thread::sleep_for(std::chrono::microseconds(pause_us.load()));
    }
  }

 private:
  pid_t child_ = -1;
  UniqueFd output_;
};

UniqueFd Connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) Die("too long a path");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  for (int i = 0; i < 1'000; ++i) {
    UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      char answer[16];
      if (send(fd.get(), "\x08\x01", 2, MSG_NOSIGNAL) == 2 &&
          recv(fd.get(), answer, sizeof answer, 0) > 0) {
        return fd;
      }
    }
    std::this_thread::sleep_for(10ms);
  }
  Die("the daemon does not listen");
}

std::string OpenMessage() {
  const Message message = Message()
                              .Nested(1, Message().Number(1, 1).Number(2, 1).Text(6, "c"))
                              .Nested(2, Message().Number(1, 3))
                              .Number(3, 257)
                              .Text(6, "/a");
  return std::string({8, 0, static_cast<char>(MessageType::kOpen), 0, 0, 0, 0, 0}) +
         message.bytes();
}

Ids StoredIn(const std::string& path) {
  Ids stored;
  auto reader = SpoolReader::Open(path);
  if (!reader) Die("the store: " + reader.error().message);
  SpoolRange range;
  for (;;) {
    const auto page = reader->Read(range);
    if (!page) Die("the store: " + page.error().message);
    if (page->damaged != 0) Die("damaged rows in the store");
    if (page->last == 0) return stored;
    for (const SpooledAlert& spooled : page->alerts) {
      stored.emplace(spooled.boot_id, SequenceOf(spooled.position));
    }
    range.after = page->last;
  }
}

size_t CountMissing(const Ids& stored, const Ids& got) {
  size_t missing = 0;
  for (const auto& id : stored) missing += got.contains(id) ? 0u : 1u;
  return missing;
}

int Main(int kills) {
  const char* program = std::getenv("GYRFALCON");
  if (program == nullptr) Die("GYRFALCON does not name the program");
  std::string folder = "/tmp/gyrfalcon-kill-XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) Die("no folder");
  std::ofstream(folder + "/rules.yaml")
      << "- rule: opened\n  desc: x\n  condition: evt.type = openat\n"
         "  output: opened %fd.name\n  priority: ERROR\n";
  const std::string store = folder + "/store/alerts.db";
  std::mt19937 random(4711);
  Ids got;
  std::atomic<int> pause_us = 300;
  size_t waited = 0;  // alerts that were in the store and not out, over all kills
  for (int i = 0; i < kills; ++i) {
    Run run(program, folder);
    std::thread reader([&] { run.Read(got, pause_us); });
    const UniqueFd sandbox = Connect(folder + "/run/g.sock");
    const auto until = std::chrono::steady_clock::now() +
                       std::chrono::milliseconds(50 + static_cast<int>(random() % 300));
    const std::string message = OpenMessage();
    while (std::chrono::steady_clock::now() < until) {
      if (send(sandbox.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) break;
      std::this_thread::sleep_for(50us);
    }
    run.Kill(SIGKILL);
    pause_us = 0;
    reader.join();
    pause_us = 300;
    waited += CountMissing(StoredIn(store), got);
  }
  if (waited == 0) Die("nothing waited at any kill: this has tested nothing");
  const Ids stored = StoredIn(store);
  pause_us = 0;
  Run last(program, folder);
  std::thread reader([&] { last.Read(got, pause_us); });
  Connect(folder + "/run/g.sock").reset();
  last.Terminate();
  reader.join();
  last.Wait();
  const size_t missing = CountMissing(stored, got);
  std::printf(
      "%d kills, %zu alerts in the store, %zu of them not out at some kill, %zu never out\n", kills,
      stored.size(), waited, missing);
  std::filesystem::remove_all(folder);
  return missing == 0 ? 0 : 1;
}

}  // namespace
}  // namespace gyrfalcon

int main(int argc, char** argv) {
  constexpr int kKillsDefault = 5;
  return gyrfalcon::Main(argc > 1 ? std::atoi(argv[1]) : kKillsDefault);
}
