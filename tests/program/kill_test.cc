// SIGKILL in the middle of a stream of alerts, as often as said: whatever was in the store by then
// must reach the output, by that daemon or by one after it. A real daemon, with a sandbox that this
// program plays; the output is its standard output, or a webhook that lives on. Both take slowly,
// so that much waits at each end.
//
//   kill_test [KILLS [stdout|webhook]]     GYRFALCON names the program
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "base/unique_fd.h"
#include "channels/test_http_server.h"
#include "points/test_sandbox.h"
#include "store/position.h"
#include "store/spool_reader.h"

namespace gyrfalcon {
namespace {

using namespace std::chrono_literals;
using Ids = std::set<std::pair<std::string, uint64_t>>;

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "FAILED: %s\n", what.c_str());
  std::exit(1);
}

// What has come out, of all daemons together.
class Received {
 public:
  void Add(const nlohmann::json& alert) {
    const std::scoped_lock lock(mutex_);
    ++count_;
    ids_.emplace(alert.value("boot_id", ""), alert.value("sequence", uint64_t{0}));
  }
  size_t CountMissing(const Ids& stored) const {
    const std::scoped_lock lock(mutex_);
    size_t missing = 0;
    for (const auto& id : stored) missing += ids_.contains(id) ? 0u : 1u;
    return missing;
  }
  size_t CountRepeated() const {
    const std::scoped_lock lock(mutex_);
    return count_ - ids_.size();
  }

 private:
  mutable std::mutex mutex_;
  size_t count_ = 0;
  Ids ids_;
};

// The daemon, and its standard output.
class Run {
 public:
  Run(const std::string& program, const std::string& folder,
      const std::vector<std::string>& output) {
    // Before the fork: other threads are at work, and one may hold a lock that the child needs.
    std::vector<std::string> words = {program, "run",
                                      "-r",    folder + "/rules.yaml",
                                      "-o",    "gvisor.socket=" + folder + "/run/g.sock",
                                      "-o",    "store.path=" + folder + "/store/alerts.db",
                                      "-o",    "gvisor.runsc=",
                                      "-o",    "log_level=error"};
    for (const std::string& setting : output) words.insert(words.end(), {"-o", setting});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
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
      execv(arguments[0], arguments.data());
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
  void Read(Received& received, std::atomic<int>& pause_us) const {
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
        received.Add(json);
      }
      std::this_thread::sleep_for(std::chrono::microseconds(pause_us.load()));
    }
  }

 private:
  pid_t child_ = -1;
  UniqueFd output_;
};

UniqueFd Connect(const std::string& path) {
  for (int i = 0; i < 1'000; ++i) {
    UniqueFd fd(testing::ConnectSandbox(path));
    if (fd) return fd;
    std::this_thread::sleep_for(10ms);
  }
  Die("the daemon does not listen");
}

std::string OpenMessage() {
  return testing::OpenDatagram(testing::ContextOfThread(1), "/a");
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

// A webhook that is as slow as the other output.
TestHttpServer::Handler TakeInto(Received& received, std::atomic<int>& pause_us) {
  return [&](const TestRequest& request) {
    const auto json = nlohmann::json::parse(request.body, nullptr, false);
    if (json.is_discarded()) Die("no JSON: " + request.body);
    received.Add(json);
    std::this_thread::sleep_for(std::chrono::microseconds(pause_us.load()));
    return TestHttpServer::Answer(200, "", "");
  };
}

void SendUntil(std::chrono::steady_clock::time_point until, const std::string& socket_path) {
  const UniqueFd sandbox = Connect(socket_path);
  const std::string message = OpenMessage();
  while (std::chrono::steady_clock::now() < until) {
    if (send(sandbox.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) return;
    std::this_thread::sleep_for(50us);
  }
}

int Main(int kills, bool by_webhook) {
  const char* program = std::getenv("GYRFALCON");
  if (program == nullptr) Die("GYRFALCON does not name the program");
  const TestFolder folder;
  folder.Write("rules.yaml",
               "- rule: opened\n  desc: x\n  condition: evt.type = openat\n"
               "  output: opened %fd.name\n  priority: ERROR\n");
  const std::string store = folder / "store/alerts.db";
  const std::string socket_path = folder / "run/g.sock";
  std::mt19937 random(4711);
  Received received;
  constexpr int kPauseUs = 300;
  std::atomic<int> pause_us = kPauseUs;
  const TestHttpServer webhook(TakeInto(received, pause_us));
  const auto output = by_webhook ? std::vector<std::string>{"stdout_output.enabled=false",
                                                            "http_output.enabled=true",
                                                            "http_output.url=" + webhook.url()}
                                 : std::vector<std::string>{"json_output=true"};
  size_t waited = 0;  // alerts that were in the store and not out, over all kills
  for (int i = 0; i < kills; ++i) {
    Run run(program, folder.path(), output);
    std::thread reader([&] { run.Read(received, pause_us); });
    Connect(socket_path).reset();
    SendUntil(std::chrono::steady_clock::now() +
                  std::chrono::milliseconds(50 + static_cast<int>(random() % 300)),
              socket_path);
    run.Kill(SIGKILL);
    if (!by_webhook) pause_us = 0;
    reader.join();
    pause_us = kPauseUs;
    waited += received.CountMissing(StoredIn(store));
  }
  if (waited == 0) Die("nothing waited at any kill: this has tested nothing");
  const Ids stored = StoredIn(store);
  pause_us = 0;
  Run last(program, folder.path(), output);
  std::thread reader([&] { last.Read(received, pause_us); });
  Connect(socket_path).reset();
  const auto patience = std::chrono::steady_clock::now() + 120s;
  while (by_webhook && received.CountMissing(stored) != 0 &&
         std::chrono::steady_clock::now() < patience) {
    std::this_thread::sleep_for(20ms);
  }
  last.Terminate();
  reader.join();
  last.Wait();
  const size_t missing = received.CountMissing(stored);
  std::printf(
      "%d kills, %zu alerts in the store, %zu of them not out at some kill, %zu out twice, "
      "%zu never out\n",
      kills, stored.size(), waited, received.CountRepeated(), missing);
  return missing == 0 ? 0 : 1;
}

}  // namespace
}  // namespace gyrfalcon

int main(int argc, char** argv) {
  constexpr int kKillsDefault = 5;
  const bool by_webhook = argc > 2 && std::string_view(argv[2]) == "webhook";
  return gyrfalcon::Main(argc > 1 ? std::atoi(argv[1]) : kKillsDefault, by_webhook);
}
