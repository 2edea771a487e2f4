// What a rule set raises under the session that is generated for it must be what it raises under a
// session with everything: recordings, stripped to the points and fields that it asks for.
#include <algorithm>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/reduced_capture.h"
#include "engine/test_replay.h"
#include "points/schema.h"
#include "runsc/session.h"

namespace gyrfalcon {
namespace {

using testing::ReplayForTest;
using testing::ReplayResult;
using testing::SharedPath;

std::vector<std::string> Captures() {
  std::vector<std::string> out;
  for (const std::string folder :
       {GYRFALCON_TEST_DATA "/captures/", GYRFALCON_TEST_DATA "/captures/attacks/",
        GYRFALCON_SHARED "/captures/"}) {
    for (const std::string& name : testing::TraceNames(folder)) {
      out.push_back(folder + name + ".trace");
    }
  }
  return out;
}

bool IsLike(const Alert& alert, std::string_view prefix) {
  return alert.rule.starts_with(prefix);
}

bool IsSecondChance(const Alert& alert) {
  return std::ranges::any_of(
      alert.fields, [](const AlertField& field) { return field.name == "gyrfalcon.path.true"; });
}

using Found = std::map<std::string, int>;

// Rule and text of each alert. `claims`: without what only an open file's own path has raised.
Found FindAll(const ReplayResult& result, bool claims) {
  Found found;
  for (const Alert& alert : result.alerts) {
    if (IsLike(alert, "gyrfalcon: ") || (claims && IsSecondChance(alert))) continue;
    ++found[alert.rule + " | " + alert.message];
  }
  return found;
}

std::string Difference(const Found& full, const Found& thin) {
  std::string out;
  for (const auto& [alert, count] : full) {
    const auto other = thin.find(alert);
    const int there = other == thin.end() ? 0 : other->second;
    if (there < count) out += "missing " + std::to_string(count - there) + ": " + alert + "\n";
  }
  for (const auto& [alert, count] : thin) {
    const auto other = full.find(alert);
    const int there = other == full.end() ? 0 : other->second;
    if (there < count) out += "new " + std::to_string(count - there) + ": " + alert + "\n";
  }
  return out;
}

struct RuleFiles {
  std::string name;
  std::vector<std::string> paths;
};

std::vector<RuleFiles> RuleSets() {
  const std::string ours = std::string(GYRFALCON_TEST_DATA) + "/../../rules/gyrfalcon_rules.yaml";
  std::vector<RuleFiles> out = {{"ours", {ours}}};
  const std::string stable = SharedPath("falco-rules/falco_rules.yaml");
  const std::string incubating = SharedPath("falco-rules/falco-incubating_rules.yaml");
  const std::string sandbox = SharedPath("falco-rules/falco-sandbox_rules.yaml");
  if (stable.empty() || incubating.empty() || sandbox.empty()) return out;
  out.push_back({"stable", {stable}});
  out.push_back({"incubating", {incubating}});
  out.push_back({"sandbox", {sandbox}});
  out.push_back({"all", {stable, incubating, sandbox, ours}});
  return out;
}

// A session with everything but what above lean none asks for, lest it hide messages: folder and
// name of the process, but at the enters of opens (docs/sensor.md).
testing::MessageFilter Everything(SessionProfile profile) {
  if (profile == SessionProfile::kLean) return nullptr;
  auto session = nlohmann::json::parse(GenerateFullSession({.socket_path = "/s"}));
  auto& points = session["trace_session"]["points"];
  for (auto& point : points) {
    const auto name = point["name"].get<std::string>();
    if (name == "container/start" || name == "syscall/open/enter" ||
        name == "syscall/openat/enter" || name == "syscall/creat/enter") {
      continue;
    }
    auto kept = nlohmann::json::array();
    for (const auto& field : point["context_fields"]) {
      if (field != "cwd" && field != "process_name") kept.push_back(field);
    }
    point["context_fields"] = kept;
  }
  auto context = nlohmann::json::array();
  for (const std::string_view field : AllContextFields()) {
    if (field != "cwd" && field != "process_name") context.push_back(field);
  }
  for (int sysno = 0; sysno < 512; ++sysno) {
    for (const char* side : {"/enter", "/exit"}) {
      points.push_back(
          {{"name", "syscall/sysno/" + std::to_string(sysno) + side}, {"context_fields", context}});
    }
  }
  return testing::ReduceToSession(session.dump());
}

void ExpectTheSame(SessionProfile profile) {
  const testing::MessageFilter everything = Everything(profile);
  for (const RuleFiles& files : RuleSets()) {
    const auto rules = testing::LoadRulesForTest(files.paths, {});
    const auto strip = testing::ReduceToSession(
        GenerateSession({.socket_path = "/s", .profile = profile}, *rules));
    for (const std::string& capture : Captures()) {
      const bool claims = profile == SessionProfile::kLean;
      const Found full = FindAll(ReplayForTest(capture, rules, everything), claims);
      const Found thin = FindAll(ReplayForTest(capture, rules, strip), claims);
      EXPECT_EQ(Difference(full, thin), "") << files.name << " " << capture;
    }
  }
}

TEST(GeneratedSession, LeanRaisesWhatAFullOneRaisesOnClaims) {
  ExpectTheSame(SessionProfile::kLean);
}

TEST(GeneratedSession, StandardRaisesWhatAFullOneRaises) {
  ExpectTheSame(SessionProfile::kStandard);
}

TEST(GeneratedSession, StrictRaisesWhatAFullOneRaises) {
  ExpectTheSame(SessionProfile::kStrict);
}

}  // namespace
}  // namespace gyrfalcon
