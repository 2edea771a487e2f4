// How many alerts of one kind may be raised: a bucket of tokens. What is held back is counted, so
// that it can be told.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

namespace gyrfalcon {

// Alerts that were not raised one by one, since the last that was told.
struct HeldBack {
  uint64_t count = 0;
  int64_t since_ns = 0;  // the event of the first of them
  int64_t until_ns = 0;  // and of the last
};

struct BucketSize {
  uint64_t burst = 0;
  int64_t refill_ns = 0;  // one token more; 0: never
};

// Each call has the same size. `now_ns` is a SessionClock's; the events' own times are only passed
// on. Belongs to one worker.
class AlertBucket {
 public:
  // Whether an alert may be raised now. If not it is held back, and counted.
  bool Admit(BucketSize size, int64_t now_ns, int64_t event_ns) {
    const int64_t refilled = size.refill_ns == 0 ? 0 : (now_ns - refilled_at_ns_) / size.refill_ns;
    if (refilled > 0) {
      used_ -= std::min(used_, static_cast<uint64_t>(refilled));
      refilled_at_ns_ += refilled * size.refill_ns;
    }
    if (used_ < size.burst) {
      ++used_;
      return true;
    }
    if (held_.count == 0) held_.since_ns = event_ns;
    held_.until_ns = event_ns;
    ++held_.count;
    return false;
  }
  HeldBack Take() { return std::exchange(held_, {}); }
  bool holds() const { return held_.count != 0; }
  // As it is saved (state/saved_bytes.h).
  template <class Visit>
  static void VisitFields(Visit& visit, AlertBucket& bucket) {
    visit("used", bucket.used_);
    visit("refilled_at_ns", bucket.refilled_at_ns_);
    visit("held", bucket.held_.count);
    visit("held_since_ns", bucket.held_.since_ns);
    visit("held_until_ns", bucket.held_.until_ns);
  }

 private:
  uint64_t used_ = 0;
  int64_t refilled_at_ns_ = 0;
  HeldBack held_;
};

}  // namespace gyrfalcon
