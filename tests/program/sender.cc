// Many sandboxes in one process, for tests of what happens to their connections:
//
//   sender SOCKET CONNECTIONS MESSAGES_PER_SECOND
//
// connects, tells of each which processes it has (a "child" that a "parent" has made), says
// "connected" and sends numbered messages of the child in turn until SIGTERM. Where a queue is
// full it waits: what it has sent, the kernel has taken. Every hundredth opens
// /seq/CONNECTION/NUMBER. Beside it, others connect and hang up all the time. Then it says, as
// shell words,
//
//   sent=N full=N clients=N refused=N slowest_ms=N
//
// (full: queues that were found full; slowest_ms: the longest that a client waited for its answer)
// and keeps the connections until its standard input ends.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "points/test_sandbox.h"

namespace gyrfalcon {
namespace {

using Clock = std::chrono::steady_clock;

std::atomic<bool> stopping = false;

std::string Opens(const std::string& path) {
  return testing::OpenDatagram(testing::ContextInFamily(2), path);
}

struct Sandbox {
  int fd = -1;
  uint64_t sent = 0;
};

// False: its queue is full.
bool SendNext(size_t number, Sandbox& sandbox) {
  static const std::string kOther = Opens("/other");
  constexpr uint64_t kToldEvery = 100;
  const bool told = sandbox.sent % kToldEvery == 0;
  const std::string path =
      "/seq/" + std::to_string(number) + "/" + std::to_string(sandbox.sent / kToldEvery);
  const std::string made = told ? Opens(path) : std::string();
  const std::string& message = told ? made : kOther;
  const ssize_t got = send(sandbox.fd, message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (got < 0 && errno != EAGAIN) {
    std::perror("sender: the connection is broken");
    std::_Exit(1);
  }
  if (got < 0) return false;
  ++sandbox.sent;
  return true;
}

struct Clients {
  uint64_t answered = 0;
  uint64_t refused = 0;
  Clock::duration slowest{};
};

void ComeAndGo(const std::string& path, Clients& clients) {
  while (!stopping) {
    const auto since = Clock::now();
    const int fd = testing::ConnectSandbox(path);
    clients.slowest = std::max(clients.slowest, Clock::now() - since);
    ++(fd < 0 ? clients.refused : clients.answered);
    if (fd >= 0) close(fd);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

bool SendFamily(int fd) {
  static const std::vector<std::string> kFamily = testing::Family();
  return std::ranges::all_of(
      kFamily, [fd](const std::string& message) { return testing::SendDatagram(fd, message); });
}

int Run(const std::string& path, size_t count, uint64_t per_second) {
  std::vector<Sandbox> sandboxes(count);
  uint64_t sent = 0;
  for (Sandbox& sandbox : sandboxes) {
    sandbox.fd = testing::ConnectSandbox(path);
    if (sandbox.fd < 0) {
      std::fprintf(stderr, "sender: %s does not answer\n", path.c_str());
      return 1;
    }
    if (!SendFamily(sandbox.fd)) return 1;
    sent += testing::Family().size();
  }
  std::printf("connected\n");
  std::fflush(stdout);
  Clients clients;
  std::thread others([&] { ComeAndGo(path, clients); });
  const auto since = Clock::now();
  const uint64_t sent_before = sent;
  uint64_t full = 0;
  for (size_t i = 0; !stopping; i = (i + 1) % count) {
    ++(SendNext(i, sandboxes[i]) ? sent : full);
    const std::chrono::nanoseconds due((sent - sent_before) * 1'000'000'000 / per_second);
    if (Clock::now() - since < due) std::this_thread::sleep_until(since + due);
  }
  others.join();
  std::printf("sent=%lu full=%lu clients=%lu refused=%lu slowest_ms=%ld\n", sent, full,
              clients.answered, clients.refused,
              static_cast<long>(
                  std::chrono::duration_cast<std::chrono::milliseconds>(clients.slowest).count()));
  std::fflush(stdout);
  std::array<char, 64> ignored{};
  while (read(STDIN_FILENO, ignored.data(), ignored.size()) > 0) continue;
  return 0;
}

}  // namespace
}  // namespace gyrfalcon

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: sender SOCKET CONNECTIONS MESSAGES_PER_SECOND\n");
    return 2;
  }
  std::signal(SIGTERM, [](int) { gyrfalcon::stopping = true; });
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return gyrfalcon::Run(argv[1], std::strtoul(argv[2], nullptr, 10),
                        std::strtoul(argv[3], nullptr, 10));
}
