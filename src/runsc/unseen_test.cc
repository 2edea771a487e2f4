#include "runsc/unseen.h"

#include <gtest/gtest.h>

#include "fields/field.h"
#include "points/test_message.h"
#include "rules/test_rules.h"
#include "runsc/seen_points.h"
#include "runsc/session_points.h"

namespace gyrfalcon {
namespace {

// "sentry/execve+binary_info": what would tell the condition's fields at events of the type.
std::vector<std::string> Unseen(const std::string& condition, std::string_view type,
                                const SentPoints& sent) {
  const auto rules = LoadTestRules(RuleText(condition), {.keep_whole = true});
  std::vector<std::string> out;
  for (const Unsent& each :
       UnsentFor(rules->rules().front().condition, ~FactSet{0}, *FindEventType(type), sent)) {
    out.push_back(each.point + "+" + each.field);
  }
  return out;
}

using Names = std::vector<std::string>;

TEST(Unseen, NamesWhatTellsAFactByItself) {
  const SentPoints bare = {{"sentry/execve", {}}, {"syscall/openat/exit", {}}};
  EXPECT_EQ(Unseen("evt.type = execve and proc.is_exe_upper_layer = true", "execve", bare),
            Names{"sentry/execve+binary_info"});
  EXPECT_EQ(Unseen("evt.type = execve and gyrfalcon.exe.sha256 exists", "execve", bare),
            Names{"sentry/execve+binary_sha256"});
  EXPECT_EQ(Unseen("evt.type = openat and user.uid = 0", "openat", bare),
            Names{"syscall/openat/exit+credentials"});
  EXPECT_EQ(Unseen("evt.type = openat and proc.sid = 1", "openat", bare),
            Names{"syscall/setsid/exit+"});
}

TEST(Unseen, IsNothingWhereOneOfItWasSent) {
  const SentPoints sent = {
      {"sentry/execve", {.context = {"cwd"}, .optional = {"binary_info", "fd_info"}}},
      {"syscall/openat/exit", {.context = {"credentials"}, .optional = {"fd_path"}}}};
  EXPECT_EQ(Unseen("evt.type = execve and proc.is_exe_upper_layer = true", "execve", sent),
            Names());
  EXPECT_EQ(Unseen("evt.type = openat and user.uid = 0 and fd.name = /x", "openat", sent), Names());
  // What each message or the program itself tells, and what gVisor never does.
  EXPECT_EQ(Unseen("evt.type = openat and proc.name = x and proc.pid = 1 and k8s.ns.name = y",
                   "openat", {}),
            Names());
}

TEST(Unseen, OfTheSessionThatIsGeneratedNothing) {
  const std::string condition =
      "evt.type in (execve, openat, connect, dup2) and (proc.tty != 0 or user.uid = 0 or "
      "proc.cwd = /x or fd.name = /x or proc.is_exe_upper_layer = true or proc.stdin.type = pipe "
      "or gyrfalcon.exe.sha1 exists or gyrfalcon.pipe.in.pid exists or proc.env exists)";
  const auto rules = LoadTestRules(RuleText(condition), {.keep_whole = true});
  const SentPoints sent = Sent(PointsFor(*rules, SessionProfile::kStandard));
  for (const char* type : {"execve", "openat", "connect", "dup2"}) {
    EXPECT_EQ(Unseen(condition, type, sent), Names()) << type;
  }
}

TEST(PointsOfAType, AreThoseWhoseMessagesAreItsEvents) {
  EXPECT_EQ(PointsOf(*FindEventType("openat")), Names{"syscall/openat/exit"});
  const Names exec = PointsOf(*FindEventType("execve"));
  EXPECT_EQ(exec, (Names{"sentry/execve", "container/start", "syscall/execve/exit"}));
  if (kHostArch == Arch::kX86_64) {
    EXPECT_EQ(PointsOf(*FindEventType("unlink")),
              (Names{"syscall/sysno/87/enter", "syscall/sysno/87/exit"}));
  }
  EXPECT_EQ(PointsOf(*FindEventType("asyncevent")), Names());
  EXPECT_TRUE(IsSent(*FindEventType("execveat"), {{"sentry/execve", {}}}));
  EXPECT_FALSE(IsSent(*FindEventType("openat"), {{"syscall/openat/enter", {}}}));
}

std::string NamesOf(const SentPoints& seen) {
  std::string out;
  for (const auto& [name, point] : seen) {
    out += name + ":";
    for (const std::string& field : point.context) out += " " + field;
    for (const std::string& field : point.optional) out += " +" + field;
    out += "; ";
  }
  return out;
}

TEST(SeenPoints, AreThePointsAndFieldsThatMessagesHave) {
  using testing::Message;
  const Message context = Message().Number(1, 5).Nested(7, Message().Number(1, 9)).Text(8, "/w");
  // Fields that nested messages have by the same numbers are not the context's.
  const Message exec = Message().Nested(1, context).Text(2, "/bin/sh").Number(5, 0755);
  const Message open =
      Message().Nested(1, Message().Number(2, 3)).Nested(2, Message().Number(2, 2)).Number(3, 257);
  SentPoints seen;
  Event event;
  const auto note = [&](MessageType type, const Message& message) {
    const std::string& bytes = message.bytes();
    ASSERT_TRUE(Decode(static_cast<uint16_t>(type), testing::AsBytes(bytes), event));
    NoteSeen(event, Arch::kX86_64, seen);
  };
  note(MessageType::kSentryExec, exec);
  note(MessageType::kOpen, open);
  note(MessageType::kSentryExec, Message().Nested(1, Message().Number(2, 1)));
  EXPECT_EQ(NamesOf(seen),
            "sentry/execve: credentials cwd thread_id time +binary_info; "
            "syscall/openat/exit: thread_id +fd_path; ");
}

}  // namespace
}  // namespace gyrfalcon
