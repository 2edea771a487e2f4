// How many alerts one rule may raise about one sandbox: a rule that fits too much, or a program
// that does a thing a thousand times a second, must not fill a disk nor keep other alerts waiting.
// What is beyond it is not raised; each window ends with its number. The built-in alerts have a
// budget of their own (engine/builtin_throttle.h).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include <absl/container/flat_hash_map.h>

#include "base/hash.h"
#include "engine/alert_bucket.h"
#include "rules/rule_set.h"

namespace gyrfalcon {

struct AlertBudgetOptions {
  uint64_t burst = 0;       // 0: no budget
  uint64_t per_minute = 0;  // beyond the burst
  bool operator==(const AlertBudgetOptions&) const = default;
};

// The alerts of one rule that were not raised in a window.
struct SuppressedAlerts {
  std::string rule;
  Priority priority{};
  HeldBack held;
};

// Of one sandbox. `now_ns` is a SessionClock's. Nothing is taken from the heap but where a rule
// raises its first alert. Belongs to one worker.
class AlertBudget {
 public:
  // From the first alert that is not raised until their number is told.
  static constexpr int64_t kWindowNs = 60'000'000'000;
  // Rules come from files of the operator's, and others by reloads: far more than are in force.
  static constexpr size_t kRulesMax = 16'384;

  // Whether an alert of the rule may be raised now.
  bool Admit(const AlertBudgetOptions& options, const Rule& rule, int64_t now_ns,
             int64_t event_ns) {
    if (options.burst == 0) return true;
    const uint64_t id = TextHash()(rule.name);
    auto found = rows_.find(id);
    if (found == rows_.end()) {
      if (rows_.size() >= kRulesMax) return true;
      found = rows_.try_emplace(id).first;
      found->second.rule = rule.name;
      found->second.priority = rule.priority;
    }
    Row& row = found->second;
    constexpr int64_t kMinuteNs = 60'000'000'000;
    const int64_t refill_ns =
        options.per_minute == 0 ? 0 : kMinuteNs / static_cast<int64_t>(options.per_minute);
    const bool held_before = row.bucket.holds();
    if (row.bucket.Admit({options.burst, refill_ns}, now_ns, event_ns)) return true;
    if (!held_before) {
      row.due_ns = now_ns + kWindowNs;
      due_ns_ = std::min(due_ns_, row.due_ns);
    }
    return false;
  }
  // Whether TakeDue has something.
  bool is_due(int64_t now_ns) const { return now_ns >= due_ns_; }
  // One whose window is over; with `at_end` whatever is left. nullopt: there is none.
  std::optional<SuppressedAlerts> TakeDue(int64_t now_ns, bool at_end = false) {
    due_ns_ = kNever;
    for (auto& [id, row] : rows_) {
      if (!row.bucket.holds()) continue;
      if (at_end || now_ns >= row.due_ns) {
        due_ns_ = std::min(due_ns_, now_ns);  // there may be another
        return SuppressedAlerts{row.rule, row.priority, row.bucket.Take()};
      }
      due_ns_ = std::min(due_ns_, row.due_ns);
    }
    return std::nullopt;
  }

 private:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  struct Row {
    std::string rule;
    Priority priority{};
    AlertBucket bucket;
    int64_t due_ns = 0;  // where the bucket holds something
  };
  absl::flat_hash_map<uint64_t, Row> rows_;  // by the hash of the rule's name: it outlives a reload
  int64_t due_ns_ = kNever;                  // not after the first
};

}  // namespace gyrfalcon
