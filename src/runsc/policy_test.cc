#include "runsc/policy.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fields/field.h"
#include "points/syscall_catalog.h"
#include "rules/test_rules.h"

namespace gyrfalcon {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view kRules = R"(
- rule: Opened
  desc: d
  condition: evt.type = openat and fd.name startswith /etc
  output: o
  priority: INFO
- rule: Joined
  desc: d
  condition: evt.type = setns
  output: o
  priority: INFO
- rule: Forked
  desc: d
  condition: evt.type in (clone, fork, vfork)
  output: o
  priority: INFO
- rule: Started
  desc: d
  condition: evt.type = execve and gyrfalcon.exe.sha256 = abc
  output: o
  priority: INFO
)";

VisibilityPolicy Policy(const std::string& text) {
  auto policy = ReadPolicy("p.toml", text);
  EXPECT_TRUE(policy) << (policy ? "" : policy.error().message);
  return policy ? *policy : VisibilityPolicy{};
}

std::string ErrorOf(const std::string& text) {
  const auto policy = ReadPolicy("p.toml", text);
  return policy ? "" : policy.error().message;
}

std::vector<std::string> NamesOf(const std::vector<AskedPoint>& points) {
  std::vector<std::string> out;
  for (const AskedPoint& point : points) out.push_back(point.name);
  return out;
}

const AskedPoint& Find(const std::vector<AskedPoint>& points, std::string_view name) {
  static const AskedPoint none;
  const auto found = std::ranges::find(points, name, &AskedPoint::name);
  EXPECT_NE(found, points.end()) << name;
  return found == points.end() ? none : *found;
}

bool HasField(const AskedPoint& point, std::string_view name) {
  return std::ranges::find(point.fields, name, &AskedField::name) != point.fields.end();
}

// ---- reading

TEST(PolicyReader, ReadsNamesWithTheirPlaces) {
  const VisibilityPolicy policy = Policy(
      "# why\n"
      "intercept_syscalls = true\n"
      "syscall_allowlist = [\n"
      "  \"read\", # a comment in the list\n"
      "  \"openat\", \"read\",\n"
      "  # and one alone\n"
      "]\n");
  EXPECT_TRUE(policy.intercept);
  EXPECT_THAT(policy.warnings, IsEmpty());
  ASSERT_EQ(policy.allowlist.size(), 3U);
  EXPECT_EQ(policy.allowlist[0].name, "read");
  EXPECT_EQ(policy.allowlist[0].line, 4U);
  EXPECT_EQ(policy.allowlist[0].column, 3U);
  EXPECT_EQ(policy.allowlist[2].line, 5U);
  EXPECT_EQ(policy.allowlist[2].column, 13U);
  EXPECT_EQ(FirstOfEach(policy).at("read")->line, 4U);
}

TEST(PolicyReader, CharactersBeyondAsciiAreOneColumnEach) {
  const VisibilityPolicy policy =
      Policy("\xef\xbb\xbf# \xc3\xa9t\xc3\xa9\nsyscall_allowlist = [\"\xca\x8a\", \"read\"]\n");
  ASSERT_EQ(policy.allowlist.size(), 2U);
  EXPECT_EQ(policy.allowlist[0].name, "?");
  EXPECT_EQ(policy.allowlist[1].column, 27U);
}

TEST(PolicyReader, WithoutInterceptTheListMayBeMissing) {
  const VisibilityPolicy policy = Policy("intercept_syscalls = false\n");
  EXPECT_FALSE(policy.intercept);
  EXPECT_THAT(policy.warnings, ElementsAre(AllOf(StartsWith("p.toml:1:22: "), HasSubstr("state"))));
}

TEST(PolicyReader, AnUnknownKeyIsAWarningWithTheNearest) {
  const VisibilityPolicy policy = Policy(
      "syscall_allowlist = [\"read\"]\nintercept_syscals = true\n"
      "[gvisor]\nx = 1\n");
  EXPECT_THAT(policy.warnings, testing::UnorderedElementsAre(
                                   AllOf(StartsWith("p.toml:2:1: unknown key `intercept_syscals`"),
                                         HasSubstr("did you mean `intercept_syscalls`?")),
                                   AllOf(StartsWith("p.toml:3:2: unknown key `gvisor`"),
                                         HasSubstr("syscall_allowlist"))));
}

TEST(PolicyReader, AnUnknownKeyWritesNothingToATerminal) {
  EXPECT_THAT(Policy("syscall_allowlist = [\"read\"]\n\"a\\u001b[31m\" = 1\n").warnings,
              ElementsAre(HasSubstr("`a?[31m`")));
}

