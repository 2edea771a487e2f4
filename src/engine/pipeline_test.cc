#include "engine/pipeline.h"

#include <gtest/gtest.h>

#include "engine/sandbox_id.h"
#include "engine/test_replay.h"
#include "points/test_message.h"

namespace gyrfalcon {
namespace {

using testing::Message;

constexpr std::string_view kRule = R"(
- rule: opened
  desc: any open
  condition: evt.type = openat
  output: "%proc.name %fd.name"
  priority: INFO
)";

class PipelineTest : public ::testing::Test, private AlertSink {
 protected:
  void Open(uint64_t connection, std::string command_line = {}) {
    Record record;
    record.kind = RecordKind::kOpened;
    record.connection = ConnectionId{connection};
    record.peer = std::make_shared<const Peer>(Peer{.command_line = std::move(command_line)});
    pipeline_.Process(record);
  }
  void Close(uint64_t connection) {
    Record record;
    record.kind = RecordKind::kClosed;
    record.connection = ConnectionId{connection};
    pipeline_.Process(record);
  }
  void SendRaw(uint64_t connection, const std::string& datagram) {
    Record record;
    record.connection = ConnectionId{connection};
    record.receive_time_ns = kReceivedNs;
    record.frame = FrameRef::Copy(testing::AsBytes(datagram));
    pipeline_.Process(record);
  }
  void Send(uint64_t connection, uint16_t type, const Message& message, uint32_t dropped = 0) {
    std::string datagram = {8, 0, static_cast<char>(type & 0xff), static_cast<char>(type >> 8)};
    for (int shift = 0; shift < 32; shift += 8)
      datagram += static_cast<char>(dropped >> shift & 0xff);
    SendRaw(connection, datagram + message.bytes());
  }
  static Message OpenMessage(int32_t tid, std::string_view container) {
    return Message()
        .Nested(1, Message().Number(2, tid).Text(6, container))
        .Nested(2, Message().Number(1, 3))
        .Number(3, 257)
        .Text(6, "/etc/x");
  }
  static Message StartMessage(std::string_view container) {
    return Message().Nested(1, Message().Number(2, 1)).Text(2, container).Text(4, "/bin/sh");
  }
  uint64_t Count(EngineCounter counter) const { return pipeline_.totals().engine[counter]; }

  std::vector<std::string> Rules() const {
    std::vector<std::string> rules;
    for (const Alert& alert : alerts_) rules.push_back(alert.rule);
    return rules;
  }

  static constexpr int64_t kReceivedNs = 1'000'000'007;
  bool accepts_alerts_ = true;
  std::vector<Alert> alerts_;
  ContainerRegistry containers_;
  Pipeline pipeline_{
      testing::RulesFromText(std::string(kRule)), {.containers = &containers_}, *this};

