// A clock of the test's own: what is left out, when, whose, and what is told of it.
#include "engine/overload.h"

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

constexpr LoadSample kOverloaded{.busy = 0.95, .fill = 0.6};
constexpr LoadSample kCalm{.busy = 0.3, .fill = 0.05};

class OverloadControlTest : public ::testing::Test {
 protected:
  unsigned Tick(const LoadSample& load) {
    now_ns_ += OverloadControl::kTickNs;
    return control_.Note(load, now_ns_);
  }
  // Ticks until it comes down to `step`; how long that took.
  int64_t CalmUntil(unsigned step) {
    const int64_t since_ns = now_ns_;
    while (Tick(kCalm) > step) {
    }
    return now_ns_ - since_ns;
  }

  int64_t now_ns_ = 1000 * kSecond;
  OverloadControl control_{4};
};

TEST_F(OverloadControlTest, RisesAStepATickAndNoFurtherThanTheLast) {
  for (const unsigned step : {1u, 2u, 3u, 4u, 4u}) EXPECT_EQ(Tick(kOverloaded), step);
}

TEST_F(OverloadControlTest, ABusyWorkerWithEmptyQueuesOrAFullQueueOfAnIdleOneIsNotOverloaded) {
  EXPECT_EQ(Tick({.busy = 1, .fill = 0.4}), 0u);
  EXPECT_EQ(Tick({.busy = 0.85, .fill = 1}), 0u);
}

TEST_F(OverloadControlTest, ComesDownAStepForEachWhileOfCalm) {
  for (int i = 0; i < 4; ++i) Tick(kOverloaded);
  EXPECT_GE(CalmUntil(3), OverloadControl::kHoldNs);
  EXPECT_GE(CalmUntil(0), 3 * OverloadControl::kHoldNs);
}

TEST_F(OverloadControlTest, WhatIsBetweenCalmAndOverloadKeepsTheStep) {
  Tick(kOverloaded);
  for (int i = 0; i < 1'000; ++i) EXPECT_EQ(Tick({.busy = 0.85, .fill = 0.3}), 1u);
}

TEST_F(OverloadControlTest, CalmThatDoesNotLastHasToLastLongerTheNextTime) {
  Tick(kOverloaded);
  const int64_t first_ns = CalmUntil(0);
  Tick(kOverloaded);
  const int64_t second_ns = CalmUntil(0);
  EXPECT_GE(second_ns, 2 * first_ns - 2 * OverloadControl::kTickNs);
  for (int i = 0; i < 10; ++i) {
    Tick(kOverloaded);
    CalmUntil(0);
  }
  Tick(kOverloaded);
  const int64_t last_ns = CalmUntil(0);
  EXPECT_LE(last_ns, OverloadControl::kHoldMaxNs + 2 * OverloadControl::kTickNs);
  // A long calm makes it forget.
  now_ns_ += 100 * kSecond;
  Tick(kOverloaded);
  EXPECT_LE(CalmUntil(0), first_ns + OverloadControl::kTickNs);
}

// Nobody needs write; a debug rule read, and a rule of each priority opens.
constexpr std::string_view kRules = R"(
- rule: read
  desc: d
  condition: evt.type = read
  output: x
  priority: DEBUG
- rule: opened info
  desc: d
  condition: evt.type = openat and fd.name startswith /info
  output: x
  priority: INFO
- rule: opened notice
  desc: d
  condition: evt.type = openat and fd.name startswith /notice
  output: x
  priority: NOTICE
- rule: opened warning
  desc: d
  condition: evt.type = openat and fd.name startswith /warning
  output: x
  priority: WARNING
)";