TEST(PolicyReader, AnEmptyListIsWarnedOf) {
  EXPECT_THAT(Policy("syscall_allowlist = []\n").warnings,
              ElementsAre(StartsWith("p.toml:1:21: `syscall_allowlist` is empty")));
}

TEST(PolicyReader, BrokenTomlHasItsPlace) {
  EXPECT_THAT(ErrorOf("syscall_allowlist = [\"read\"\n\"write\"]\n"), StartsWith("p.toml:2:"));
  EXPECT_THAT(ErrorOf("syscall_allowlist = [\"read]\n"), StartsWith("p.toml:1:"));
  EXPECT_THAT(ErrorOf("a = 1\nsyscall_allowlist = []\nsyscall_allowlist = []\n"),
              StartsWith("p.toml:3:"));
  EXPECT_THAT(ErrorOf("# \xc3\xa9\n# \xc3\xa9\xff"), StartsWith("p.toml:2:4: not TOML: "));
  EXPECT_THAT(ErrorOf("a = 1\n[\n"), StartsWith("p.toml:2:"));
}

TEST(PolicyReader, WhatIsNoListOfNamesIsAnErrorAtItsPlace) {
  EXPECT_THAT(ErrorOf("syscall_allowlist = \"read\"\n"),
              StartsWith("p.toml:1:21: `syscall_allowlist` is a text; write a list"));
  EXPECT_THAT(ErrorOf("intercept_syscalls = 1\nsyscall_allowlist = []\n"),
              StartsWith("p.toml:1:22: `intercept_syscalls` is a number; write true or false"));
  EXPECT_THAT(ErrorOf("intercept_syscalls = true\n"),
              StartsWith("p.toml:1:1: no `syscall_allowlist`"));
  EXPECT_THAT(ErrorOf("syscall_allowlist = [\"\"]\n"),
              StartsWith("p.toml:1:22: a name of 0 bytes"));
  EXPECT_THAT(ErrorOf("syscall_allowlist = [\"a\\u001bb\"]\n"),
              StartsWith("p.toml:1:22: a name with a control character"));
  // All of them at once.
  EXPECT_EQ(
      ErrorOf("syscall_allowlist = [\"read\", 7,\n  [\"x\"]]\n"),
      "p.toml:1:30: a number in `syscall_allowlist`; write each system call's name in quotes, "
      "as \"openat\"\n"
      "p.toml:2:3: a list in `syscall_allowlist`; write each system call's name in quotes, as "
      "\"openat\"");
}

TEST(PolicyReader, ManyProblemsAreNotAllTold) {
  std::string text = "syscall_allowlist = [";
  for (int i = 0; i < 50; ++i) text += "1,";
  const std::string error = ErrorOf(text + "]");
  EXPECT_EQ(std::ranges::count(error, '\n'), static_cast<std::ptrdiff_t>(kPolicyProblemsMax));
  EXPECT_THAT(error, HasSubstr("and 30 more"));
}

