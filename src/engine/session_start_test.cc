// Where the shipped rule about sessions from outside sees one begin, message by message.
#include <gtest/gtest.h>

#include "engine/pipeline.h"
#include "engine/test_kept_alerts.h"
#include "engine/test_replay.h"
#include "points/test_message.h"

namespace gyrfalcon {
namespace {

using testing::Message;

constexpr int64_t kSysExecve = 59;

class SessionStart : public ::testing::Test {
 protected:
  SessionStart() {
    Record record;
    record.kind = RecordKind::kOpened;
    record.connection = ConnectionId{1};
    pipeline_.Process(record);
    Send(MessageType::kContainerStart,
         Message().Nested(1, Context(1, "sh")).Text(2, "c").Text(3, "/").Text(4, "/bin/sh"));
  }

  void Send(MessageType type, const Message& message) {
    const std::string datagram = testing::Datagram(type, message, 0);
    Record record;
    record.connection = ConnectionId{1};
    record.frame = testing::AsBytes(datagram);
    pipeline_.Process(record);
  }
  // "": as in most messages of the generated sessions.
  Message Context(int32_t tid, std::string_view name = {}) {
    now_ns_ += 1000;
    Message context;
    context.Number(1, now_ns_).Number(2, tid).Number(4, tid).Text(6, "c");
    if (!name.empty()) context.Text(9, name);
    return context;
  }
  // As 2022's runsc tells an exec: the call, then its success.
  void Exec(int32_t tid, std::string_view name_before, std::string_view path) {
    const std::string argv0(path.substr(path.rfind('/') + 1));
    Send(MessageType::kRaw, Message().Nested(1, Context(tid)).Number(4, kSysExecve));
    Send(MessageType::kExecve, Message()
                                   .Nested(1, Context(tid, name_before))
                                   .Number(3, kSysExecve)
                                   .Text(6, path)
                                   .Text(7, argv0));
    Send(MessageType::kSentryExec, Message().Nested(1, Context(tid)).Text(2, path).Text(3, argv0));
  }
  void Clone(int32_t tid, int32_t child) {
    Send(MessageType::kSentryClone,
         Message().Nested(1, Context(tid)).Number(3, child).Number(4, child));
  }
  size_t Sessions() const {
    size_t count = 0;
    for (const Alert& alert : alerts_) {
      if (alert.rule == "Interactive session in a container") ++count;
    }
    return count;
  }

  int64_t now_ns_ = testing::kSecond;
  std::vector<Alert> alerts_;
  testing::KeepAlerts sink_{alerts_};
  Pipeline pipeline_{testing::LoadRulesForTest(
                         {std::string(GYRFALCON_TEST_DATA) + "/../../rules/gyrfalcon_rules.yaml"}),
                     {},
                     sink_};
};

// `docker exec svc sh -c 'cat /etc/shadow'` with a static shell.
TEST_F(SessionStart, IsSeenWhereTheShellsFirstMessageIsItsExec) {
  Exec(7, "sh", "/bin/cat");
  EXPECT_EQ(Sessions(), 1u);
}

TEST_F(SessionStart, IsSeenWhereTheShellsFirstMessageIsItsFork) {
  Clone(7, 8);
  Exec(8, "sh", "/bin/cat");
  EXPECT_EQ(Sessions(), 1u);
}

TEST_F(SessionStart, IsSeenWhereAnotherProgramBecomesTheShell) {
  Exec(7, "env", "/bin/sh");
  EXPECT_EQ(Sessions(), 1u);
  Exec(7, "sh", "/bin/bash");
  EXPECT_EQ(Sessions(), 1u) << "the same session";
}

TEST_F(SessionStart, IsNotSeenInWhatTheContainerItselfStarts) {
  Clone(1, 7);
  Exec(7, "sh", "/usr/bin/env");
  Exec(7, "env", "/bin/sh");
  Clone(7, 8);
  Send(MessageType::kSentryTaskExit, Message().Nested(1, Context(7)));
  Exec(8, "sh", "/usr/bin/env");
  Exec(8, "env", "/bin/sh");
  Exec(1, "sh", "/usr/bin/env");
  Exec(1, "env", "/bin/sh");
  EXPECT_EQ(Sessions(), 0u);
}

}  // namespace
}  // namespace gyrfalcon
