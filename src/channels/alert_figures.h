// What alerts are raised, and how soon: for metrics. Rules are named by an administrator's files,
// so their number is bounded here too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "alerts/alert.h"
#include "base/hash.h"

namespace gyrfalcon {

// Upper bounds of the histogram of latencies, in seconds; one more class is above them all.
inline constexpr std::array<double, 15> kLatencyBounds = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30};

struct RuleAlerts {
  std::string rule;  // "": of those beyond AlertCounts::kRulesMax
  Priority priority = Priority::kDebug;
  uint64_t alerts = 0;
};

struct AlertFigures {
  std::vector<RuleAlerts> rules;  // that have raised any, by name
  // From the event, by its own time, to the alert's queue for the outputs; class by class.
  std::array<uint64_t, kLatencyBounds.size() + 1> latency{};
  double latency_seconds = 0;  // all together
};

class AlertCounts {
 public:
  static constexpr size_t kRulesMax = 1'000;

  // Any thread.
  void Note(const Alert& alert, int64_t now_ns);
  AlertFigures figures() const;

 private:
  struct Count {
    Priority priority;  // of the last one
    uint64_t alerts = 0;
  };
  mutable std::mutex mutex_;
  absl::flat_hash_map<std::string, Count, TextHash, TextEqual> rules_;
  AlertFigures sums_;  // without the rules
};

}  // namespace gyrfalcon
