// What one connection has lost, added up until it is time to tell: an alert for each lost message
// would be a flood of our own, and none would be silence.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

namespace gyrfalcon {

enum class LossKind : uint8_t {
  kDropped,      // the Sentry's drop counter rose
  kTruncated,    // larger than the receive buffer
  kUndecodable,  // arrived, and makes no sense
  kLimit,        // a limit of the state was hit
  kUnasked,      // runsc could not tell of processes whose start no message told
  kUnsaved,      // read by a process of ours that died, and in no state that it left
  kCount,
};

struct LossReport {
  uint64_t counts[static_cast<size_t>(LossKind::kCount)] = {};
  int64_t since_ns = 0;  // the last message before the first loss
  int64_t until_ns = 0;  // the message that showed the last one
  bool exec_too_large = false;

  uint64_t count(LossKind kind) const { return counts[static_cast<size_t>(kind)]; }
};

// What a report shows are the times of the connection's messages, which the sandbox chooses. When
// it is due goes by a SessionClock, which it does not. Belongs to one worker.
class LossLedger {
 public:
  static constexpr int64_t kQuietNs = 10'000'000'000;  // between two reports
  static constexpr int64_t kCauseNs = 1'000'000'000;   // for a cause to show

  void Note(LossKind kind, uint64_t count, int64_t event_ns) {
    if (count == 0) return;
    Open();
    report_.counts[static_cast<size_t>(kind)] += count;
    report_.until_ns = event_ns;
    fresh_ |= kind != LossKind::kLimit && kind != LossKind::kUnasked;
  }
  // Whether messages were lost since the last call.
  bool TakeFresh() { return std::exchange(fresh_, false); }
  // May come after the loss has been told: then it is told again, with its cause.
  void NoteExecTooLarge(int64_t event_ns) {
    Open();
    report_.exec_too_large = true;
    report_.until_ns = event_ns;
  }
  // What is lost may be an exec, whose process will say so soon: the report waits for that.
  void AwaitCause() { awaits_cause_ = open_; }
  void NoteMessage(int64_t event_ns) { last_good_ns_ = event_ns; }
  int64_t last_ns() const { return last_good_ns_; }

  // False: nothing is there to be told, whatever the time.
  bool is_open() const { return open_; }
  // The first loss is due at once, or when its cause has had time to show; later ones when it has
  // been quiet for long enough.
  std::optional<LossReport> TakeDue(int64_t now_ns) {
    if (!open_ || (told_ && now_ns - told_at_ns_ < kQuietNs)) return std::nullopt;
    if (awaits_cause_ && !report_.exec_too_large) {
      if (!awaits_since_ns_) awaits_since_ns_ = now_ns;
      if (now_ns - *awaits_since_ns_ < kCauseNs) return std::nullopt;
    }
    told_ = true;
    told_at_ns_ = now_ns;
    return TakeRest();
  }
  // When the last report was is by the connection's clock: where two exchange theirs, so do they
  // exchange this.
  void SwapTimer(LossLedger& other) {
    std::swap(told_, other.told_);
    std::swap(told_at_ns_, other.told_at_ns_);
  }
  // The connection ends: what is left is told now.
  std::optional<LossReport> TakeRest() {
    if (!std::exchange(open_, false)) return std::nullopt;
    awaits_cause_ = false;
    awaits_since_ns_.reset();
    return report_;
  }

  // As it is saved (state/saved_bytes.h).
  template <class Visit>
  static void VisitFields(Visit& visit, LossLedger& ledger) {
    for (uint64_t& count : ledger.report_.counts) visit("count", count);
    visit("since_ns", ledger.report_.since_ns);
    visit("until_ns", ledger.report_.until_ns);
    visit("exec_too_large", ledger.report_.exec_too_large);
    visit("open", ledger.open_);
    visit("told", ledger.told_);
    visit("fresh", ledger.fresh_);
    visit("awaits_cause", ledger.awaits_cause_);
    visit("awaits_since_ns", ledger.awaits_since_ns_);
    visit("told_at_ns", ledger.told_at_ns_);
    visit("last_good_ns", ledger.last_good_ns_);
  }

 private:
  void Open() {
    if (std::exchange(open_, true)) return;
    report_ = {};
    report_.since_ns = last_good_ns_;
  }

  LossReport report_;
  bool open_ = false;
  bool told_ = false;
  bool fresh_ = false;
  bool awaits_cause_ = false;
  std::optional<int64_t> awaits_since_ns_;
  int64_t told_at_ns_ = 0;
  int64_t last_good_ns_ = 0;
};

}  // namespace gyrfalcon