class SheddingTest : public ::testing::Test {
 protected:
  SheddingTest() {
    Open(1);
    OpenFile(1, "/none", 3);
    alerts_.clear();
  }
  void Open(uint64_t connection) { Process(connection, RecordKind::kOpened, {}); }
  void Close(uint64_t connection) { Process(connection, RecordKind::kClosed, {}); }
  void Send(uint64_t connection, MessageType type, const Message& message, uint32_t dropped = 0) {
    Process(connection, RecordKind::kFrame, testing::Datagram(type, message, dropped));
  }
  Message Context() const { return Message().Number(2, 1).Number(4, 1).Text(6, "c"); }
  void OpenFile(uint64_t connection, std::string_view path, int64_t fd) {
    Send(connection, MessageType::kOpen,
         Message()
             .Nested(1, Context())
             .Nested(2, Message().Number(1, fd))
             .Number(3, 257)
             .Text(6, path));
  }
  void Read(uint64_t connection, std::string_view fd_path = {}, uint32_t dropped = 0) {
    Message message;
    message.Nested(1, Context()).Nested(2, Message().Number(1, 1)).Number(3, 0).Number(4, 3);
    if (!fd_path.empty()) message.Text(5, fd_path);
    Send(connection, MessageType::kRead, message, dropped);
  }
  void Write(uint64_t connection) {
    Send(
        connection, MessageType::kWrite,
        Message().Nested(1, Context()).Nested(2, Message().Number(1, 1)).Number(3, 1).Number(4, 3));
  }
  // So many messages of each that nothing but their share of the tick is told.
  void Press(unsigned step) {
    for (int tick = 0; tick < 2; ++tick) {
      for (const auto& [connection, count] : loads_) {
        for (int i = 0; i < count; ++i) {
          Send(connection, MessageType::kChdir, Message().Nested(1, Context()).Number(3, 80));
        }
      }
      pipeline_.SetPressure(step);
    }
  }
  std::vector<std::string> Rules() {
    std::vector<std::string> rules;
    for (const Alert& alert : alerts_) {
      if (!alert.rule.starts_with("gyrfalcon: ")) rules.push_back(alert.rule);
    }
    return rules;
  }
  std::vector<const Alert*> Told() const {
    std::vector<const Alert*> told;
    for (const Alert& alert : alerts_) {
      if (alert.rule == "gyrfalcon: overloaded") told.push_back(&alert);
    }
    return told;
  }
  uint64_t Count(EngineCounter counter) const { return pipeline_.totals().engine[counter]; }

  using Names = std::vector<std::string>;
  int64_t now_ns_ = 1000 * kSecond;
  std::vector<std::pair<uint64_t, int>> loads_ = {{1, 100}};
  std::vector<Alert> alerts_;
  testing::KeepAlerts sink_{alerts_};
  Pipeline pipeline_{
      testing::RulesFromText(std::string(kRules)), {.overload = {.sheds = true}}, sink_};

 private:
  void Process(uint64_t connection, RecordKind kind, const std::string& datagram) {
    now_ns_ += 1'000;
    Record record;
    record.kind = kind;
    record.connection = ConnectionId{connection};
    record.receive_time_ns = now_ns_;
    record.frame = testing::AsBytes(datagram);
    pipeline_.Process(record);
  }
};

TEST_F(SheddingTest, WithoutPressureEverythingIsTakenUp) {
  Write(1);
  Read(1);
  EXPECT_EQ(Rules(), Names{"read"});
  EXPECT_EQ(Count(EngineCounter::kMessagesSkipped), 0u);
}

TEST_F(SheddingTest, FirstGoesWhatNoRuleNeedsThenOnePriorityAfterTheOther) {
  const auto ask_all = [this] {
    alerts_.clear();
    Write(1);
    Read(1);
    OpenFile(1, "/info", 3);
    OpenFile(1, "/notice", 3);
    OpenFile(1, "/warning", 3);
    return Rules();
  };
  Press(1);
  EXPECT_EQ(ask_all(), (Names{"read", "opened info", "opened notice", "opened warning"}));
  EXPECT_EQ(Count(EngineCounter::kMessagesSkipped), 1u) << "the write";
  EXPECT_EQ(Count(EngineCounter::kEventsUnasked), 0u);
  Press(2);
  EXPECT_EQ(ask_all(), (Names{"opened info", "opened notice", "opened warning"}));
  EXPECT_EQ(Count(EngineCounter::kMessagesSkipped), 3u) << "the read, too";
  Press(3);
  EXPECT_EQ(ask_all(), (Names{"opened notice", "opened warning"}));
  EXPECT_EQ(Count(EngineCounter::kEventsUnasked), 3u);
  for (const unsigned step : {4u, 5u, 8u}) {
    Press(step);
    EXPECT_EQ(ask_all(), Names{"opened warning"}) << "warnings are never skipped";
  }
  Press(0);
  EXPECT_EQ(ask_all(), (Names{"read", "opened info", "opened notice", "opened warning"}));
}

