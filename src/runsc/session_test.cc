#include "runsc/session.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "points/schema.h"
#include "rules/test_rules.h"

namespace gyrfalcon {
namespace {

std::set<std::string> PointNames(const std::string& session) {
  std::set<std::string> names;
  const auto json = nlohmann::json::parse(session);
  for (const auto& point : json["trace_session"]["points"]) {
    EXPECT_TRUE(names.insert(point["name"]).second) << point["name"];
  }
  return names;
}

TEST(Session, TheFullOneHasEveryPointBothSides) {
  const std::set<std::string> names = PointNames(GenerateFullSession({.socket_path = "/s"}));
  size_t expected = 0;
  for (const PointDef& point : Points()) expected += point.is_syscall() ? 2u : 1u;
  EXPECT_EQ(names.size(), expected);
  EXPECT_TRUE(names.contains("syscall/openat/enter"));
  EXPECT_TRUE(names.contains("sentry/execve"));
}

TEST(Session, ATailoredOneHasStateAndWhatTheRulesAskFor) {
  const std::set<std::string> names =
      PointNames(GenerateSession({.socket_path = "/s", .profile = SessionProfile::kLean},
                                 *RuleWith("evt.type in (ptrace, unlink)")));
  for (const char* wanted : {"container/start", "sentry/clone", "sentry/execve", "sentry/task_exit",
                             "syscall/openat/exit", "syscall/ptrace/exit", "syscall/sysno/87/enter",
                             "syscall/sysno/87/exit"}) {
    EXPECT_TRUE(names.contains(wanted)) << wanted;
  }
  for (const char* unwanted : {"syscall/read/exit", "syscall/write/exit", "syscall/openat/enter",
                               "syscall/clone/exit", "syscall/sysno/88/exit"}) {
    EXPECT_FALSE(names.contains(unwanted)) << unwanted;
  }
  EXPECT_TRUE(PointNames(GenerateSession({.socket_path = "/s"}, *RuleWith("evt.type = read")))
                  .contains("syscall/read/exit"));
}

nlohmann::json FindPoint(const std::string& session, std::string_view name) {
  const auto json = nlohmann::json::parse(session);
  for (const auto& point : json["trace_session"]["points"]) {
    if (point["name"] == name) return point;
  }
  return {};
}

bool Has(const nlohmann::json& list, std::string_view text) {
  return std::ranges::any_of(list, [text](const auto& item) { return item == text; });
}

TEST(Session, StandardHasWhatTellsTheTruthAndTripwiresOfExecs) {
  const std::string session = GenerateSession({.socket_path = "/s"}, *RuleWith("evt.type = open"));
  const std::set<std::string> names = PointNames(session);
  for (const char* wanted : {"syscall/openat/enter", "syscall/openat/exit", "syscall/connect/enter",
                             "syscall/connect/exit", "syscall/close/enter", "syscall/execve/enter",
                             "syscall/execve/exit", "syscall/sysno/59/enter",
                             "syscall/sysno/59/exit", "syscall/sysno/322/enter"}) {
    EXPECT_TRUE(names.contains(wanted)) << wanted;
  }
  for (const char* unwanted : {"syscall/close/exit", "syscall/read/enter", "syscall/read/exit",
                               "syscall/write/exit", "syscall/sysno/257/enter"}) {
    EXPECT_FALSE(names.contains(unwanted)) << unwanted;
  }
  EXPECT_TRUE(Has(FindPoint(session, "syscall/close/enter")["optional_fields"], "fd_path"));
  EXPECT_FALSE(Has(FindPoint(session, "syscall/execve/enter")["optional_fields"], "envv"));
}

TEST(Session, StrictAddsTripwiresOfOpensAndConnectsAndTheEnvironmentAtTheEnter) {
  const std::string session = GenerateSession(
      {.socket_path = "/s", .profile = SessionProfile::kStrict}, *RuleWith("evt.type = open"));
  const std::set<std::string> names = PointNames(session);
  for (const char* sysno : {"2", "42", "59", "257", "322"}) {
    EXPECT_TRUE(names.contains(std::string("syscall/sysno/") + sysno + "/enter")) << sysno;
    EXPECT_TRUE(names.contains(std::string("syscall/sysno/") + sysno + "/exit")) << sysno;
  }
  EXPECT_TRUE(Has(FindPoint(session, "syscall/execve/enter")["optional_fields"], "envv"));
  EXPECT_FALSE(Has(FindPoint(session, "syscall/execve/exit")["optional_fields"], "envv"));
}

// A byte that is no UTF-8 in one of these hides each message that carries it.
TEST(Session, NamesThatAProgramChoosesAreInMessagesOnlyWhoseLossShows) {
  for (const SessionProfile profile : {SessionProfile::kStandard, SessionProfile::kStrict}) {
    const auto json = nlohmann::json::parse(GenerateSession(
        {.socket_path = "/s", .profile = profile}, *RuleWith("evt.type in (read, unlink)")));
    for (const auto& point : json["trace_session"]["points"]) {
      const auto name = point["name"].get<std::string>();
      const bool may = name == "container/start" || name == "syscall/open/enter" ||
                       name == "syscall/openat/enter" || name == "syscall/creat/enter";
      const bool is_exec = name == "syscall/execve/enter" || name == "syscall/execveat/enter";
      EXPECT_FALSE(Has(point["context_fields"], "cwd") && !may) << name;
      EXPECT_EQ(Has(point["context_fields"], "process_name"), may || is_exec) << name;
    }
  }
}

TEST(Session, ExplainsEachLineOfWhatItGenerates) {
  const auto rules = RuleWith("evt.type in (connect, unlink) and user.name = root");
  const auto config = nlohmann::json::parse(GenerateSession({.socket_path = "/s"}, *rules));
  const auto reasons = nlohmann::json::parse(
      ExplainSessionJson(SessionProfile::kStandard, PointsFor(*rules, SessionProfile::kStandard)));
  EXPECT_EQ(reasons["profile"], "standard");
  const auto& points = config["trace_session"]["points"];
  ASSERT_EQ(points.size(), reasons["points"].size());
  for (size_t i = 0; i < points.size(); ++i) {
    const auto& why = reasons["points"][i];
    EXPECT_EQ(points[i]["name"], why["point"]);
    EXPECT_FALSE(why["reasons"].empty());
    for (const char* kind : {"optional_fields", "context_fields"}) {
      ASSERT_EQ(points[i][kind].size(), why[kind].size()) << why["point"];
      for (size_t field = 0; field < why[kind].size(); ++field) {
        EXPECT_EQ(points[i][kind][field], why[kind][field]["field"]);
        EXPECT_FALSE(why[kind][field]["reasons"].empty());
      }
    }
  }
  const std::string text = ExplainSession(PointsFor(*rules, SessionProfile::kStandard));
  EXPECT_NE(text.find("syscall/sysno/87/exit: rule \"r\"\n"), std::string::npos) << text;
}

TEST(Session, TheSinkIsOursAndFailsOpenUnlessAskedOtherwise) {
  const auto rules = RuleWith("evt.type = open");
  const auto open = nlohmann::json::parse(GenerateSession({.socket_path = "/run/s"}, *rules));
  const auto& sink = open["trace_session"]["sinks"][0];
  EXPECT_EQ(sink["name"], "remote");
  EXPECT_EQ(sink["config"]["endpoint"], "/run/s");
  EXPECT_EQ(sink["config"]["retries"], 3);
  EXPECT_EQ(sink["config"]["backoff"], "25us");
  EXPECT_EQ(sink["ignore_setup_error"], true);
  EXPECT_EQ(open["trace_session"]["name"], "Default");
  EXPECT_EQ(open["trace_session"]["ignore_missing"], true);
  const auto closed = nlohmann::json::parse(
      GenerateSession({.socket_path = "/s", .on_failure = OnFailure::kClosed}, *rules));
  EXPECT_EQ(closed["trace_session"]["sinks"][0]["ignore_setup_error"], false);
}

TEST(Session, OursIsReadBackAndSoIsItsInnerObjectAlone) {
  const std::string text = GenerateFullSession({.socket_path = "/run/s"});
  ASSERT_TRUE(ParseSessionConfig("f", text));
  EXPECT_EQ(ParseSessionConfig("f", text)->endpoint, "/run/s");
  const std::string inner = nlohmann::json::parse(text)["trace_session"].dump();
  ASSERT_TRUE(ParseSessionConfig("f", inner));
  EXPECT_EQ(ParseSessionConfig("f", inner)->endpoint, "/run/s");
}

TEST(Session, WhatIsWrongIsSaidWithTheFileAndTheMend) {
  struct Case {
    const char *text, *what;
  };
  for (const Case& c :
       {Case{"{", "not JSON"}, Case{"[]", "no trace_session"}, Case{"", "not JSON"},
        Case{R"({"trace_session":{"sinks":[]}})", "no sink named"},
        Case{R"({"trace_session":{"sinks":[{"name":"null"}]}})", "no sink named"},
        Case{R"({"sinks":[{"name":"remote"}]})", "no config.endpoint"},
        Case{R"({"sinks":[{"name":"remote","config":{"endpoint":5}}]})", "no config.endpoint"}}) {
    const auto parsed = ParseSessionConfig("/etc/p.json", c.text);
    ASSERT_FALSE(parsed) << c.text;
    EXPECT_EQ(parsed.error().fault, Fault::kEnvironment);
    EXPECT_NE(parsed.error().message.find(c.what), std::string::npos) << parsed.error().message;
    EXPECT_TRUE(parsed.error().message.starts_with("/etc/p.json: "));
    EXPECT_NE(parsed.error().message.find("session generate"), std::string::npos);
  }
}

}  // namespace
}  // namespace gyrfalcon
