// The memory of all sandboxes' states together. While there is enough, a sandbox may take as much
// as its own limit allows; when there is not, each may keep its equal share, and who has more gives
// up its own.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace gyrfalcon {

// Any thread.
class MemoryBudget {
 public:
  static constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();

  // 0: no bound.
  explicit MemoryBudget(size_t bytes_max) : bytes_max_(bytes_max) {}

  void Join() { sandboxes_.fetch_add(1, std::memory_order_relaxed); }
  void Leave() { sandboxes_.fetch_sub(1, std::memory_order_relaxed); }
  // What a sandbox holds was `before` and is `now`.
  void Note(size_t before, size_t now) {
    held_.fetch_add(static_cast<int64_t>(now) - static_cast<int64_t>(before),
                    std::memory_order_relaxed);
  }

  size_t held_bytes() const {
    return static_cast<size_t>(std::max<int64_t>(0, held_.load(std::memory_order_relaxed)));
  }
  // What a sandbox may hold at this moment.
  size_t ShareNow() const {
    if (bytes_max_ == 0 || held_bytes() < bytes_max_ / 8 * 7) return kUnlimited;
    return bytes_max_ / std::max<size_t>(1, sandboxes_.load(std::memory_order_relaxed));
  }

 private:
  const size_t bytes_max_;
  std::atomic<int64_t> held_ = 0;
  std::atomic<size_t> sandboxes_ = 0;
};

}  // namespace gyrfalcon