TEST_F(SheddingTest, TheStateStaysTrue) {
  Press(8);
  OpenFile(1, "/info/here", 7);
  Press(0);
  Send(1, MessageType::kRead,
       Message().Nested(1, Context()).Nested(2, Message().Number(1, 1)).Number(3, 0).Number(4, 7));
  EXPECT_EQ(pipeline_.totals().state[StateCounter::kImpossible], 0u);
  EXPECT_EQ(Rules().back(), "read");
}

TEST_F(SheddingTest, AMessageThatTellsAPathIsTakenUp) {
  Press(2);
  Read(1, "/etc/passwd");
  EXPECT_EQ(Count(EngineCounter::kMessagesSkipped), 0u);
  Read(1);
  EXPECT_EQ(Count(EngineCounter::kMessagesSkipped), 1u);
}

TEST_F(SheddingTest, AMessageThatTellsOfDropsIsTakenUp) {
  Press(2);
  Read(1, {}, 5);
  EXPECT_EQ(Count(EngineCounter::kMessagesSkipped), 0u);
  EXPECT_EQ(alerts_.back().rule, "gyrfalcon: events lost");
}

TEST_F(SheddingTest, TwinsOfRawMessagesAreNotLeftOut) {
  const Message raw = Message().Nested(1, Context()).Number(4, 0);
  Send(1, MessageType::kRaw, raw);
  Send(1, MessageType::kRead, Message().Nested(1, Context()).Number(3, 0).Number(4, 3));
  Press(8);
  Send(1, MessageType::kRaw, raw);
  Send(1, MessageType::kRead, Message().Nested(1, Context()).Number(3, 0).Number(4, 3));
  Send(1, MessageType::kChdir, Message().Nested(1, Context()).Number(3, 80));
  EXPECT_EQ(Count(EngineCounter::kMessagesSkipped), 0u);
  for (const Alert& alert : alerts_)
    EXPECT_NE(alert.rule, "gyrfalcon: event hidden by invalid UTF-8");
}

