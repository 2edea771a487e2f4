#include "runsc/policy_check.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "rules/test_rules.h"
#include "runsc/session.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

VisibilityPolicy Policy(const std::string& path, const std::string& text) {
  auto policy = ReadPolicy(path, text);
  EXPECT_TRUE(policy) << (policy ? "" : policy.error().message);
  return policy ? *policy : VisibilityPolicy{};
}

std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

Json CheckJson(const std::string& list, Arch arch = Arch::kX86_64) {
  const auto policy = Policy("p.toml", "syscall_allowlist = [\n" + list + "\n]\n");
  return Json::parse(PolicyCheckJson(CheckPolicy(policy, arch)));
}

TEST(PolicyCheck, UnknownNamesHavePlaceAndTheNameThatIsMeant) {
  const Json json = CheckJson("\"mkfifo\",\n  \"opneat\", \"read\"");
  EXPECT_EQ(json["unknown"],
            Json::parse(R"([{"name":"mkfifo","line":2,"column":1,"nearest":"mknod"},
                            {"name":"opneat","line":3,"column":3,"nearest":"openat"}])"));
}

TEST(PolicyCheck, RepeatsHaveBothLines) {
  const Json json = CheckJson("\"read\",\n\"write\", \"read\",\n\"read\"");
  EXPECT_EQ(json["entries"], 4);
  EXPECT_EQ(json["names"], 2);
  EXPECT_EQ(json["duplicates"],
            Json::parse(R"([{"name":"read","line":2,"column":1,"repeated_in_lines":[3,4]}])"));
}

TEST(PolicyCheck, WhatGVisorDoesNotImplementSaysWhereThatIsKnownFrom) {
  const Json json = CheckJson("\"perf_event_open\", \"openat2\", \"io_uring_setup\", \"openat\"");
  ASSERT_EQ(json["not_implemented"].size(), 3U);
  EXPECT_EQ(json["not_implemented"][0]["name"], "perf_event_open");
  EXPECT_EQ(json["not_implemented"][0]["never"], true);
  EXPECT_THAT(json["not_implemented"][0]["source"], HasSubstr("0.0~20221219"));
  EXPECT_EQ(json["not_implemented"][1]["never"], false);
  EXPECT_THAT(json["not_implemented"][1]["why"], HasSubstr("2022"));
}

TEST(PolicyCheck, EachNameHasItsPointsAndWhatARawOneCannotTell) {
  const Json json = CheckJson("\"fork\", \"rename\", \"futex\", \"futex_waitv\"");
  EXPECT_EQ(json["points"][0]["points"],
            Json::parse(R"(["syscall/fork/enter","syscall/fork/exit","sentry/clone"])"));
  EXPECT_EQ(json["points"][0]["raw"], false);
  EXPECT_EQ(json["points"][1]["points"],
            Json::parse(R"(["syscall/sysno/82/enter","syscall/sysno/82/exit"])"));
  EXPECT_EQ(json["points"][1]["raw"], true);
  EXPECT_EQ(json["points"][1]["not_told"], "the path");
  EXPECT_EQ(json["points"][1]["hot"], false);
  EXPECT_EQ(json["points"][2]["hot"], true);
  EXPECT_THAT(json["points"][3]["points"], IsEmpty());
}

TEST(PolicyCheck, ANameOfTheOtherArchitectureIsNotUnknown) {
  const Json json = CheckJson("\"open\", \"openat\"", Arch::kAarch64);
  EXPECT_THAT(json["unknown"], IsEmpty());
  EXPECT_EQ(json["other_architecture"], Json::parse(R"([{"name":"open","line":2,"column":1}])"));
  const auto policy = Policy("p.toml", "syscall_allowlist = [\"open\"]");
  EXPECT_THAT(PolicyCheckText(CheckPolicy(policy, Arch::kAarch64)),
              HasSubstr("p.toml:1:22: `open` is a system call of x86_64 only; on aarch64 nothing"));
  EXPECT_THAT(PolicyCheckText(CheckPolicy(policy, Arch::kX86_64)), Not(HasSubstr("aarch64")));
}

