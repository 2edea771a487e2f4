// What the pipeline says about attempts to get around it, message by message.
#include <gtest/gtest.h>

#include "engine/pipeline.h"
#include "engine/test_replay.h"
#include "points/test_message.h"

namespace gyrfalcon {
namespace {

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

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kSysOpenat = 257;
constexpr int64_t kSysClose = 3;

class SensorTest : public ::testing::Test, private AlertSink {
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

  void Send(MessageType type, const Message& message) {
    const auto number = static_cast<uint16_t>(type);
    std::string datagram = {8, 0, static_cast<char>(number), 0};
    for (int shift = 0; shift < 32; shift += 8) {
      datagram += static_cast<char>(dropped_ >> shift & 0xff);
    }
    Record record;
    record.connection = ConnectionId{1};
    record.frame = FrameRef::Copy(testing::AsBytes(datagram + message.bytes()));
    pipeline_.Process(record);
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
  int64_t now_ns_ = 1'795'335'717 * kSecond;
  std::vector<Alert> alerts_;

 private:
  bool OnAlert(Alert alert) override {
    alerts_.push_back(std::move(alert));
    return true;
  }
  Pipeline pipeline_{testing::RulesFromText(std::string(kRules)), {}, *this};
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
  RawEnter(kSysOpenat);
  RawExit(kSysOpenat, 4);
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
  RawEnter(kSysOpenat);
  RawExit(kSysOpenat, 4);
  Close(4, "/etc/hosts");
  EXPECT_EQ(Rules(), Names{});
}

TEST_F(SensorTest, ATripwireBeforeTheFirstTwinIsJudgedWhenOneComes) {
  RawEnter(kSysOpenat);
  RawExit(kSysOpenat, 4);
  EXPECT_EQ(Rules(), Names{});
  Open("/etc/hosts", 5);
  EXPECT_EQ(Rules(), Names{kHidden});
}

// A hard link whose name is no UTF-8, opened by a program that opens nothing else.
TEST_F(SensorTest, ACallOfWhichNoTwinEverCameIsJudgedAtTheEndByTheTwinsOfOthers) {
  RawEnter(kSysOpenat);
  RawExit(kSysOpenat, 4);
  RawEnter(kSysClose);
  Close(4, "/etc/hosts");
  EXPECT_EQ(Rules(), Names{});
  End();
  EXPECT_EQ(Rules(), Names{kHidden});
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
  RawEnter(kSysOpenat);
  RawExit(kSysOpenat, 4);
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

TEST_F(SensorTest, ALossThatAnUnknownMessageTellsIsNotForgotten) {
  Open("/etc/hosts", 3);
  dropped_ += 4;
  Send(static_cast<MessageType>(99), Message());
  Open("/etc/hosts", 4);
  ASSERT_EQ(Rules(), Names{kLost});
  EXPECT_EQ(std::get<uint64_t>(alerts_.back().fields[3].value), 4u);
}

}  // namespace
}  // namespace gyrfalcon