TEST(PolicyReader, AHundredThousandNamesAreRefusedSoon) {
  std::string text = "syscall_allowlist = [\n";
  for (int i = 0; i < 100'000; ++i) text += "\"read\",\n";
  ASSERT_LT(text.size(), kPolicyBytesMax);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(ErrorOf(text + "]\n"), StartsWith("p.toml:10002:1: more than 10000 names"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  text.append(kPolicyBytesMax, ' ');
  EXPECT_THAT(ErrorOf(text), StartsWith("p.toml:1:1: larger than 1048576 bytes"));
}

TEST(PolicyReader, NestingIsBounded) {
  EXPECT_THAT(ErrorOf("a = " + std::string(100'000, '[')), StartsWith("p.toml:1:"));
  std::string dotted = "a";
  for (int i = 0; i < 100'000; ++i) dotted += ".a";
  (void)ErrorOf(dotted + " = 1");
}

// ---- points

class PolicyPoints : public testing::Test {
 protected:
  std::vector<AskedPoint> Points(const std::string& list, bool literal = false,
                                 SessionProfile profile = SessionProfile::kLean) {
    return PointsFor(Policy("syscall_allowlist = [" + list + "]"), *rules_, profile, literal);
  }
  std::shared_ptr<const RuleSet> rules_ = LoadTestRules(std::string(kRules));
};

TEST_F(PolicyPoints, WhatTheStateNeedsIsAlwaysIn) {
  const auto points = Points("");
  EXPECT_THAT(NamesOf(points),
              ElementsAre("container/start", "sentry/clone", "sentry/execve", "sentry/task_exit",
                          "syscall/open/exit", "syscall/openat/exit", "syscall/creat/exit",
                          "syscall/execve/enter", "syscall/execveat/enter"));
  // But not what rules want of those points.
  const AskedPoint& exec = Find(points, "sentry/execve");
  EXPECT_TRUE(HasField(exec, "thread_id"));
  EXPECT_FALSE(HasField(exec, "binary_sha256"));
  for (const AskedPoint& point : points) {
    for (const std::string& reason : point.reasons) EXPECT_TRUE(IsStateReason(reason)) << reason;
  }
}

TEST_F(PolicyPoints, WithoutInterceptItIsTheStateAlone) {
  const auto off =
      PointsFor(Policy("intercept_syscalls = false\nsyscall_allowlist = [\"setns\", \"execve\"]"),
                *rules_, SessionProfile::kLean, true);
  EXPECT_EQ(NamesOf(off), NamesOf(Points("")));
}

TEST_F(PolicyPoints, ANameLetsThroughWhatRulesNeedOfIt) {
  const auto points = Points("\"setns\", \"read\", \"futex\", \"execve\"");
  EXPECT_THAT(NamesOf(points),
              AllOf(Contains("syscall/sysno/308/exit"), Not(Contains("syscall/read/exit")),
                    Not(Contains("syscall/sysno/202/exit")), Not(Contains("syscall/fork/exit"))));
  EXPECT_TRUE(HasField(Find(points, "sentry/execve"), "binary_sha256"));
  EXPECT_THAT(Find(points, "syscall/sysno/308/exit").reasons,
              ElementsAre("policy p.toml:1", "rule \"Joined\""));
}

TEST_F(PolicyPoints, OneNameOfACallWithSeveralIsEnough) {
  EXPECT_THAT(NamesOf(Points("\"fork\"")),
              AllOf(Contains("syscall/clone/exit"), Contains("syscall/vfork/enter")));
}

TEST_F(PolicyPoints, LiterallyItIsEveryPointOfEveryName) {
  const auto points = Points("\"futex\", \"read\", \"mmap\", \"no_such\", \"futex_waitv\"", true);
  EXPECT_THAT(NamesOf(points),
              AllOf(Contains("syscall/read/enter"), Contains("syscall/read/exit"),
                    Contains("syscall/sysno/202/enter"), Contains("syscall/sysno/202/exit"),
                    Contains("sentry/mmap"), Not(Contains("syscall/sysno/449/enter")),
                    Not(Contains("syscall/sysno/308/exit"))));
  const AskedPoint& futex = Find(points, "syscall/sysno/202/exit");
  EXPECT_THAT(futex.reasons, ElementsAre("policy p.toml:1"));
  EXPECT_TRUE(HasField(futex, "thread_id"));
  EXPECT_TRUE(HasField(futex, "container_id"));
}

TEST_F(PolicyPoints, EveryNameThereIsGivesTheSessionWithoutAPolicy) {
  std::string all;
  for (const AskedPoint& point : PointsFor(*rules_, SessionProfile::kStrict)) {
    for (const std::string_view name : SyscallsOfPoint(point.name)) {
      all += fmt::format("\"{}\",", name);
    }
  }
  const auto with = Points(all, false, SessionProfile::kStrict);
  const auto without = PointsFor(*rules_, SessionProfile::kStrict);
  ASSERT_EQ(NamesOf(with), NamesOf(without));
  for (size_t i = 0; i < with.size(); ++i) {
    EXPECT_EQ(with[i].fields.size(), without[i].fields.size()) << with[i].name;
  }
}

TEST(Policy, AKeyOfManyPartsIsRefusedBeforeItIsFollowed) {
  std::string deep = "a";
  for (int i = 0; i < 400'000; ++i) deep += ".a";
  const auto policy = ReadPolicy("p.toml", "x = 1\n" + deep + " = 1\n");
  ASSERT_FALSE(policy);
  EXPECT_TRUE(policy.error().message.starts_with("p.toml:2:1: more than 64 dots"))
      << policy.error().message;
}

TEST(Policy, DotsOfACommentAreNoKeys) {
  const std::string dots(100, '.');
  EXPECT_THAT(Policy("# " + dots + "\nsyscall_allowlist = [\"read\"] # " + dots + "\n").allowlist,
              testing::SizeIs(1));
}

}  // namespace
}  // namespace gyrfalcon
