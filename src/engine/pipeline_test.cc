#include "engine/pipeline.h"

#include <algorithm>

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
    record.receive_time_ns = received_ns_;
    record.frame = testing::AsBytes(datagram);
    pipeline_.Process(record);
  }
  void Send(uint64_t connection, uint16_t type, const Message& message, uint32_t dropped = 0) {
    SendRaw(connection, testing::Datagram(type, message, dropped));
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
  int64_t received_ns_ = kReceivedNs;
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
  // The first at once, the others when the connection ends.
  EXPECT_EQ(Rules(), (std::vector<std::string>{"gyrfalcon: events lost", "opened"}));
  EXPECT_EQ(alerts_.back().message, "sh /etc/x");
  const Totals totals = pipeline_.totals();
  EXPECT_EQ(totals.undecodable(), 3u);
  EXPECT_EQ(totals.engine[EngineCounter::kBadFraming], 1u);
  EXPECT_EQ(totals.decode[DecodeError::kWrongWireType], 1u);
  EXPECT_EQ(totals.decode[DecodeError::kMalformed], 1u);
  EXPECT_EQ(totals.decode[DecodeError::kUnknownType], 1u);
  EXPECT_EQ(totals.SummaryJson(),
            R"({"messages":6,"undecodable":3,"unknown_types":1,"dropped":0,"alerts":2})");
  Close(1);
  EXPECT_EQ(alerts_.back().rule, "gyrfalcon: events lost");
  EXPECT_EQ(std::get<uint64_t>(alerts_.back().fields[5].value), 2u);
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

// `trace create --force` for a sandbox that idles: its new connection says nothing for long after
// the end of the old one.
TEST_F(PipelineTest, TheStateOfASandboxThatIdlesWaitsOnItsNewerConnection) {
  Open(1, CommandLine("runsc create --bundle /b c1"));
  Send(1, kStartType, StartMessage("c1"));
  Open(2, CommandLine("runsc --root=/var/run/runsc trace create --force --config x c1"));
  Close(1);
  EXPECT_EQ(Count(EngineCounter::kSandboxesMoved), 1u);
  Open(3, CommandLine("runsc --root=/run/runsc trace create --force --config x c1"));
  Close(2);
  Send(3, kOpenType, OpenMessage(1, "c1"));
  ASSERT_EQ(alerts_.size(), 1u);
  EXPECT_EQ(alerts_[0].message, "sh /etc/x") << "the process was seen on the oldest connection";
  EXPECT_EQ(Count(EngineCounter::kSandboxesMoved), 2u);
}

TEST_F(PipelineTest, AStateThatWaitsIsNotThatOfASandboxThatBegins) {
  Open(1, CommandLine("runsc create --bundle /b c1"));
  Send(1, kStartType, StartMessage("c1"));
  for (const char* words : {"runsc create --bundle /b c1", "runsc restore --image-path /i c1",
                            "runsc --root=/b trace create --config x c1"}) {
    Open(2, CommandLine(words));
  }
  Close(1);
  EXPECT_EQ(Count(EngineCounter::kSandboxesMoved), 0u);
  Open(5, CommandLine("runsc trace create --config x c1"));
  Send(5, kOpenType, OpenMessage(1, "c1"));
  EXPECT_EQ(alerts_.back().message, "<NA> /etc/x");
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
  const std::string datagram = testing::Datagram(kOpenType, OpenMessage(1, "c"));
  record.frame = testing::AsBytes(datagram);
  pipeline_.Process(record);
  EXPECT_EQ(Rules(), std::vector<std::string>{"gyrfalcon: events lost"});
  EXPECT_EQ(Count(EngineCounter::kTruncated), 1u);
}

TEST_F(PipelineTest, AForgedContainerIdTakesNothingFromAnotherSandbox) {
  Open(1, CommandLine("runsc create c9"));
  Send(1, kStartType, StartMessage("c9"));
  Open(2);
  Send(2, kOpenType, OpenMessage(1, "c9"));
  EXPECT_EQ(Count(EngineCounter::kSandboxesMoved), 0u);
  EXPECT_EQ(Rules(), (std::vector<std::string>{"opened"}));
  EXPECT_EQ(alerts_.back().message, "<NA> /etc/x")
      << "the other sandbox's processes are not shown to it";
  received_ns_ += 3'000'000'000;
  Send(2, kOpenType, OpenMessage(1, "c9"));
  EXPECT_EQ(Rules(), (std::vector<std::string>{"opened", std::string(kClaimed), "opened"}));
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
  received_ns_ += 3'000'000'000;
  Send(2, kOpenType, OpenMessage(1, "c1"));
  EXPECT_EQ(alerts_[alerts_.size() - 2].rule, kClaimed) << "by a record of another connection";
}

// `trace create --force` from where its command line can't be read, or for a connection that was
// made so; the end of the older connection is taken up before the newer's messages or after.
TEST_F(IdentityTest, AConnectionOfUnknownPeerThatReplacesAnotherClaimsNothing) {
  Open(1, CommandLine("runsc --root=/r create c1"));
  Send(1, kOpenType, OpenMessage(1, "c1"));
  Open(2);
  Send(2, kOpenType, OpenMessage(1, "c1"));
  Close(1);
  Send(2, kOpenType, OpenMessage(1, "c1"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "c1");
  Open(3, CommandLine("runsc --root=/r trace create --force c1"));
  Send(2, kOpenType, OpenMessage(1, "c1"));  // still in the queue
  Send(3, kOpenType, OpenMessage(1, "c1"));
  Close(2);
  received_ns_ += 10'000'000'000;
  Send(3, kOpenType, OpenMessage(1, "c1"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "c1");
  for (const std::string& rule : Rules()) EXPECT_EQ(rule, "opened");
}

TEST_F(IdentityTest, ASuccessorThatIdlesOrEndsAfterItsPredecessorClaimsNothing) {
  for (const bool ends : {false, true}) {
    Open(1, CommandLine("runsc --root=/r create c1"));
    Send(1, kOpenType, OpenMessage(1, "c1"));
    Open(2);
    Send(2, kOpenType, OpenMessage(1, "c1"));  // before the end of the older is taken up
    Close(1);
    if (!ends) {
      received_ns_ += 3'000'000'000;
      pipeline_.TellDue(received_ns_);
    }
    Close(2);
    for (const std::string& rule : Rules()) EXPECT_EQ(rule, "opened") << ends;
  }
}

TEST_F(IdentityTest, AClaimIsToldInTimeThoughTheHostsClockIsSetBack) {
  Open(1, CommandLine("runsc --root=/r create c1"));
  Send(1, kOpenType, OpenMessage(1, "c1"));
  Open(2);
  Send(2, kOpenType, OpenMessage(1, "c1"));
  received_ns_ -= 900'000'000;
  for (int i = 0; i < 30; ++i) Send(1, kOpenType, OpenMessage(1, "c1"));
  EXPECT_FALSE(std::ranges::count(Rules(), kClaimed) != 0);
  received_ns_ = 1'000;
  for (int second = 0; second < 3; ++second) {
    received_ns_ += 1'000'000'000;
    Send(1, kOpenType, OpenMessage(1, "c1"));
  }
  EXPECT_TRUE(std::ranges::count(Rules(), kClaimed) != 0);
}

TEST_F(IdentityTest, ASandboxThatWasSplitTellsItsLossesNoLaterThanOthers) {
  const auto send = [this](uint32_t dropped) {
    received_ns_ += 1'000'000'000;
    Send(1, kOpenType, OpenMessage(1, "c"), dropped);
  };
  const std::string peer = CommandLine("runsc --root=/r create c");
  Open(1, peer);
  for (int i = 0; i < 3600; ++i) send(i > 3000 ? 5 : 0);
  Open(2, peer);
  Send(2, kOpenType, OpenMessage(1, "c"));
  alerts_.clear();
  constexpr uint32_t kSeconds = 600;
  for (uint32_t i = 0; i < kSeconds; ++i) send(10 + 10 * i);
  const auto lost = std::ranges::count(Rules(), "gyrfalcon: events lost");
  EXPECT_GE(lost, kSeconds * 1'000'000'000 / LossLedger::kQuietNs - 1);
}

TEST_F(IdentityTest, AnUnknownPeerThatClaimsAndIsGoneIsTold) {
  Open(1, CommandLine("runsc --root=/r create c1"));
  Open(2);
  Send(2, kOpenType, OpenMessage(1, "c1"));
  EXPECT_EQ(Rules(), std::vector<std::string>{"opened"});
  Close(2);
  EXPECT_EQ(alerts_.back().rule, kClaimed);
  EXPECT_EQ(testing::FieldText(alerts_.back(), "gyrfalcon.claimed.owner"), "c1@/r");
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

// A hostile sandbox that no runsc names must not be shown, or watched, as the one it lies about.
TEST_F(IdentityTest, ALiarIsNotCalledByTheNameThatItClaims) {
  Open(1, CommandLine("runsc --root=/r create victim"));
  Open(2);
  Send(2, kOpenType, OpenMessage(8, "victim"));
  received_ns_ += 3'000'000'000;
  pipeline_.TellDue(received_ns_);
  ASSERT_EQ(alerts_.back().rule, kClaimed) << "told though no record follows";
  EXPECT_EQ(testing::FieldText(alerts_.back(), "gyrfalcon.sandbox"), "connection 2");
  Send(2, kOpenType, OpenMessage(9, "its-own"));
  Send(2, kOpenType, OpenMessage(8, "victim"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "");
  Close(1);
  Open(3, CommandLine("runsc --root=/r create other"));
  Send(2, kOpenType, OpenMessage(8, "other"));
  EXPECT_EQ(testing::FieldText(alerts_[alerts_.size() - 2], "gyrfalcon.sandbox"), "its-own");
}

TEST_F(IdentityTest, ManyClaimsAreToldInPartAndCountedInFull) {
  Open(1, CommandLine("runsc --root=/r create pod1"));
  for (int i = 0; i < 400; ++i) Send(1, kOpenType, OpenMessage(1, "c" + std::to_string(i)));
  Open(2, CommandLine("runsc --root=/r create pod2"));
  alerts_.clear();
  for (int i = 0; i < 400; ++i) Send(2, kOpenType, OpenMessage(1, "c" + std::to_string(i)));
  EXPECT_EQ(std::ranges::count(Rules(), kClaimed), std::ptrdiff_t{BuiltinThrottle::kBurst});
  EXPECT_EQ(Count(EngineCounter::kAlertsHeldBack), 400u - BuiltinThrottle::kBurst);
  Close(2);
  EXPECT_EQ(alerts_.back().rule, kClaimed);
}

TEST_F(IdentityTest, AttachingAnewGivesNoFreshMeasureOfAlerts) {
  Open(1, CommandLine("runsc --root=/r create pod1"));
  for (int i = 0; i < 200; ++i) Send(1, kOpenType, OpenMessage(1, "c" + std::to_string(i)));
  Open(2, CommandLine("runsc --root=/r create pod2"));
  for (int i = 0; i < 100; ++i) Send(2, kOpenType, OpenMessage(1, "c" + std::to_string(i)));
  Open(3, CommandLine("runsc --root=/r trace create --force pod2"));
  alerts_.clear();
  for (int i = 100; i < 200; ++i) Send(3, kOpenType, OpenMessage(1, "c" + std::to_string(i)));
  EXPECT_EQ(std::ranges::count(Rules(), kClaimed), 0);
}

// Kubernetes: several containers in one sandbox, each restart with a new id.
TEST_F(IdentityTest, AContainerThatIsRestartedInItsPodIsNoLie) {
  Open(1, CommandLine("runsc --root=/r create pod"));
  Send(1, kStartType, StartMessage("pod"));
  for (const char* id : {"app1", "sidecar", "app2", "app3"}) {
    Send(1, kStartType, StartMessage(id));
    Send(1, kOpenType, OpenMessage(7, id));
    EXPECT_EQ(ContainerOf(alerts_.back()), id);
  }
  EXPECT_EQ(Count(EngineCounter::kContainersDisowned), 0u);
}

// docker restart: a new sandbox of the same id, whose first connection may come before the end of
// the old one's is noticed, or after.
TEST_F(IdentityTest, AContainerThatIsStartedAgainUnderItsIdIsNoLie) {
  Open(1, CommandLine("runsc --root=/r create c1"));
  Send(1, kStartType, StartMessage("c1"));
  Send(1, kOpenType, OpenMessage(7, "sub"));
  Open(2, CommandLine("runsc --root=/r create c1"));
  Send(2, kStartType, StartMessage("c1"));
  Close(1);
  Send(2, kOpenType, OpenMessage(7, "sub"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "sub");
  Close(2);
  Open(3, CommandLine("runsc --root=/r run c1"));
  Send(3, kStartType, StartMessage("c1"));
  Send(3, kOpenType, OpenMessage(7, "c1"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "c1");
  EXPECT_EQ(Count(EngineCounter::kContainersDisowned), 0u);
  EXPECT_EQ(Count(EngineCounter::kSandboxesMoved), 0u);
}

// Two sandboxes from one checkpoint, beside the one that it was made of: their processes go by the
// ids that they had. They are refused these, but nobody lies.
TEST_F(IdentityTest, ARestoredSandboxThatGoesByItsOldNameIsRefusedItAndNotAccused) {
  Open(1, CommandLine("runsc --root=/r create original"));
  Send(1, kStartType, StartMessage("original"));
  Open(2, CommandLine("runsc --root=/r restore --image-path /i copy"));
  Send(2, kOpenType, OpenMessage(7, "original"));
  EXPECT_EQ(Rules(), std::vector<std::string>{"opened"});
  EXPECT_EQ(ContainerOf(alerts_.back()), "");
  EXPECT_EQ(Count(EngineCounter::kContainersDisowned), 1u);
  Send(2, kOpenType, OpenMessage(8, "copy"));
  EXPECT_EQ(ContainerOf(alerts_.back()), "copy");
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
  // A dup of no descriptor that succeeds, one into a number that no descriptor has, and a pipe.
  constexpr auto kDupType = static_cast<uint16_t>(MessageType::kDup);
  constexpr auto kPipeType = static_cast<uint16_t>(MessageType::kPipe);
  const auto dup = [&](int64_t from, int64_t to) {
    Send(1, kDupType,
         Message()
             .Nested(1, Message().Number(2, 1))
             .Nested(2, Message().Number(1, to))
             .Number(3, 32)
             .Number(4, from));
  };
  dup(-7, 4);
  EXPECT_EQ(impossible(), 6u);
  Send(1, kOpenType, OpenMessage(1, "c"));
  dup(3, int64_t{1} << 32 | 5);
  EXPECT_EQ(impossible(), 7u);
  Send(1, kPipeType,
       Message()
           .Nested(1, Message().Number(2, 1))
           .Nested(2, Message())
           .Number(3, 22)
           .Number(5, -1)
           .Number(6, -2));
  EXPECT_EQ(impossible(), 9u);
  // A container that starts twice.
  Send(1, kStartType, StartMessage("c"));
  Send(1, kStartType, StartMessage("c"));
  EXPECT_EQ(impossible(), 10u);
  // An exit of a thread that was never seen has a counter of its own.
  constexpr uint16_t kTaskExitType = 5;
  Send(1, kTaskExitType, Message().Nested(1, Message().Number(2, 4711)));
  EXPECT_EQ(pipeline_.totals().state[StateCounter::kUnknownThreadExits], 1u);
  EXPECT_EQ(impossible(), 10u);
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
      {"/usr/bin/runsc run --bundle /b abc", "abc@/run/runsc"},
      {"runsc restore --image-path /i abc", "abc@/run/runsc"},
      {"runsc trace create --force --config /c abc", "abc@/run/runsc"},
      {"runsc --root=/var/run/docker/runtime-runc/moby/ run abc",
       "abc@/run/docker/runtime-runc/moby"},
      {"runsc --root=/run//docker/./runtime-runc/moby trace create abc",
       "abc@/run/docker/runtime-runc/moby"},
      {"runsc --root=r run abc", "abc@r"},
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
