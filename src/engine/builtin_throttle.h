// How often one sandbox may raise one built-in alert. A program that races a path can do so ten
// thousand times a second; its alerts must not drown another sandbox's, nor fill a disk. What is
// held back is counted, and told with the next one of its kind, or by itself after a while.
#pragma once

#include <array>
#include <cstdint>

#include "alerts/builtin.h"
#include "engine/alert_bucket.h"

namespace gyrfalcon {

// Belongs to one worker.
class BuiltinThrottle {
 public:
  // More than the whole of any recorded case of honest bytes that are no UTF-8 (77), so that a
  // small attack is told in full.
  static constexpr uint64_t kBurst = 100;
  static constexpr int64_t kRefillNs = 1'000'000'000;  // one token more
  static constexpr int64_t kQuietNs = 10'000'000'000;  // then the held back are told by themselves

  // Whether an alert may be raised now. If not it is held back, and counted.
  bool Admit(Builtin builtin, int64_t now_ns, int64_t event_ns) {
    Row& row = rows_[static_cast<size_t>(builtin)];
    const bool admitted = row.bucket.Admit({kBurst, kRefillNs}, now_ns, event_ns);
    if (admitted) {
      row.told_at_ns = now_ns;
    } else {
      holds_any_ = true;
    }
    return admitted;
  }
  // What is to be told with an alert of the same kind, or instead of it.
  HeldBack Take(Builtin builtin, int64_t now_ns) {
    Row& row = rows_[static_cast<size_t>(builtin)];
    row.told_at_ns = now_ns;
    return row.bucket.Take();
  }
  // Whether something was held back and no alert of its kind has come for `kQuietNs`.
  bool IsDue(Builtin builtin, int64_t now_ns) const {
    const Row& row = rows_[static_cast<size_t>(builtin)];
    return row.bucket.holds() && now_ns - row.told_at_ns >= kQuietNs;
  }
  bool Holds(Builtin builtin) const { return rows_[static_cast<size_t>(builtin)].bucket.holds(); }
  // False: nothing was ever held back, so nothing can be due.
  bool holds_any() const { return holds_any_; }
  // As it is saved (state/saved_bytes.h).
  template <class Visit>
  static void VisitFields(Visit& visit, BuiltinThrottle& throttle) {
    for (Row& row : throttle.rows_) {
      visit("bucket", row.bucket);
      visit("told_at_ns", row.told_at_ns);
    }
    visit("holds_any", throttle.holds_any_);
  }

 private:
  struct Row {
    AlertBucket bucket;
    int64_t told_at_ns = 0;
  };
  std::array<Row, kBuiltinCount> rows_;
  bool holds_any_ = false;
};

}  // namespace gyrfalcon
