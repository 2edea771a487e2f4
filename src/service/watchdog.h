// Says that the pipeline lives as long as each of its threads makes progress. Who is told is
// systemd, which restarts a service that falls silent: a worker or the handshake thread that hangs
// would else keep sandboxes from being heard, or from starting, for ever.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/heartbeat.h"

namespace gyrfalcon {

// Which threads have not come round for a while. Thread-compatible; knows no clock.
class StallWatch {
 public:
  // The heartbeats outlive it.
  StallWatch(std::vector<NamedHeartbeat> threads, int64_t patience_ns, int64_t now_ns);

  // The names of those whose count has stood still for `patience_ns`; empty: all make progress.
  std::vector<std::string> FindStalled(int64_t now_ns);

 private:
  struct Thread {
    NamedHeartbeat heartbeat;
    uint64_t count;
    int64_t since_ns;  // when that count was first seen
  };
  std::vector<Thread> threads_;
  const int64_t patience_ns_;
};

struct WatchdogOptions {
  std::chrono::microseconds interval{};  // the longest silence that is not taken for a stall
  std::vector<NamedHeartbeat> threads;   // that have to make progress; they outlive the watchdog
  std::function<void()> on_alive;        // four times in each interval
  // Once for each stall, with the names; on_alive is not called until it is over.
  std::function<void(const std::vector<std::string>&)> on_stalled;
};

// Looks on a thread of its own, which runs both callbacks. A thread that stands still for half the
// interval is a stall, so whoever waits for on_alive acts one and a half intervals after it at the
// latest.
class Watchdog {
 public:
  explicit Watchdog(WatchdogOptions options);
  ~Watchdog();  // joins
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

 private:
  void Run();

  const WatchdogOptions options_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopped_ = false;  // under mutex_
  std::thread thread_;
};

}  // namespace gyrfalcon
