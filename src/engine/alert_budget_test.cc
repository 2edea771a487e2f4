#include "engine/alert_budget.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "engine/pipeline.h"
#include "engine/test_kept_alerts.h"
#include "engine/test_replay.h"
#include "points/test_message.h"

namespace gyrfalcon {
namespace {

using testing::kSecond;
using testing::Message;
using testing::Shown;

Rule Named(std::string name) {
  Rule rule;
  rule.name = std::move(name);
  rule.priority = Priority::kCritical;
  return rule;
}

TEST(AlertBudget, BeyondTheBurstARuleIsHeldToItsRate) {
  AlertBudget budget;
  const AlertBudgetOptions options{.burst = 3, .per_minute = 60};
  const Rule rule = Named("r");
  int raised = 0;
  for (int i = 0; i < 10; ++i) raised += budget.Admit(options, rule, 100 * kSecond, i) ? 1 : 0;
  EXPECT_EQ(raised, 3);
  raised = 0;
  for (int i = 0; i < 10; ++i) raised += budget.Admit(options, rule, 102 * kSecond, i) ? 1 : 0;
  EXPECT_EQ(raised, 2) << "one a second";
}

TEST(AlertBudget, EachRuleHasItsOwn) {
  AlertBudget budget;
  const AlertBudgetOptions options{.burst = 1, .per_minute = 0};
  EXPECT_TRUE(budget.Admit(options, Named("a"), 1, 1));
  EXPECT_FALSE(budget.Admit(options, Named("a"), 1, 1));
  EXPECT_TRUE(budget.Admit(options, Named("b"), 1, 1));
}

TEST(AlertBudget, TheWindowsNumberIsToldOnceWithItsTimes) {
  AlertBudget budget;
  const AlertBudgetOptions options{.burst = 1, .per_minute = 0};
  const Rule rule = Named("r");
  for (int i = 0; i < 5; ++i) budget.Admit(options, rule, kSecond, 1000 + i);
  EXPECT_FALSE(budget.is_due(60 * kSecond));
  ASSERT_TRUE(budget.is_due(61 * kSecond));
  const auto told = budget.TakeDue(61 * kSecond);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->rule, "r");
  EXPECT_EQ(told->priority, Priority::kCritical);
  EXPECT_EQ(told->held.count, 4u);
  EXPECT_EQ(told->held.since_ns, 1001);
  EXPECT_EQ(told->held.until_ns, 1004);
  EXPECT_FALSE(budget.TakeDue(61 * kSecond));
  EXPECT_FALSE(budget.is_due(1000 * kSecond));
}

TEST(AlertBudget, WithoutABurstThereIsNone) {
  AlertBudget budget;
  const Rule rule = Named("r");
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(budget.Admit({}, rule, 1, 1));
  EXPECT_FALSE(budget.TakeDue(1, true));
}

constexpr std::string_view kRules = R"(
- rule: opened
  desc: any open
  condition: evt.type = openat
  output: "%fd.name"
  priority: ERROR
)";

class AlertBudgetInPipeline : public ::testing::Test {
 protected:
  void Open(uint64_t connection) { Process(connection, RecordKind::kOpened, {}); }
  void Close(uint64_t connection) { Process(connection, RecordKind::kClosed, {}); }
  void OpenFile(uint64_t connection) {
    const Message message = Message()
                                .Nested(1, Message().Number(2, 1).Text(6, "c"))
                                .Nested(2, Message().Number(1, 3))
                                .Number(3, 257)
                                .Text(6, "/etc/x");
    Process(connection, RecordKind::kFrame, testing::Datagram(MessageType::kOpen, message));
  }
  void Process(uint64_t connection, RecordKind kind, const std::string& datagram) {
    Record record;
    record.kind = kind;
    record.connection = ConnectionId{connection};
    record.receive_time_ns = now_ns_;
    record.frame = testing::AsBytes(datagram);
    pipeline_.Process(record);
  }
  size_t Count(std::string_view rule) const {
    return static_cast<size_t>(std::ranges::count(alerts_, rule, &Alert::rule));
  }
  const Alert& Last() const { return alerts_.back(); }

  static constexpr std::string_view kSuppressed = "gyrfalcon: alerts suppressed";
  int64_t now_ns_ = 1000 * kSecond;
  std::vector<Alert> alerts_;
  testing::KeepAlerts sink_{alerts_};
  Pipeline pipeline_{testing::RulesFromText(std::string(kRules)),
                     {.alert_budget = {.burst = 10, .per_minute = 6}},
                     sink_};
};

TEST_F(AlertBudgetInPipeline, AFloodIsOneAlertAMinuteAndNoOtherSandboxes) {
  Open(1);
  Open(2);
  for (int i = 0; i < 1'000; ++i) OpenFile(1);
  EXPECT_EQ(Count("opened"), 10u);
  OpenFile(2);
  EXPECT_EQ(Count("opened"), 11u) << "the neighbour has its own budget";
  EXPECT_EQ(Count(kSuppressed), 0u);
  now_ns_ += 61 * kSecond;
  pipeline_.TellDue(now_ns_);
  ASSERT_EQ(Count(kSuppressed), 1u);
  EXPECT_EQ(Shown(Last(), "gyrfalcon.suppressed"), "990");
  EXPECT_EQ(Shown(Last(), "gyrfalcon.rule"), "opened");
  EXPECT_EQ(Shown(Last(), "gyrfalcon.rule.priority"), "Error");
  EXPECT_EQ(Shown(Last(), "gyrfalcon.sandbox"), "c");
  EXPECT_EQ(pipeline_.totals().engine[EngineCounter::kAlertsSuppressed], 990u);
  pipeline_.TellDue(now_ns_ + 600 * kSecond);
  EXPECT_EQ(Count(kSuppressed), 1u);
}

TEST_F(AlertBudgetInPipeline, WhatIsLeftIsToldAtTheSandboxsEndAndAtAStop) {
  Open(1);
  Open(2);
  for (int i = 0; i < 15; ++i) OpenFile(1);
  for (int i = 0; i < 12; ++i) OpenFile(2);
  Close(1);
  ASSERT_EQ(Count(kSuppressed), 1u);
  EXPECT_EQ(Shown(Last(), "gyrfalcon.suppressed"), "5");
  pipeline_.TellRest();
  ASSERT_EQ(Count(kSuppressed), 2u);
  EXPECT_EQ(Shown(Last(), "gyrfalcon.suppressed"), "2");
}

TEST_F(AlertBudgetInPipeline, AReloadGivesNoFreshBudget) {
  Open(1);
  for (int i = 0; i < 15; ++i) OpenFile(1);
  pipeline_.SetRules(testing::RulesFromText(std::string(kRules)));
  for (int i = 0; i < 15; ++i) OpenFile(1);
  EXPECT_EQ(Count("opened"), 10u);
}

}  // namespace
}  // namespace gyrfalcon
