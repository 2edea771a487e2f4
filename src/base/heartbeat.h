// A thread's sign of life: how often it has come round. Whoever watches it takes a count that does
// not change for a while as a stall, so the thread must not wait longer than kHeartbeatIntervalMs
// in one piece, whether it has something to do or not.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace gyrfalcon {

inline constexpr int kHeartbeatIntervalMs = 500;

// On a cache line of its own: it is written for each message, and looked at from elsewhere.
class alignas(64) Heartbeat {
 public:
  // By its one thread. Not an atomic addition: nobody else writes.
  void Beat() noexcept {
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  uint64_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> count_ = 0;
};

struct NamedHeartbeat {
  std::string name;  // of the thread, for a person: "worker 1"
  const Heartbeat* heartbeat;
};

}  // namespace gyrfalcon
