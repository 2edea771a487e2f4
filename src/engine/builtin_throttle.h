// How often one sandbox may raise one built-in alert. A program that races a path can do so ten
// thousand times a second; its alerts must not drown another sandbox's, nor fill a disk. What is
// held back is counted, and told.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "alerts/builtin.h"

namespace gyrfalcon {

// Alerts that were not raised one by one, since the last that was.
struct HeldBack {
  uint64_t count = 0;
  int64_t since_ns = 0;  // the event of the first of them
  int64_t until_ns = 0;  // and of the last
};

// A bucket of tokens for each built-in. `now_ns` is a SessionClock's; the events' own times are
// only passed on. Belongs to one worker.
class BuiltinThrottle {
 public:
  // More than the whole of any recorded case of honest bytes that are no UTF-8 (77), so that a
  // small attack is told in full.
  static constexpr uint64_t kBurst = 100;
  static constexpr int64_t kRefillNs = 1'000'000'000;  // one token more
  static constexpr int64_t kQuietNs = 10'000'000'000;  // then the held back are told by themselves

  // Whether an alert may be raised now. If not it is held back, and counted.
  bool Admit(Builtin builtin, int64_t now_ns, int64_t event_ns) {
    Bucket& bucket = buckets_[static_cast<size_t>(builtin)];
    const int64_t refilled = (now_ns - bucket.refilled_at_ns) / kRefillNs;
    if (refilled > 0) {
      bucket.tokens = std::min(kBurst, bucket.tokens + static_cast<uint64_t>(refilled));
      bucket.refilled_at_ns += refilled * kRefillNs;
    }
    if (bucket.tokens != 0) {
      --bucket.tokens;
      bucket.told_at_ns = now_ns;
      return true;
    }
    if (bucket.held.count == 0) bucket.held.since_ns = event_ns;
    bucket.held.until_ns = event_ns;
    ++bucket.held.count;
    holds_any_ = true;
    return false;
  }
  // What is to be told with an alert of the same kind, or instead of it.
  HeldBack Take(Builtin builtin, int64_t now_ns) {
    Bucket& bucket = buckets_[static_cast<size_t>(builtin)];
    bucket.told_at_ns = now_ns;
    return std::exchange(bucket.held, {});
  }
  // Whether something was held back and no alert of its kind has come for `kQuietNs`.
  bool IsDue(Builtin builtin, int64_t now_ns) const {
    const Bucket& bucket = buckets_[static_cast<size_t>(builtin)];
    return bucket.held.count != 0 && now_ns - bucket.told_at_ns >= kQuietNs;
  }
  bool Holds(Builtin builtin) const {
    return buckets_[static_cast<size_t>(builtin)].held.count != 0;
  }
  // False: nothing was ever held back, so nothing can be due.
  bool holds_any() const { return holds_any_; }

 private:
  struct Bucket {
    uint64_t tokens = kBurst;
    int64_t refilled_at_ns = 0;
    int64_t told_at_ns = 0;
    HeldBack held;
  };
  std::array<Bucket, kBuiltinCount> buckets_;
  bool holds_any_ = false;
};

}  // namespace gyrfalcon
