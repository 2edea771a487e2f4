// Whether a sandbox makes processes faster than honest work does: many that live at once, all
// forked a moment ago, and none has run a program of its own. A build's processes run programs, and
// those of a script's $(...) end one after another: recorded ones have at most 16 such at once,
// however many hundred they make in a second (docs/threat-model.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

namespace gyrfalcon {

// Belongs to one sandbox. Times are those of its messages.
class ForkFlood {
 public:
  static constexpr size_t kProcesses = 250;
  static constexpr int64_t kWindowNs = 5'000'000'000;
  static constexpr size_t kRemembered = 4096;  // forks, whatever became of them

  // A process was forked. True where it makes a flood; not again before fewer than half are left.
  bool Note(int32_t tgid, int64_t now_ns) {
    DropOld(now_ns);
    idle_[tgid] = now_ns;
    order_.emplace_back(now_ns, tgid);
    return idle_.size() >= kProcesses && !std::exchange(told_, true);
  }
  // It runs a program of its own, or has ended.
  void Settle(int32_t tgid) {
    if (idle_.erase(tgid) == 0) return;
    if (idle_.size() < kProcesses / 2) told_ = false;
  }
  void Clear() { *this = {}; }

  size_t count() const { return idle_.size(); }
  // As it is saved (state/saved_bytes.h).
  template <class Visit>
  static void VisitFields(Visit& visit, ForkFlood& flood) {
    std::vector<std::pair<int32_t, int64_t>> idle(flood.idle_.begin(), flood.idle_.end());
    flood.order_.erase(flood.order_.begin(),
                       flood.order_.begin() + static_cast<std::ptrdiff_t>(flood.first_));
    flood.first_ = 0;
    visit("idle", idle, 2 * kRemembered);
    visit("order", flood.order_, 2 * kRemembered);
    visit("told", flood.told_);
    flood.idle_ = {idle.begin(), idle.end()};
  }
  // The oldest that counts; 0: there is none.
  int64_t since_ns() const { return first_ == order_.size() ? 0 : order_[first_].first; }

 private:
  void DropOld(int64_t now_ns) {
    while (first_ < order_.size()) {
      const auto [time_ns, tgid] = order_[first_];
      const auto found = idle_.find(tgid);
      const bool counts = found != idle_.end() && found->second == time_ns;
      if (counts && now_ns - time_ns <= kWindowNs && order_.size() - first_ < kRemembered) break;
      if (counts) Settle(tgid);
      ++first_;
    }
    if (first_ < order_.size() / 2) return;
    order_.erase(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }

  absl::flat_hash_map<int32_t, int64_t> idle_;  // when each that counts was forked
  // Oldest first, from `first_`; settled ones between. Unlike a deque it takes nothing from the
  // heap once it has grown.
  std::vector<std::pair<int64_t, int32_t>> order_;
  size_t first_ = 0;
  bool told_ = false;
};

}  // namespace gyrfalcon