TEST_F(SheddingTest, WhoFloodsIsShedBeforeWhoDoesNot) {
  for (uint64_t connection = 2; connection <= 5; ++connection) Open(connection);
  loads_ = {{1, 1'000}, {2, 10}, {3, 10}, {4, 10}, {5, 10}};
  const auto skipped_of = [this](uint64_t connection) {
    const uint64_t before = Count(EngineCounter::kMessagesSkipped);
    Write(connection);
    return Count(EngineCounter::kMessagesSkipped) - before;
  };
  const unsigned rungs = Pipeline::PressureMax({.sheds = true}) / 2;
  for (unsigned step = 1; step <= rungs; ++step) {
    Press(step);
    EXPECT_EQ(skipped_of(1), 1u);
    EXPECT_EQ(skipped_of(2), 0u) << step;
  }
  EXPECT_EQ(Told().size(), rungs) << "of the one that floods";
  EXPECT_EQ(Shown(*Told().front(), "gyrfalcon.floods"), "true");
  // That was not enough, but the others send next to nothing.
  Press(rungs + 1);
  EXPECT_EQ(skipped_of(2), 0u);
  for (auto& [connection, count] : loads_) count = connection == 1 ? 1'000 : 60;
  Press(rungs + 1);
  EXPECT_EQ(skipped_of(2), 1u);
}

TEST_F(SheddingTest, AllThatSendAlikeAreShedAlike) {
  Open(2);
  loads_ = {{1, 100}, {2, 90}};
  Press(1);
  Write(1);
  Write(2);
  EXPECT_EQ(Count(EngineCounter::kMessagesSkipped), 2u);
}

TEST_F(SheddingTest, ToldWhenItBeginsRisesAndEndsWithWhatWasLeftOut) {
  Press(1);
  Write(1);
  Write(1);
  ASSERT_EQ(Told().size(), 1u);
  EXPECT_EQ(Shown(*Told()[0], "gyrfalcon.overload"), "begins");
  EXPECT_EQ(Shown(*Told()[0], "gyrfalcon.skipped.below"), "Debug");
  EXPECT_NE(Shown(*Told()[0], "gyrfalcon.skipped.types").find("Write"), std::string::npos);
  EXPECT_EQ(Shown(*Told()[0], "gyrfalcon.skipped.types").find("Read"), std::string::npos);
  Press(3);
  Read(1);
  OpenFile(1, "/info", 3);
  ASSERT_EQ(Told().size(), 2u);
  EXPECT_EQ(Shown(*Told()[1], "gyrfalcon.overload"), "rises");
  EXPECT_EQ(Shown(*Told()[1], "gyrfalcon.skipped.below"), "Notice");
  Press(0);
  ASSERT_EQ(Told().size(), 3u);
  EXPECT_EQ(Shown(*Told()[2], "gyrfalcon.overload"), "ended");
  EXPECT_EQ(Shown(*Told()[2], "gyrfalcon.skipped.messages"), "3");
  EXPECT_EQ(Shown(*Told()[2], "gyrfalcon.skipped.by_type"), "Read 1, Write 2");
  EXPECT_EQ(Shown(*Told()[2], "gyrfalcon.unasked.by_type"), "Open 1");
  EXPECT_EQ(Count(EngineCounter::kOverloads), 1u);
}

TEST_F(SheddingTest, TheEndOfTheSandboxIsItsEndToo) {
  Press(1);
  Write(1);
  Close(1);
  ASSERT_EQ(Told().size(), 2u);
  EXPECT_EQ(Shown(*Told()[1], "gyrfalcon.overload"), "ended");
}

TEST_F(SheddingTest, ASandboxThatMovesToAnotherWorkerIsPressedThereByThatOne) {
  Press(8);
  const std::vector<uint64_t> connections = {1};
  Pipeline other(testing::RulesFromText(std::string(kRules)), {.overload = {.sheds = true}}, sink_);
  other.Adopt(pipeline_.Release(connections));
  ASSERT_TRUE(other.is_pressed());
  other.SetPressure(0);
  EXPECT_FALSE(other.is_pressed());
  Record record;
  record.connection = ConnectionId{1};
  record.receive_time_ns = now_ns_;
  const std::string datagram = testing::Datagram(
      MessageType::kWrite,
      Message().Nested(1, Context()).Nested(2, Message().Number(1, 1)).Number(3, 1));
  record.frame = testing::AsBytes(datagram);
  other.Process(record);
  EXPECT_EQ(other.totals().engine[EngineCounter::kMessagesSkipped], 0u);
}

TEST(ShedPlan, TheConfigSaysWhichRulesAreNeverSkipped) {
  EXPECT_EQ(ShedPlan::Rungs({.never_skip = Priority::kWarning}), 4);
  EXPECT_EQ(ShedPlan::Rungs({.never_skip = Priority::kDebug}), 1);
  EXPECT_EQ(ShedPlan::Rungs({.never_skip = Priority::kEmergency}), 8);
  EXPECT_EQ(ShedPlan::LeastAt(1), Priority::kDebug);
  EXPECT_EQ(ShedPlan::LeastAt(8), Priority::kEmergency);
  EXPECT_EQ(Pipeline::PressureMax({.sheds = false}), 0u);
}

TEST(ShedPlan, NothingThatChangesTheStateIsEverSkipped) {
  const auto rules = testing::RulesFromText(std::string(kRules));
  const ShedPlan plan(rules->plan(), {});
  for (const MessageType type :
       {MessageType::kContainerStart, MessageType::kSentryClone, MessageType::kSentryExec,
        MessageType::kSentryTaskExit, MessageType::kRaw, MessageType::kOpen, MessageType::kClose,
        MessageType::kConnect, MessageType::kExecve, MessageType::kSocket, MessageType::kChdir,
        MessageType::kSetid, MessageType::kFcntl, MessageType::kDup, MessageType::kClone,
        MessageType::kAccept, MessageType::kBind, MessageType::kPipe}) {
    EXPECT_FALSE(plan.Skips(static_cast<uint16_t>(type), 8)) << static_cast<int>(type);
  }
  EXPECT_FALSE(plan.Skips(60'000, 8));
}

}  // namespace
}  // namespace gyrfalcon