// The tutorial's list. Its numbers were counted with a shell's means from the file and the kernel's
// unistd_64.h; tests/program/policy_test.sh does so for a list of our own.
TEST(PolicyCheck, TheTutorialsList) {
  const std::string path = GYRFALCON_SHARED "/spec/seed-policy.toml";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no ../shared/spec/seed-policy.toml";
  const VisibilityPolicy policy = Policy("seed-policy.toml", TextOf(path));
  EXPECT_THAT(policy.warnings, IsEmpty());
  const PolicyCheck check = CheckPolicy(policy, Arch::kX86_64);
  EXPECT_EQ(check.entries, 318U);
  EXPECT_EQ(check.names.size(), 181U);
  EXPECT_EQ(check.repeats(), 137U);
  EXPECT_EQ(check.unknown(), 15U);
  const Json json = Json::parse(PolicyCheckJson(check));
  EXPECT_EQ(json["duplicates"].size(), 134U);
  std::vector<std::string> unknown;
  for (const auto& row : json["unknown"]) unknown.push_back(row["name"]);
  EXPECT_THAT(unknown, testing::UnorderedElementsAre("epoll_wait2", "eventfd_read", "eventfd_write",
                                                     "io_uring_unregister", "mkfifo", "mq_receive",
                                                     "mq_send", "sched_exit", "sigaction",
                                                     "sigpending", "sigprocmask", "sigqueueinfo",
                                                     "sigreturn", "sigsuspend", "sigtimedwait"));
  for (const auto& row : json["unknown"]) EXPECT_NE(row["nearest"], "") << row;
  EXPECT_EQ(json["unknown"][0],
            Json::parse(R"({"name":"mkfifo","line":87,"column":3,"nearest":"mknod"})"));
}

TEST(PolicySuggest, IsTheSmallestThatGivesTheSameSession) {
  const auto rules = LoadTestRules(TextOf(GYRFALCON_TEST_DATA "/../../rules/gyrfalcon_rules.yaml"));
  for (const auto profile :
       {SessionProfile::kLean, SessionProfile::kStandard, SessionProfile::kStrict}) {
    const auto policy = Policy("s.toml", SuggestPolicy(*rules, profile));
    EXPECT_EQ(CheckPolicy(policy).unknown(), 0U);
    const SessionOptions options{.socket_path = "/s", .profile = profile};
    const std::string without = GenerateSession(options, *rules);
    const auto session = [&](const VisibilityPolicy& narrow) {
      return GenerateSession(options, PointsFor(narrow, *rules, profile, false));
    };
    EXPECT_EQ(session(policy), without);
    for (size_t i = 0; i < policy.allowlist.size(); ++i) {
      VisibilityPolicy smaller = policy;
      smaller.allowlist.erase(smaller.allowlist.begin() + static_cast<std::ptrdiff_t>(i));
      EXPECT_NE(session(smaller), without) << policy.allowlist[i].name;
    }
  }
}

TEST(PolicySuggest, FalcosRulesToo) {
  const std::filesystem::path folder = GYRFALCON_SHARED "/falco-rules";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no ../shared/falco-rules";
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") files.emplace_back(entry.path(), TextOf(entry.path()));
  }
  std::ranges::sort(files);
  const auto rules = LoadTestRules(files);
  for (const auto profile :
       {SessionProfile::kLean, SessionProfile::kStandard, SessionProfile::kStrict}) {
    const auto policy = Policy("s.toml", SuggestPolicy(*rules, profile));
    const SessionOptions options{.socket_path = "/s", .profile = profile};
    EXPECT_EQ(GenerateSession(options, PointsFor(policy, *rules, profile, false)),
              GenerateSession(options, *rules));
  }
}

