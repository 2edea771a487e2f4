#include "channels/alert_figures.h"

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

Alert Raised(const std::string& rule, int64_t time_ns = 0) {
  return {.rule = rule,
          .priority = Priority::kWarning,
          .source = "syscall",
          .tags = {},
          .time_ns = time_ns,
          .message = "m",
          .fields = {}};
}

TEST(AlertCounts, CountsByRuleAndByLatency) {
  AlertCounts counts;
  constexpr int64_t kMs = 1'000'000;
  counts.Note(Raised("b", 10 * kMs), 13 * kMs);
  counts.Note(Raised("a", 10 * kMs), 9 * kMs);  // from the future: 0
  counts.Note(Raised("b", 0), 3'600'000 * kMs);
  const AlertFigures figures = counts.figures();
  ASSERT_EQ(figures.rules.size(), 2u);
  EXPECT_EQ(figures.rules[0].rule, "a");
  EXPECT_EQ(figures.rules[1].alerts, 2u);
  EXPECT_EQ(figures.latency.front(), 1u);
  EXPECT_EQ(figures.latency[5], 1u) << "3 ms, of 2.5 to 5";
  EXPECT_EQ(figures.latency.back(), 1u);
  EXPECT_NEAR(figures.latency_seconds, 3600.003, 1e-6);
}

TEST(AlertCounts, RulesBeyondTheBoundAreCountedTogether) {
  AlertCounts counts;
  for (size_t i = 0; i < AlertCounts::kRulesMax + 10; ++i) {
    counts.Note(Raised("rule " + std::to_string(i)), 0);
  }
  const AlertFigures figures = counts.figures();
  EXPECT_EQ(figures.rules.size(), AlertCounts::kRulesMax + 1);
  EXPECT_EQ(figures.rules.front().rule, "");
  EXPECT_EQ(figures.rules.front().alerts, 10u);
}

}  // namespace
}  // namespace gyrfalcon
