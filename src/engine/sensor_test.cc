// What the pipeline says about attempts to get around it, message by message.
#include <algorithm>

#include <gtest/gtest.h>

#include "engine/pipeline.h"
#include "engine/test_kept_alerts.h"
#include "engine/test_replay.h"
#include "points/test_message.h"

namespace gyrfalcon {
namespace {

using testing::kSecond;
using testing::Message;

constexpr std::string_view kRules = R"(
- rule: shadow opened
  desc: by its true path, too
  condition: evt.type in (open, openat) and fd.name = /etc/shadow
  output: "%proc.name opened %fd.name"
  priority: WARNING
- rule: link opened
  desc: by the path as passed
  condition: evt.type in (open, openat) and fd.name startswith /tmp/
  output: "%proc.name opened %fd.name"
  priority: INFO
- rule: started
  desc: any exec
  condition: evt.type = execve
  output: "%proc.name synthetic=%gyrfalcon.proc.synthetic"
  priority: INFO
)";

constexpr int64_t kSysOpenat = 257;
constexpr int64_t kSysClose = 3;

class SensorTest : public ::testing::Test {
 protected:
  SensorTest() {
    Record record;
    record.kind = RecordKind::kOpened;
    record.connection = ConnectionId{1};
    pipeline_.Process(record);
    // A session that has closes.
    Close(77, "/dev/null");
    alerts_.clear();
  }

  void End() {
    Record record;
    record.kind = RecordKind::kClosed;
    record.connection = ConnectionId{1};
    pipeline_.Process(record);
  }

  void Send(MessageType type, const Message& message, bool truncated = false) {
    const std::string datagram = testing::Datagram(type, message, dropped_);
    Record record;
    record.connection = ConnectionId{1};
    record.receive_time_ns = received_ns_;
    record.truncated = truncated;
    record.turn_cut = turn_cut_;
    record.frame = testing::AsBytes(datagram);
    pipeline_.Process(record);
  }
  // A path that changes during the call: one alert.
  void Race() {
    OpenEnter("/etc/hosts");
    OpenExit("/etc/passwd", -1);
  }
  // A raw message with its twin: the connection has pairs.
  void ClosePaired() {
    RawEnter(kSysClose);
    Close(4, "/etc/hosts");
  }
  // Without one.
  void OpenUnpaired() {
    RawEnter(kSysOpenat);
    RawExit(kSysOpenat, 4);
  }
  void OpenNeighbour() {
    Record record;
    record.kind = RecordKind::kOpened;
    record.connection = ConnectionId{2};
    record.receive_time_ns = received_ns_;
    pipeline_.Process(record);
  }
  void Stop() { pipeline_.TellRest(); }
  void Rest() { pipeline_.TellDue(received_ns_); }
  uint64_t Counted(EngineCounter counter) const { return pipeline_.totals().engine[counter]; }
  uint64_t Counted(StateCounter counter) const { return pipeline_.totals().state[counter]; }
  static uint64_t Number(const Alert& alert, std::string_view name) {
    for (const AlertField& field : alert.fields) {
      if (field.name == name && std::holds_alternative<uint64_t>(field.value)) {
        return std::get<uint64_t>(field.value);
      }
    }
    return 0;
  }
  static int64_t TimeOf(const Alert& alert, std::string_view name) {
    const auto field = std::ranges::find(alert.fields, name, &AlertField::name);
    if (field == alert.fields.end()) return 0;
    const auto* time_ns = std::get_if<int64_t>(&field->value);
    return time_ns == nullptr ? 0 : *time_ns;
  }
  uint64_t HeldBackAsTold() const {
    uint64_t sum = 0;
    for (const Alert& alert : alerts_) sum += Number(alert, "gyrfalcon.held_back");
    return sum;
  }

  Message Context(int32_t tid = 1, std::string_view name = "sh") {
    now_ns_ += 1000;
    return Message().Number(1, now_ns_).Number(2, tid).Number(4, tid).Text(6, "c").Text(9, name);
  }
  static Message Exit(int64_t result) { return Message().Number(1, result); }

