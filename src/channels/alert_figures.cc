#include "channels/alert_figures.h"

#include <algorithm>

namespace gyrfalcon {

void AlertCounts::Note(const Alert& alert, int64_t now_ns) {
  constexpr double kNsPerSecond = 1e9;
  // A sandbox's clock may be ahead of ours.
  const double seconds =
      static_cast<double>(std::max<int64_t>(0, now_ns - alert.time_ns)) / kNsPerSecond;
  const auto above = std::ranges::lower_bound(kLatencyBounds, seconds);
  const std::scoped_lock lock(mutex_);
  ++sums_.latency[static_cast<size_t>(above - kLatencyBounds.begin())];
  sums_.latency_seconds += seconds;
  const bool has_room = rules_.size() < kRulesMax || rules_.contains(alert.rule);
  Count& count = rules_[has_room ? std::string_view(alert.rule) : std::string_view()];
  count.priority = alert.priority;
  ++count.alerts;
}

AlertFigures AlertCounts::figures() const {
  const std::scoped_lock lock(mutex_);
  AlertFigures figures = sums_;
  figures.rules.reserve(rules_.size());
  for (const auto& [rule, count] : rules_) {
    figures.rules.push_back({rule, count.priority, count.alerts});
  }
  std::ranges::sort(figures.rules, {}, &RuleAlerts::rule);
  return figures;
}

}  // namespace gyrfalcon
