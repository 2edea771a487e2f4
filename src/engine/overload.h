// Whether a worker can keep up, said before its queues are full. What is then left out is decided
// in steps: engine/shedding.h.
#pragma once

#include <algorithm>
#include <cstdint>

namespace gyrfalcon {

// What a worker has seen since the last time.
struct LoadSample {
  double busy = 0;  // part of the time in which it did not wait for messages, 0 to 1
  double fill = 0;  // of the fullest queue that it found, 0 to 1
};

// A step up with each tick in which the worker is overloaded, one down after a while of calm. Where
// calm does not last, because it was the leaving out that brought it, the next one has to last
// longer. One thread; times are any clock's that only goes forward.
class OverloadControl {
 public:
  // Above what a queue needs to fill (3 ms at the rate of one Sentry), so that a burst is no
  // overload; a few of them until all is left out that may be.
  static constexpr int64_t kTickNs = 50'000'000;
  static constexpr double kBusy = 0.9;  // and
  static constexpr double kFill = 0.5;
  static constexpr double kCalmBusy = 0.75;  // or
  static constexpr double kCalmFill = 0.125;
  static constexpr int64_t kHoldNs = 1'000'000'000;
  static constexpr int64_t kHoldMaxNs = 16'000'000'000;

  explicit OverloadControl(unsigned steps_max) : steps_max_(steps_max) {}

  // The step from now on; 0: nothing is left out.
  unsigned Note(const LoadSample& load, int64_t now_ns) {
    if (load.busy >= kBusy && load.fill >= kFill) {
      Rise(now_ns);
    } else if (step_ != 0 && (load.busy < kCalmBusy || load.fill < kCalmFill)) {
      Calm(now_ns);
    } else {
      is_calm_ = false;
    }
    return step_;
  }
  unsigned step() const { return step_; }

 private:
  void Rise(int64_t now_ns) {
    is_calm_ = false;
    if (step_ >= steps_max_) return;
    if (now_ns - down_ns_ < 2 * hold_ns_ && has_been_down_) {
      hold_ns_ = std::min(2 * hold_ns_, kHoldMaxNs);
      has_been_down_ = false;  // once for each time it came down
    } else if (step_ == 0 && now_ns - down_ns_ >= 2 * kHoldMaxNs) {
      hold_ns_ = kHoldNs;
    }
    ++step_;
  }
  void Calm(int64_t now_ns) {
    if (!is_calm_) {
      is_calm_ = true;
      calm_since_ns_ = now_ns;
      return;
    }
    if (now_ns - calm_since_ns_ < hold_ns_) return;
    --step_;
    down_ns_ = calm_since_ns_ = now_ns;
    has_been_down_ = true;
  }

  const unsigned steps_max_;
  unsigned step_ = 0;
  bool is_calm_ = false;
  bool has_been_down_ = false;
  int64_t calm_since_ns_ = 0;
  int64_t down_ns_ = 0;  // when it last came a step down
  int64_t hold_ns_ = kHoldNs;
};

}  // namespace gyrfalcon