 private:
  bool OnAlert(Alert alert) override {
    alerts_.push_back(std::move(alert));
    return accepts_alerts_;
  }
};

constexpr std::string_view kClaimed = "gyrfalcon: identity of another sandbox claimed";
constexpr uint16_t kStartType = 1;
constexpr uint16_t kOpenType = 7;

TEST_F(PipelineTest, ABadMessageIsCountedAndTheConnectionLivesOn) {
  Open(1);
  Send(1, kStartType, StartMessage("c"));
  SendRaw(1, "short");
  Send(1, kOpenType, Message().Number(6, 1));     // wrong wire type
  Send(1, kOpenType, Message().Raw("\x32\x7f"));  // length beyond the end
  Send(1, 999, Message());                        // a later gVisor's
  Send(1, kOpenType, OpenMessage(1, "c"));
  EXPECT_EQ(Rules(), (std::vector<std::string>{"opened", "gyrfalcon: events lost"}));
  EXPECT_EQ(alerts_.front().message, "sh /etc/x");
  const Totals totals = pipeline_.totals();
  EXPECT_EQ(totals.undecodable(), 3u);
  EXPECT_EQ(totals.engine[EngineCounter::kBadFraming], 1u);
  EXPECT_EQ(totals.decode[DecodeError::kWrongWireType], 1u);
  EXPECT_EQ(totals.decode[DecodeError::kMalformed], 1u);
  EXPECT_EQ(totals.decode[DecodeError::kUnknownType], 1u);
  EXPECT_EQ(totals.SummaryJson(),
            R"({"messages":6,"undecodable":3,"unknown_types":1,"dropped":0,"alerts":2})");
}

TEST_F(PipelineTest, TheReceiveTimeStandsInForAMissingOne) {
  Open(1);
  Send(1, kOpenType, OpenMessage(1, "c"));
  ASSERT_FALSE(alerts_.empty());
  EXPECT_EQ(alerts_.back().time_ns, 1'000'000'007);
}

TEST_F(PipelineTest, DropsAreCountedAcrossTheCountersWrapAndItsReset) {
  Open(1);
  Send(1, kStartType, StartMessage("c"), 0);
  Send(1, kOpenType, OpenMessage(1, "c"), 5);
  EXPECT_EQ(Count(EngineCounter::kDroppedBySandboxes), 5u);
  Open(2);
  Send(2, kStartType, StartMessage("d"), 0x7fffffff);
  const uint64_t before = Count(EngineCounter::kDroppedBySandboxes);
  Send(2, kOpenType, OpenMessage(1, "d"), 0xfffffffe);
  Send(2, kOpenType, OpenMessage(1, "d"), 2);  // past 2^32
  EXPECT_EQ(Count(EngineCounter::kDroppedBySandboxes) - before, 0x7fffffffu + 4u);
  Send(2, kOpenType, OpenMessage(1, "d"), 0);  // reset: not four thousand million
  EXPECT_EQ(Count(EngineCounter::kDroppedBySandboxes) - before, 0x7fffffffu + 4u);
}

// As the peer's arguments, joined by NUL.
std::string CommandLine(std::string words) {
  std::ranges::replace(words, ' ', '\0');
  return words;
}

TEST_F(PipelineTest, TheStateOfASandboxMovesToItsNewerConnection) {
  Open(1, CommandLine("runsc create --bundle /b c1"));
  Send(1, kStartType, StartMessage("c1"));
  Open(2, CommandLine("runsc trace create --force --config x c1"));
  Send(2, kOpenType, OpenMessage(1, "c1"));
  ASSERT_EQ(alerts_.size(), 1u);
  EXPECT_EQ(alerts_[0].message, "sh /etc/x") << "the process was seen on the older connection";
  EXPECT_EQ(Count(EngineCounter::kSandboxesMoved), 1u);
  Close(1);
  Send(2, kOpenType, OpenMessage(1, "c1"));
  EXPECT_EQ(alerts_.size(), 2u);
}

TEST_F(PipelineTest, AConnectionThatSaysNothingTakesNothing) {
  Open(1, CommandLine("runsc create --bundle /b c1"));
  Send(1, kStartType, StartMessage("c1"));
  // `trace create` without --force: "already exists", but it has connected.
  Open(2, CommandLine("runsc trace create --config x c1"));
  Close(2);
  Send(1, kOpenType, OpenMessage(1, "c1"));
  ASSERT_EQ(alerts_.size(), 1u);
  EXPECT_EQ(alerts_[0].message, "sh /etc/x");
  EXPECT_EQ(Count(EngineCounter::kSandboxesMoved), 0u);
}

TEST_F(PipelineTest, TheSameIdBelowAnotherRootOrBegunAnewIsAnotherSandbox) {
  Open(1, CommandLine("runsc --root=/a create c1"));
  Send(1, kStartType, StartMessage("c1"));
  Open(2, CommandLine("runsc --root=/b trace create c1"));
  Send(2, kOpenType, OpenMessage(1, "c1"));
  Open(3, CommandLine("runsc --root=/a create c1"));
  Send(3, kStartType, StartMessage("c1"));
  Send(1, kOpenType, OpenMessage(1, "c1"));
  EXPECT_EQ(alerts_.back().message, "sh /etc/x");
  EXPECT_EQ(Count(EngineCounter::kSandboxesMoved), 0u);
}

TEST_F(PipelineTest, AConnectionThatSpeaksAfterItsStateMovedIsStillHeard) {
  Open(1, CommandLine("runsc create c1"));
  Send(1, kStartType, StartMessage("c1"));
  Open(2, CommandLine("runsc trace create c1"));
  Send(2, kOpenType, OpenMessage(1, "c1"));
  Send(1, kOpenType, OpenMessage(1, "c1"));
  EXPECT_EQ(alerts_.size(), 2u);
  EXPECT_EQ(Count(EngineCounter::kSandboxesSplit), 1u);
}

TEST_F(PipelineTest, ACutMessageIsCountedAndNotHalfBelieved) {
  Open(1);
  Record record;
  record.connection = ConnectionId{1};
  record.truncated = true;
  const std::string datagram = std::string("\x08\0\x07\0\0\0\0\0", 8) + OpenMessage(1, "c").bytes();
  record.frame = FrameRef::Copy(testing::AsBytes(datagram));
  pipeline_.Process(record);
  EXPECT_TRUE(alerts_.empty());
  EXPECT_EQ(Count(EngineCounter::kTruncated), 1u);
}

TEST_F(PipelineTest, AForgedContainerIdTakesNothingFromAnotherSandbox) {
  Open(1, CommandLine("runsc create c9"));
  Send(1, kStartType, StartMessage("c9"));
  Open(2);
  Send(2, kOpenType, OpenMessage(1, "c9"));
  EXPECT_EQ(Count(EngineCounter::kSandboxesMoved), 0u);
  EXPECT_EQ(Rules(), (std::vector<std::string>{std::string(kClaimed), "opened"}));
  EXPECT_EQ(alerts_.back().message, "<NA> /etc/x")
      << "the other sandbox's processes are not shown to it";
  Send(1, kOpenType, OpenMessage(1, "c9"));
  EXPECT_EQ(alerts_.back().message, "sh /etc/x");
}

std::string ContainerOf(const Alert& alert) {
  return testing::FieldText(alert, "container.id");
}

constexpr std::string_view kContainerRule = R"(
- rule: opened
  desc: any open
  condition: evt.type = openat
  output: "%container.id"
  priority: INFO
)";

class IdentityTest : public PipelineTest {
 protected:
  IdentityTest() { pipeline_.SetRules(testing::RulesFromText(std::string(kContainerRule))); }
};

TEST_F(IdentityTest, AnEventInAnothersNameIsKeptWithoutTheNameAndToldOnce) {
  Open(1, CommandLine("runsc --root=/r create pod1"));
  Send(1, kStartType, StartMessage("pod1"));
  Send(1, kOpenType, OpenMessage(7, "app1"));  // a second container of the pod
  Open(2, CommandLine("runsc --root=/r create pod2"));
  Send(2, kStartType, StartMessage("pod2"));
  alerts_.clear();
  for (int i = 0; i < 3; ++i) Send(2, kOpenType, OpenMessage(8, "app1"));
  EXPECT_EQ(Rules(),
            (std::vector<std::string>{std::string(kClaimed), "opened", "opened", "opened"}));
  EXPECT_EQ(testing::FieldText(alerts_[0], "gyrfalcon.sandbox"), "pod2");
  EXPECT_EQ(testing::FieldText(alerts_[0], "gyrfalcon.claimed.container"), "app1");
  EXPECT_EQ(testing::FieldText(alerts_[0], "gyrfalcon.claimed.owner"), "pod1@/r");
  EXPECT_EQ(ContainerOf(alerts_[1]), "");
  EXPECT_EQ(Count(EngineCounter::kContainersDisowned), 3u);
  Send(1, kOpenType, OpenMessage(7, "app1"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "app1");
  // A start of another's container is no start.
  Send(2, kStartType, StartMessage("pod1"));
  EXPECT_EQ(alerts_.back().rule, kClaimed);
}

TEST_F(IdentityTest, AContainerIsFreeAgainWhenItsSandboxIsGone) {
  Open(1, CommandLine("runsc --root=/r create c1"));
  Open(2);
  Send(2, kOpenType, OpenMessage(8, "c1"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "");
  Close(1);
  Send(2, kOpenType, OpenMessage(9, "c1"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "c1");
}

TEST_F(IdentityTest, RunscsWordGoesBeforeWhatASentrySaidEarlier) {
  Open(1);
  Send(1, kOpenType, OpenMessage(8, "c1"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "c1");
  Open(2, CommandLine("runsc --root=/r create c1"));
  Send(2, kStartType, StartMessage("c1"));
  Send(2, kOpenType, OpenMessage(1, "c1"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "c1");
  Send(1, kOpenType, OpenMessage(9, "c1"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "");
  EXPECT_EQ(alerts_[alerts_.size() - 2].rule, kClaimed);
}

TEST_F(IdentityTest, TwoConnectionsOfOneSandboxAndEqualIdsBelowOtherRootsAreNoLies) {
  Open(1, CommandLine("runsc --root=/r create c1"));
  Send(1, kOpenType, OpenMessage(1, "c1"));
  Open(2, CommandLine("runsc --root=/r trace create --force c1"));
  Send(2, kOpenType, OpenMessage(1, "c1"));
  Close(1);
  Send(2, kOpenType, OpenMessage(1, "c1"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "c1");
  Open(3, CommandLine("runsc --root=/other create c1"));
  Send(3, kOpenType, OpenMessage(1, "c1"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "c1");
  EXPECT_EQ(Count(EngineCounter::kContainersDisowned), 0u);
}

TEST_F(IdentityTest, ConnectionsOfWhomNoRunscTellsAreOneSandboxByTheirFirstContainer) {
  Open(1);
  Send(1, kOpenType, OpenMessage(1, "c"));
  Send(1, kOpenType, OpenMessage(2, "other"));
  Open(2);
  Send(2, kOpenType, OpenMessage(1, "c"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "c");
  EXPECT_EQ(Count(EngineCounter::kContainersDisowned), 0u);
  Open(3);
  Send(3, kOpenType, OpenMessage(1, "d"));
  Send(3, kOpenType, OpenMessage(2, "c"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "");
  Send(3, kOpenType, OpenMessage(2, "other"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "");
}

TEST_F(PipelineTest, MoreContainersThanAreRememberedAreNobodys) {
  Open(1);
  for (int i = 0; i < 1100; ++i) Send(1, kOpenType, OpenMessage(1, "c" + std::to_string(i)));
  EXPECT_EQ(Count(EngineCounter::kContainersDisowned), 1100u - SandboxLimits().containers_max);
}

TEST_F(PipelineTest, ATimeFarFromTheReceivedOneIsMovedToTheBound) {
  constexpr int64_t kSkewNs = 5'000'000'000;
  const auto time_of = [&](int64_t told_ns) {
    Send(1, kOpenType,
         Message()
             .Nested(1, Message().Number(1, told_ns).Number(2, 1).Text(6, "c"))
             .Nested(2, Message().Number(1, 3))
             .Number(3, 257)
             .Text(6, "/etc/x"));
    return alerts_.back().time_ns;
  };
  Open(1);
  EXPECT_EQ(time_of(kReceivedNs + kSkewNs), kReceivedNs + kSkewNs);
  EXPECT_EQ(time_of(kReceivedNs - kSkewNs), kReceivedNs - kSkewNs);
  EXPECT_EQ(Count(EngineCounter::kTimesClamped), 0u);
  EXPECT_EQ(time_of(kReceivedNs + kSkewNs + 1), kReceivedNs + kSkewNs);
  EXPECT_EQ(time_of(INT64_MAX), kReceivedNs + kSkewNs);
  EXPECT_EQ(time_of(INT64_MIN), kReceivedNs - kSkewNs);
  EXPECT_EQ(Count(EngineCounter::kTimesClamped), 3u);
}

TEST_F(PipelineTest, WhatCannotBeIsToleratedAndCounted) {
  constexpr uint16_t kCloneType = 2;
  const auto clone = [&](int64_t tid, int64_t tgid, int64_t start_ns) {
    Send(1, kCloneType,
         Message()
             .Nested(1, Message().Number(2, 1).Number(3, 500).Number(4, 1).Number(5, 500))
             .Number(3, tid)
             .Number(4, tgid)
             .Number(5, start_ns));
  };
  const auto impossible = [&] { return pipeline_.totals().state[StateCounter::kImpossible]; };
  Open(1);
  clone(2, 2, 600);
  EXPECT_EQ(impossible(), 0u);
  clone(-3, 3, 600);  // no such thread id
  clone(0, 0, 600);
  clone(1, 1, 600);  // makes itself
  clone(4, 4, 499);  // older than its parent
  EXPECT_EQ(impossible(), 4u);
  Send(1, kOpenType, OpenMessage(-5, "c"));
  EXPECT_EQ(impossible(), 5u);
  EXPECT_EQ(Rules(), std::vector<std::string>{"opened"});
}

TEST_F(PipelineTest, ASandboxThatIsGoneIsForgotten) {
  Open(1);
  Send(1, kStartType, StartMessage("c"));
  EXPECT_EQ(pipeline_.sandbox_count(), 1u);
  Close(1);
  EXPECT_EQ(pipeline_.sandbox_count(), 0u);
  Send(1, kOpenType, OpenMessage(1, "c"));
  EXPECT_TRUE(alerts_.empty());
  Open(2);
  Send(2, kOpenType, OpenMessage(1, "c"));
  ASSERT_EQ(alerts_.size(), 1u);
  EXPECT_EQ(alerts_[0].message, "<NA> /etc/x") << "its id may come again: that is another sandbox";
}

TEST_F(PipelineTest, NewRulesHoldFromTheNextMessage) {
  Open(1);
  Send(1, kOpenType, OpenMessage(1, "c"));
  pipeline_.SetRules(
      testing::RulesFromText("- rule: none\n  desc: x\n  condition: evt.type = close\n"
                             "  output: x\n  priority: INFO\n"));
  Send(1, kOpenType, OpenMessage(1, "c"));
  EXPECT_EQ(alerts_.size(), 1u);
}

TEST_F(PipelineTest, NewRulesRememberNothingOfTheOld) {
  const auto counting = [] {
    return testing::RulesFromText(
        "- rule: count\n  desc: x\n  condition: evt.type = openat and util.cnt >= 0\n"
        "  output: \"%util.cnt\"\n  priority: INFO\n");
  };
  Open(1);
  auto rules = counting();
  pipeline_.SetRules(rules);
  Send(1, kOpenType, OpenMessage(1, "c"));
  Send(1, kOpenType, OpenMessage(1, "c"));
  pipeline_.SetRules(rules);  // the same addresses, as they may come again after a reload
  Send(1, kOpenType, OpenMessage(1, "c"));
  ASSERT_EQ(alerts_.size(), 3u);
  EXPECT_NE(alerts_[1].message, alerts_[0].message);
  EXPECT_EQ(alerts_[2].message, alerts_[0].message);
}

TEST_F(PipelineTest, AnAlertThatNobodyTakesIsCounted) {
  accepts_alerts_ = false;
  Open(1);
  Send(1, kOpenType, OpenMessage(1, "c"));
  EXPECT_EQ(Count(EngineCounter::kAlertsLost), 1u);
}

struct KeyCase {
  std::string words;
  std::string_view key;
};

TEST(SandboxKey, IsTheLastArgumentOfTheCommandsThatMakeSandboxesWithTheirRoot) {
  const KeyCase kCases[] = {
      {"runsc --root=/r create --bundle /b --pid-file /p abc", "abc@/r"},
      {"runsc -root /r create --bundle /b abc", "abc@/r"},
      {"/usr/bin/runsc run --bundle /b abc", "abc"},
      {"runsc restore --image-path /i abc", "abc"},
      {"runsc trace create --force --config /c abc", "abc"},
      {"runsc trace create", ""},
      {"runsc do run abc", ""},
      {"runsc create --bundle", ""},
      {"runsc create", ""},
      {"", ""},
  };
  for (const KeyCase& c : kCases) {
    const std::string command_line = CommandLine(c.words);
    EXPECT_EQ(SandboxKeyFromCommandLine(command_line), c.key) << c.words;
    EXPECT_EQ(SandboxKeyFromCommandLine(command_line + '\0'), c.key) << c.words;
  }
}

}  // namespace
}  // namespace gyrfalcon