  void OpenEnter(std::string_view path, int32_t tid = 1) {
    Send(MessageType::kOpen,
         Message().Nested(1, Context(tid)).Number(3, kSysOpenat).Number(4, -100).Text(6, path));
  }
  void OpenExit(std::string_view path, int64_t fd, int32_t tid = 1) {
    Send(MessageType::kOpen, Message()
                                 .Nested(1, Context(tid))
                                 .Nested(2, Exit(fd))
                                 .Number(3, kSysOpenat)
                                 .Number(4, -100)
                                 .Text(6, path));
  }
  void Open(std::string_view path, int64_t fd) {
    OpenEnter(path);
    OpenExit(path, fd);
  }
  void Close(int64_t fd, std::string_view fd_path) {
    Send(MessageType::kClose,
         Message().Nested(1, Context()).Number(3, kSysClose).Number(4, fd).Text(5, fd_path));
    Send(MessageType::kClose,
         Message().Nested(1, Context()).Nested(2, Exit(0)).Number(3, kSysClose).Number(4, fd));
  }
  void RawEnter(int64_t sysno, int32_t tid = 1) {
    Send(MessageType::kRaw, Message().Nested(1, Context(tid)).Number(4, sysno));
  }
  void RawExit(int64_t sysno, int64_t result, int32_t tid = 1) {
    Send(MessageType::kRaw,
         Message().Nested(1, Context(tid)).Nested(2, Exit(result)).Number(4, sysno));
  }

  std::vector<std::string> Rules() const {
    std::vector<std::string> rules;
    for (const Alert& alert : alerts_) {
      if (alert.rule != "started") rules.push_back(alert.rule);
    }
    return rules;
  }

  using Names = std::vector<std::string>;
  uint32_t dropped_ = 0;
  bool turn_cut_ = false;    // of the messages that follow
  int64_t received_ns_ = 0;  // 0: replay
  int64_t now_ns_ = 1'795'335'717 * kSecond;
  std::vector<Alert> alerts_;
  testing::KeepAlerts sink_{alerts_};

