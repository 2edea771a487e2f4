#include "service/watchdog.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace gyrfalcon {

StallWatch::StallWatch(std::vector<NamedHeartbeat> threads, int64_t patience_ns, int64_t now_ns)
    : patience_ns_(patience_ns) {
  for (NamedHeartbeat& thread : threads) {
    const uint64_t count = thread.heartbeat->count();
    threads_.push_back({std::move(thread), count, now_ns});
  }
}

std::vector<std::string> StallWatch::FindStalled(int64_t now_ns) {
  std::vector<std::string> stalled;
  for (Thread& thread : threads_) {
    const uint64_t count = thread.heartbeat.heartbeat->count();
    if (count != std::exchange(thread.count, count)) {
      thread.since_ns = now_ns;
    } else if (now_ns - thread.since_ns >= patience_ns_) {
      stalled.push_back(thread.heartbeat.name);
    }
  }
  return stalled;
}

Watchdog::Watchdog(WatchdogOptions options)
    : options_(std::move(options)), thread_([this] { Run(); }) {}

Watchdog::~Watchdog() {
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void Watchdog::Run() {
  using std::chrono::nanoseconds;
  // Threads that wait for something to do come round that often only.
  constexpr nanoseconds kPatienceMin = 2 * std::chrono::milliseconds(kHeartbeatIntervalMs);
  const nanoseconds interval = options_.interval;
  const nanoseconds patience = std::max(interval / 2, kPatienceMin);
  StallWatch watch(options_.threads, patience.count(), SteadyNs());
  bool was_stalled = false;
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    lock.unlock();
    const std::vector<std::string> stalled = watch.FindStalled(SteadyNs());
    if (stalled.empty()) {
      options_.on_alive();
    } else if (!was_stalled) {
      options_.on_stalled(stalled);
    }
    was_stalled = !stalled.empty();
    lock.lock();
    stop_.wait_for(lock, interval / 4, [this] { return stopped_; });
  }
}

}  // namespace gyrfalcon