TEST(PolicySuggest, NamesTheRulesInComments) {
  const std::string text = SuggestPolicy(
      *LoadTestRules(RuleText("evt.type = setns", "o", "Joined")), SessionProfile::kLean);
  EXPECT_THAT(text, HasSubstr("  # rules: \"Joined\"\n  \"setns\",\n"));
  EXPECT_THAT(text, Not(HasSubstr("\"openat\"")));
}

TEST(PolicySuggest, ARulesNameStaysInItsComment) {
  const std::string text =
      SuggestPolicy(*LoadTestRules(RuleText("evt.type = setns and proc.name = x and user.name = y",
                                            "o", "\"a\\n]\\nx \\\" y\"")),
                    SessionProfile::kLean);
  EXPECT_THAT(text, HasSubstr(R"(# rules: "a\n]\nx \" y")"));
  ASSERT_EQ(Policy("s.toml", text).allowlist.size(), 1U) << text;
}

TEST(PolicyDiff, SaysNamesPointsFieldsAndMessages) {
  const auto rules = LoadTestRules(
      "- rule: a\n  desc: d\n  condition: evt.type in (setns, close) and "
      "gyrfalcon.exe.sha256 = x\n  output: o\n  priority: INFO\n");
  const auto a = Policy("a.toml", "syscall_allowlist = [\"setns\", \"read\", \"execve\"]");
  const auto b = Policy("b.toml", "syscall_allowlist = [\"close\", \"read\"]");
  const auto points_a = PointsFor(a, *rules, SessionProfile::kLean, false);
  const auto points_b = PointsFor(b, *rules, SessionProfile::kLean, false);
  const Json json = Json::parse(PolicyDiffJson({a, points_a}, {b, points_b}));
  EXPECT_EQ(json["names_only_in_a"], Json::parse(R"(["execve","setns"])"));
  EXPECT_EQ(json["names_only_in_b"], Json::parse(R"(["close"])"));
  EXPECT_EQ(json["points_only_in_a"],
            Json::parse(R"(["syscall/sysno/308/enter","syscall/sysno/308/exit"])"));
  EXPECT_EQ(json["points_only_in_b"], Json::parse(R"(["syscall/close/exit"])"));
  EXPECT_EQ(json["other_fields"][0]["point"], "sentry/execve");
  EXPECT_THAT(json["other_fields"][0]["only_in_a"], testing::Contains("binary_sha256"));
  EXPECT_EQ(json["messages"], Json::parse(R"([{"syscall":"close","a":0,"b":1,"hot":true},
                            {"syscall":"setns","a":2,"b":0,"hot":false}])"));
  const std::string text = PolicyDiffText({a, points_a}, {b, points_b});
  EXPECT_THAT(text, HasSubstr("names only in a.toml: execve, setns\n"));
  EXPECT_THAT(text, HasSubstr("  + syscall/close/exit\n"));
  EXPECT_THAT(text, HasSubstr("0 -> 1  hot"));
  EXPECT_THAT(PolicyDiffText({a, points_a}, {a, points_a}), HasSubstr("no call costs more"));
}

TEST(PolicyCheck, TheCostOfALiteralSessionNamesWhatIsMadeOften) {
  const auto rules = RuleWith("evt.type = setns");
  const auto policy = Policy("p.toml", "syscall_allowlist = [\"futex\", \"setns\", \"chdir\"]");
  const auto needed = PointsFor(policy, *rules, SessionProfile::kLean, false);
  const auto literal = PointsFor(policy, *rules, SessionProfile::kLean, true);
  const std::string text = LiteralCost(policy, needed, literal);
  EXPECT_THAT(text, HasSubstr("by ordinary programs: futex.\n"));
  EXPECT_THAT(text, HasSubstr("no address: 1 call.\n"));
  EXPECT_THAT(text, HasSubstr("11 to 13 µs"));
}

}  // namespace
}  // namespace gyrfalcon