 private:
  // Few descriptors, to reach the limit.
  Pipeline pipeline_{
      testing::RulesFromText(std::string(kRules)), {.limits = {.fds_per_process_max = 64}}, sink_};
};

constexpr char kChanged[] = "gyrfalcon: path changed during syscall";
constexpr char kHidden[] = "gyrfalcon: event hidden by invalid UTF-8";
constexpr char kLost[] = "gyrfalcon: events lost";

TEST_F(SensorTest, AnHonestFileRaisesNothingMore) {
  Open("/etc/hosts", 3);
  Close(3, "/etc/hosts");
  EXPECT_EQ(Rules(), Names{});
}

TEST_F(SensorTest, APathThatChangesDuringTheCallIsToldWithBoth) {
  OpenEnter("/etc/hosts");
  OpenExit("/etc/passwd", 3);
  ASSERT_EQ(Rules(), Names{kChanged});
  const Alert& alert = alerts_.front();
  EXPECT_EQ(testing::FieldText(alert, "gyrfalcon.path.enter"), "/etc/hosts");
  EXPECT_EQ(testing::FieldText(alert, "gyrfalcon.path.exit"), "/etc/passwd");
  EXPECT_EQ(testing::FieldText(alert, "evt.type"), "openat");
}

TEST_F(SensorTest, AnotherThreadsEnterIsNotCompared) {
  OpenEnter("/etc/hosts", 1);
  OpenEnter("/etc/passwd", 2);
  OpenExit("/etc/hosts", 3, 1);
  OpenExit("/etc/passwd", 4, 2);
  EXPECT_EQ(Rules(), Names{});
}

TEST_F(SensorTest, AnEnterFromBeforeALossIsNotCompared) {
  OpenEnter("/etc/hosts");
  dropped_ += 2;
  OpenExit("/etc/passwd", 3);
  EXPECT_EQ(Rules(), Names{kLost});
}

TEST_F(SensorTest, ALinkToAWatchedFileFiresByItsTruePathWithBothPaths) {
  Open("/home/link", 3);
  EXPECT_EQ(Rules(), Names{});
  Close(3, "/etc/shadow");
  ASSERT_EQ(Rules(), Names{"shadow opened"});
  EXPECT_EQ(alerts_.front().message,
            "sh opened /etc/shadow | gyrfalcon_path_claimed=/home/link "
            "gyrfalcon_path_true=/etc/shadow");
  EXPECT_EQ(testing::FieldText(alerts_.front(), "gyrfalcon.path.claimed"), "/home/link");
  Close(3, "/etc/shadow");
  EXPECT_EQ(Rules().size(), 1u) << "once";
}

TEST_F(SensorTest, ARuleThatFiredByTheClaimDoesNotFireAgainByTheTruth) {
  Open("/tmp/a", 3);
  Close(3, "/tmp/b");
  EXPECT_EQ(Rules(), Names{"link opened"});
}

TEST_F(SensorTest, AClaimThatRaisedALesserRuleDoesNotShieldTheTruth) {
  Open("/tmp/link", 3);
  Close(3, "/etc/shadow");
  EXPECT_EQ(Rules(), (Names{"link opened", "shadow opened"}));
}

TEST_F(SensorTest, TheAlertOfASecondChanceHasTheOpensTime) {
  Open("/home/link", 3);
  const int64_t opened_ns = now_ns_;
  now_ns_ += 5 * kSecond;
  Close(3, "/etc/shadow");
  ASSERT_EQ(alerts_.size(), 1u);
  EXPECT_EQ(alerts_.front().time_ns, opened_ns);
}

TEST_F(SensorTest, AFileThatWasDeletedMeanwhileIsTheSame) {
  Open("/home/file", 3);
  Close(3, "/home/file (deleted)");
  EXPECT_EQ(Rules(), Names{});
}

TEST_F(SensorTest, AWatchedFileThatIsDeletedBeforeItIsClosedIsStillItself) {
  Open("/home/link", 3);
  Close(3, "/etc/shadow (deleted)");
  EXPECT_EQ(Rules(), Names{"shadow opened"});
}

TEST_F(SensorTest, ATripwireWithItsTwinIsNoSign) {
  Open("/etc/hosts", 3);
  RawEnter(kSysOpenat);
  OpenEnter("/etc/hosts");
  RawExit(kSysOpenat, 4);
  OpenExit("/etc/hosts", 4);
  End();
  EXPECT_EQ(Rules(), Names{});
}

TEST_F(SensorTest, ATripwireWithoutItsTwinIsOneHiddenEvent) {
  Open("/etc/hosts", 3);
  OpenUnpaired();
  Close(4, "/etc/hosts");
  ASSERT_EQ(Rules(), Names{kHidden});
  EXPECT_EQ(testing::FieldText(alerts_.front(), "evt.type"), "openat");
  EXPECT_EQ(testing::FieldText(alerts_.front(), "proc.name"), "sh");
}

TEST_F(SensorTest, AnotherThreadsMessageBetweenTripwireAndTwinIsNoSign) {
  Open("/etc/hosts", 3);
  RawEnter(kSysOpenat, 1);
  OpenEnter("/etc/passwd", 2);
  OpenEnter("/etc/hosts", 1);
  EXPECT_EQ(Rules(), Names{});
}

TEST_F(SensorTest, ATwinThatMayHaveBeenLostIsNoSign) {
  Open("/etc/hosts", 3);
  RawEnter(kSysOpenat);
  dropped_ += 1;
  Close(3, "/etc/hosts");
  EXPECT_EQ(Rules(), Names{kLost});
}

TEST_F(SensorTest, WithoutASchematisedPointARawCallIsNoTripwire) {
  OpenUnpaired();
  Close(4, "/etc/hosts");
  EXPECT_EQ(Rules(), Names{});
}

TEST_F(SensorTest, ATripwireBeforeTheFirstTwinIsJudgedWhenOneComes) {
  OpenUnpaired();
  EXPECT_EQ(Rules(), Names{});
  Open("/etc/hosts", 5);
  EXPECT_EQ(Rules(), Names{kHidden});
}

// A hard link whose name is no UTF-8, opened by a program that opens nothing else.
TEST_F(SensorTest, ACallOfWhichNoTwinEverCameIsJudgedAtTheEndByTheTwinsOfOthers) {
  OpenUnpaired();
  ClosePaired();
  EXPECT_EQ(Rules(), Names{});
  End();
  EXPECT_EQ(Rules(), Names{kHidden});
}

TEST_F(SensorTest, AQuietConnectionIsJudgedAfterASecond) {
  received_ns_ = now_ns_;
  ClosePaired();
  OpenUnpaired();
  received_ns_ += kSecond / 2;
  Rest();
  EXPECT_EQ(Rules(), Names{});
  received_ns_ += kSecond / 2;
  Rest();
  EXPECT_EQ(Rules(), Names{kHidden});
  Rest();
  End();
  EXPECT_EQ(Rules(), Names{kHidden});
}

TEST_F(SensorTest, ANeighbourThatSpeaksOnDoesNotPutTheJudgementOff) {
  received_ns_ = now_ns_;
  ClosePaired();
  OpenUnpaired();
  received_ns_ += 2 * kSecond;
  OpenNeighbour();
  EXPECT_EQ(Rules(), Names{kHidden});
}

TEST_F(SensorTest, AQuietConnectionWithoutPairsIsNotJudged) {
  received_ns_ = now_ns_;
  OpenUnpaired();
  received_ns_ += 60 * kSecond;
  Rest();
  EXPECT_EQ(Rules(), Names{});
}

TEST_F(SensorTest, ACallThatIsAskedForByItsRawPointAloneIsNoAttackForEver) {
  received_ns_ = now_ns_;
  ClosePaired();
  for (int i = 0; i < 20; ++i) {
    OpenUnpaired();
    received_ns_ += 2 * kSecond;
    Rest();
  }
  EXPECT_EQ(Rules(), Names(8, kHidden));
}

TEST_F(SensorTest, AnExitWithoutItsEnterIsAHiddenOne) {
  Open("/etc/hosts", 3);
  OpenExit("/etc/hosts", 4);
  ASSERT_EQ(Rules(), Names{kHidden});
  EXPECT_EQ(testing::FieldText(alerts_.front(), "evt.type"), "openat");
}

TEST_F(SensorTest, AnExitIsNoSignWhereItsEnterMayBeLostOrOlderThanTheConnection) {
  Open("/etc/hosts", 3);
  OpenExit("/etc/hosts", 4, 7);  // the thread's first message: it was in the call already
  EXPECT_EQ(Rules(), Names{});
  dropped_ += 1;
  OpenExit("/etc/hosts", 5);
  EXPECT_EQ(Rules(), Names{kLost});
}

TEST_F(SensorTest, ACallThatItsTripwireHasToldIsNotToldAgainByItsExit) {
  Open("/etc/hosts", 3);
  OpenUnpaired();
  OpenExit("/etc/hosts", 4);
  EXPECT_EQ(Rules(), Names{kHidden});
}

TEST_F(SensorTest, LossesAreToldAtOnceThenTogetherAndNeverNot) {
  Open("/etc/hosts", 3);
  dropped_ += 5;
  Open("/etc/hosts", 4);
  ASSERT_EQ(Rules(), Names{kLost});
  EXPECT_EQ(std::get<uint64_t>(alerts_.back().fields[3].value), 5u);
  dropped_ += 1;
  Open("/etc/hosts", 5);
  dropped_ += 2;
  Open("/etc/hosts", 6);
  EXPECT_EQ(Rules().size(), 1u);
  now_ns_ += 11 * kSecond;
  Open("/etc/hosts", 7);
  ASSERT_EQ(Rules().size(), 2u);
  EXPECT_EQ(std::get<uint64_t>(alerts_.back().fields[3].value), 3u);
  dropped_ += 7;
  Open("/etc/hosts", 8);
  EXPECT_EQ(Rules().size(), 2u);
  End();
  ASSERT_EQ(Rules().size(), 3u);
  EXPECT_EQ(std::get<uint64_t>(alerts_.back().fields[3].value), 7u);
}

TEST_F(SensorTest, ACloneThatChangesItsNameAfterALossHasHadAnExecTooLargeToSend) {
  Open("/etc/hosts", 3);
  Send(MessageType::kSentryClone,
       Message().Nested(1, Context()).Number(2, 9).Number(3, 9).Number(4, now_ns_));
  Send(MessageType::kOpen, Message()
                               .Nested(1, Context(9, "sh").Number(10, 1))
                               .Nested(2, Exit(5))
                               .Number(3, kSysOpenat)
                               .Number(4, -100)
                               .Text(6, "/etc/hosts"));
  alerts_.clear();
  dropped_ += 3;
  Send(MessageType::kOpen, Message()
                               .Nested(1, Context(9, "evil").Number(10, 1))
                               .Nested(2, Exit(6))
                               .Number(3, kSysOpenat)
                               .Number(4, -100)
                               .Text(6, "/etc/hosts"));
  ASSERT_EQ(alerts_.size(), 2u);
  EXPECT_EQ(alerts_.front().message, "evil synthetic=true");
  EXPECT_EQ(alerts_.back().rule, kLost);
  EXPECT_EQ(testing::FieldText(alerts_.back(), "gyrfalcon.lost.cause"), "message too large");
}

TEST_F(SensorTest, ALossAfterACloneWaitsASecondForItsCause) {
  received_ns_ = now_ns_;
  Send(MessageType::kSentryClone,
       Message().Nested(1, Context()).Number(2, 9).Number(3, 9).Number(4, now_ns_));
  Send(MessageType::kClose,
       Message().Nested(1, Context(9, "sh").Number(10, 1)).Number(3, kSysClose));
  dropped_ += 1;
  Open("/etc/hosts", 3);
  EXPECT_EQ(Rules(), Names{});
  received_ns_ += kSecond / 2;
  Send(MessageType::kClose,
       Message().Nested(1, Context(9, "evil").Number(10, 1)).Number(3, kSysClose));
  ASSERT_EQ(Rules(), Names{kLost});
  EXPECT_EQ(testing::FieldText(alerts_.back(), "gyrfalcon.lost.cause"), "message too large");
}

TEST_F(SensorTest, ALossAfterACloneThatNothingExplainsIsToldAfterASecond) {
  received_ns_ = now_ns_;
  Send(MessageType::kSentryClone,
       Message().Nested(1, Context()).Number(2, 9).Number(3, 9).Number(4, now_ns_));
  dropped_ += 1;
  Open("/etc/hosts", 3);
  EXPECT_EQ(Rules(), Names{});
  received_ns_ += kSecond;
  Rest();
  ASSERT_EQ(Rules(), Names{kLost});
  EXPECT_EQ(testing::FieldText(alerts_.back(), "gyrfalcon.lost.cause"), "queue full");
}

TEST_F(SensorTest, AStopTellsWhatIsHeldBackOfThoseThatLiveOn) {
  received_ns_ = now_ns_;
  dropped_ += 1;
  Open("/etc/hosts", 3);
  dropped_ += 2;
  Open("/etc/hosts", 4);
  for (int i = 0; i < 150; ++i) Race();
  EXPECT_EQ(std::ranges::count(Rules(), kLost), 1);
  EXPECT_EQ(HeldBackAsTold(), 0u);
  Stop();
  EXPECT_EQ(std::ranges::count(Rules(), kLost), 2);
  EXPECT_EQ(HeldBackAsTold(), 50u);
  const size_t told = alerts_.size();
  End();
  EXPECT_EQ(alerts_.size(), told) << "not twice";
}

TEST_F(SensorTest, ALossThatAnUnknownMessageTellsIsNotForgotten) {
  Open("/etc/hosts", 3);
  dropped_ += 4;
  Send(static_cast<MessageType>(99), Message());
  Open("/etc/hosts", 4);
  ASSERT_EQ(Rules(), Names{kLost});
  EXPECT_EQ(std::get<uint64_t>(alerts_.back().fields[3].value), 4u);
}

// ---- how often

TEST_F(SensorTest, AFloodOfOneBuiltinIsToldInPartAndCountedInFull) {
  constexpr uint64_t kRaces = 5000;
  for (uint64_t i = 0; i < kRaces; ++i) Race();  // all within a tenth of a second
  EXPECT_EQ(alerts_.size(), BuiltinThrottle::kBurst);
  EXPECT_EQ(Counted(EngineCounter::kAlertsHeldBack), kRaces - BuiltinThrottle::kBurst);
  EXPECT_EQ(Counted(StateCounter::kPathsChanged), kRaces);
  Open("/etc/hosts", 3);
  OpenExit("/etc/hosts", 4);
  EXPECT_EQ(Rules().back(), kHidden) << "each built-in has its own measure";
  End();
  const Alert& last = alerts_.back();
  EXPECT_EQ(last.rule, kChanged);
  EXPECT_EQ(Number(last, "gyrfalcon.held_back"), kRaces - BuiltinThrottle::kBurst);
  EXPECT_EQ(testing::FieldText(last, "gyrfalcon.sandbox"), "c");
}

TEST_F(SensorTest, AFloodThatGoesOnIsToldOnceASecondWithWhatWasHeldBack) {
  received_ns_ = now_ns_;
  for (int i = 0; i < 200; ++i) Race();
  alerts_.clear();
  received_ns_ += kSecond;
  for (int i = 0; i < 50; ++i) Race();
  ASSERT_EQ(Rules(), Names{kChanged});
  EXPECT_EQ(Number(alerts_.back(), "gyrfalcon.held_back"), 100u);
  received_ns_ += kSecond;
  Race();
  EXPECT_EQ(Number(alerts_.back(), "gyrfalcon.held_back"), 49u);
}

TEST_F(SensorTest, ASandboxThatIsAheadOfUsForManyTurnsIsAFloodToldOnce) {
  received_ns_ = now_ns_;
  turn_cut_ = true;
  for (uint32_t i = 0; i < EventFlood::kTurnsMax - 1; ++i) OpenExit("/etc/hosts", -1);
  EXPECT_EQ(Rules(), Names{});
  received_ns_ += kSecond / 2;
  for (int i = 0; i < 1000; ++i) OpenExit("/etc/hosts", -1);
  ASSERT_EQ(Rules(), Names{"gyrfalcon: event flood"});
  EXPECT_EQ(testing::FieldText(alerts_.back(), "gyrfalcon.sandbox"), "c");
  EXPECT_EQ(Number(alerts_.back(), "gyrfalcon.messages"), EventFlood::kTurnsMax - 1);
  EXPECT_EQ(alerts_.back().time_ns, received_ns_) << "by the host's clock";
  EXPECT_EQ(TimeOf(alerts_.back(), "gyrfalcon.messages.until"), received_ns_);
  EXPECT_EQ(TimeOf(alerts_.back(), "gyrfalcon.messages.since"), received_ns_ - kSecond / 2);
  EXPECT_EQ(Counted(EngineCounter::kEventFloods), 1u);
  received_ns_ += 30 * kSecond;
  for (int i = 0; i < 1000; ++i) OpenExit("/etc/hosts", -1);
  EXPECT_EQ(Rules().size(), 1u) << "it is the same one still";
  received_ns_ += 61 * kSecond;
  for (int i = 0; i < 1000; ++i) OpenExit("/etc/hosts", -1);
  EXPECT_EQ(Rules().size(), 2u);
}

TEST_F(SensorTest, AQueueThatIsFullNowAndThenIsNoFlood) {
  received_ns_ = now_ns_;
  for (int i = 0; i < 1000; ++i) {
    turn_cut_ = i % 2 == 0;
    OpenExit("/etc/hosts", -1);
    received_ns_ += kSecond / 100;
  }
  EXPECT_EQ(Rules(), Names{});
}

TEST_F(SensorTest, TheTimesThatASandboxTellsBuyItNoAlerts) {
  received_ns_ = now_ns_;
  for (int i = 0; i < 500; ++i) {
    now_ns_ = received_ns_ + (i % 2 == 0 ? 4 : -4) * kSecond;
    Race();
  }
  EXPECT_EQ(alerts_.size(), BuiltinThrottle::kBurst);
}

TEST_F(SensorTest, InReplayOnlyTheHighestTimeCounts) {
  const int64_t begin_ns = now_ns_;
  for (int i = 0; i < 500; ++i) {
    now_ns_ = begin_ns + (i % 2 == 0 ? 5 : 0) * kSecond;
    Race();
  }
  EXPECT_LE(alerts_.size(), BuiltinThrottle::kBurst + 5);
}

TEST_F(SensorTest, WhatWasHeldBackIsToldWhenTheFloodIsOverAndWithoutAnyMoreMessages) {
  received_ns_ = now_ns_;
  for (int i = 0; i < 150; ++i) Race();
  alerts_.clear();
  received_ns_ += 9 * kSecond;
  Rest();
  EXPECT_EQ(Rules(), Names{});
  received_ns_ += kSecond;
  Rest();
  ASSERT_EQ(Rules(), Names{kChanged});
  EXPECT_EQ(HeldBackAsTold(), 50u);
  received_ns_ += 20 * kSecond;
  Rest();
  End();
  EXPECT_EQ(alerts_.size(), 1u) << "once";
}

TEST_F(SensorTest, TheTimesThatASandboxTellsBringNoLossReportForward) {
  received_ns_ = now_ns_;
  for (int i = 0; i < 100; ++i) {
    now_ns_ = received_ns_ + (i % 2 == 0 ? 4 : -4) * kSecond;
    ++dropped_;
    Open("/etc/hosts", 3);
  }
  EXPECT_EQ(Rules(), Names{kLost});
  received_ns_ += 10 * kSecond;
  Rest();
  ASSERT_EQ(Rules(), (Names{kLost, kLost}));
  EXPECT_EQ(Number(alerts_.back(), "gyrfalcon.lost.dropped"), 99u);
}

TEST_F(SensorTest, AHostClockThatIsSetBackSilencesNothing) {
  received_ns_ = now_ns_;
  ++dropped_;
  Open("/etc/hosts", 3);
  received_ns_ -= 3600 * kSecond;
  ++dropped_;
  Open("/etc/hosts", 3);
  EXPECT_EQ(Rules(), Names{kLost});
  received_ns_ += 10 * kSecond;
  Open("/etc/hosts", 3);
  EXPECT_EQ(Rules(), (Names{kLost, kLost}));
}

// ---- losses of every kind

TEST_F(SensorTest, WhatCannotBeReadIsToldAtOnceEvenIfNothingElseComes) {
  received_ns_ = now_ns_;
  Send(MessageType::kOpen, Message().Raw("\x32\x7f"));
  ASSERT_EQ(Rules(), Names{kLost});
  EXPECT_EQ(testing::FieldText(alerts_.back(), "gyrfalcon.lost.cause"), "undecodable");
  EXPECT_EQ(Number(alerts_.back(), "gyrfalcon.lost.undecodable"), 1u);
}

TEST_F(SensorTest, ACutMessageIsToldWithItsTimes) {
  Open("/etc/hosts", 3);
  const int64_t before_ns = now_ns_;
  Send(MessageType::kOpen, Message(), true);
  ASSERT_EQ(Rules(), Names{kLost});
  EXPECT_EQ(testing::FieldText(alerts_.back(), "gyrfalcon.lost.cause"),
            "larger than the receive buffer");
  EXPECT_EQ(Number(alerts_.back(), "gyrfalcon.lost.truncated"), 1u);
  EXPECT_EQ(alerts_.back().time_ns, before_ns) << "in replay nothing is received at any time";
}

TEST_F(SensorTest, ADropCountThatAnotherThreadOvertookIsNoReset) {
  Open("/etc/hosts", 3);
  dropped_ = 7;
  Open("/etc/hosts", 3);
  dropped_ = 6;
  Open("/etc/hosts", 3);
  dropped_ = 7;
  Open("/etc/hosts", 3);
  EXPECT_EQ(Counted(EngineCounter::kDroppedBySandboxes), 7u);
}

TEST_F(SensorTest, WhatWasDroppedSinceAResetCounts) {
  dropped_ = 1000;
  Open("/etc/hosts", 3);
  dropped_ = 5;
  Open("/etc/hosts", 3);
  EXPECT_EQ(Counted(EngineCounter::kDroppedBySandboxes), 1005u);
}

TEST_F(SensorTest, ALimitThatOnlyCostsDetailsIsToldOnce) {
  for (int round = 0; round < 3; ++round) {
    for (int64_t fd = 3; fd < 503; ++fd) Open("/etc/hosts", fd);
    now_ns_ += 20 * kSecond;
  }
  End();
  ASSERT_EQ(Rules(), Names{kLost});
  EXPECT_EQ(testing::FieldText(alerts_.back(), "gyrfalcon.lost.cause"), "limit of the state");
}

// ---- who opened

class SecondChanceTest : public SensorTest {
 protected:
  static constexpr int32_t kChild = 9;
  void Fork() {
    Send(MessageType::kSentryClone,
         Message().Nested(1, Context(1)).Number(3, kChild).Number(4, kChild));
  }
  void Exec(int32_t tid, std::string_view path) {
    Send(MessageType::kSentryExec,
         Message().Nested(1, Context(tid)).Text(2, path).Text(3, path).Text(17, path));
  }
  void CloseOf(int32_t tid, std::string_view name) {
    Send(MessageType::kClose, Message()
                                  .Nested(1, Context(tid, name))
                                  .Number(3, kSysClose)
                                  .Number(4, 3)
                                  .Text(5, "/etc/shadow"));
  }
};

TEST_F(SecondChanceTest, ShowsTheProgramThatOpenedAndNotTheOneThatItBecame) {
  Exec(1, "/bin/thief");
  Send(MessageType::kOpen, Message()
                               .Nested(1, Context(1, "thief"))
                               .Nested(2, Exit(3))
                               .Number(3, kSysOpenat)
                               .Number(4, -100)
                               .Text(6, "/home/link"));
  Exec(1, "/bin/true");
  alerts_.clear();
  CloseOf(1, "true");
  ASSERT_EQ(Rules(), Names{"shadow opened"});
  EXPECT_TRUE(alerts_.front().message.starts_with("thief opened /etc/shadow"))
      << alerts_.front().message;
}

TEST_F(SecondChanceTest, ShowsTheOpenerWhereAChildClosesAfterItIsGone) {
  Open("/home/link", 3);
  Fork();
  Exec(kChild, "/bin/true");
  Send(MessageType::kSentryTaskExit, Message().Nested(1, Context()));
  alerts_.clear();
  CloseOf(kChild, "true");
  ASSERT_EQ(Rules(), Names{"shadow opened"});
  EXPECT_TRUE(alerts_.front().message.starts_with("sh opened /etc/shadow"))
      << alerts_.front().message;
}

}  // namespace
}  // namespace gyrfalcon
