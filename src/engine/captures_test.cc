// Real recordings, whole and stripped, against what Falco 0.43 found in them.
#include <algorithm>
#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/reduced_capture.h"
#include "engine/test_replay.h"
#include "runsc/session.h"

namespace gyrfalcon {
namespace {

using testing::ReplayForTest;
using testing::ReplayResult;
using testing::SharedPath;

std::vector<std::string> SharedCaptures() {
  std::vector<std::string> out = testing::TraceNames(GYRFALCON_SHARED "/captures");
  if (out.empty()) out.emplace_back("none");  // one case, which says that it is skipped
  return out;
}

nlohmann::json ReadJson(const std::string& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

using Counts = std::map<std::string, int>;

bool IsBuiltin(const Alert& alert) {
  return alert.rule.starts_with("gyrfalcon: ");
}

// By a path that nothing but the open file (fd_path) told.
bool IsSecondChance(const Alert& alert) {
  return std::ranges::any_of(
      alert.fields, [](const AlertField& field) { return field.name == "gyrfalcon.path.true"; });
}

Counts CountRules(const ReplayResult& result) {
  Counts counts;
  for (const Alert& alert : result.alerts) ++counts[alert.rule];
  return counts;
}

// What is found without fd_path and tripwires: they are all that second chances and alerts about
// hidden events go by.
Counts CountRulesOnClaims(const ReplayResult& result) {
  Counts counts;
  for (const Alert& alert : result.alerts) {
    if (!IsBuiltin(alert) && !IsSecondChance(alert)) ++counts[alert.rule];
  }
  return counts;
}

class SharedCapture : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "none") GTEST_SKIP() << "no ../shared/captures beside the project";
    runsc_ = GetParam().substr(0, 3);
    name_ = GetParam().substr(4);
    path_ = SharedPath("captures/" + GetParam() + ".trace");
  }

  static std::shared_ptr<const RuleSet> StableRules() {
    static const auto rules =
        testing::LoadRulesForTest({SharedPath("falco-rules/falco_rules.yaml")});
    return rules;
  }

  // Falco's alerts of the stable rules, without those that are its own defects.
  Counts Golden() const {
    Counts counts;
    std::ifstream file(SharedPath("conformance/alerts/stable-" + runsc_ + "-" + name_ + ".jsonl"));
    for (std::string line; std::getline(file, line);) {
      ++counts[nlohmann::json::parse(line)["rule"].get<std::string>()];
    }
    for (const auto& defect : ReadJson(SharedPath("conformance/alerts/falco-defects.json"))) {
      if (defect["rules"] == "stable" && defect["runsc"] == runsc_ && defect["capture"] == name_) {
        --counts[defect["rule"].get<std::string>()];
      }
    }
    return counts;
  }

  std::string runsc_, name_, path_;
};
INSTANTIATE_TEST_SUITE_P(Shared, SharedCapture, ::testing::ValuesIn(SharedCaptures()),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::ranges::replace(name, '/', '_');
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST_P(SharedCapture, IsDecodedWholeAndGivesNoFewerAlertsThanFalco) {
  const ReplayResult result = ReplayForTest(path_, StableRules());
  EXPECT_EQ(result.totals.undecodable(), 0u);
  EXPECT_EQ(result.totals.decode[DecodeError::kUnknownType], 0u);
  EXPECT_TRUE(result.warnings.empty());
  const Counts ours = CountRules(result);
  for (const auto& [rule, count] : Golden()) {
    const auto found = ours.find(rule);
    EXPECT_GE(found == ours.end() ? 0 : found->second, count) << rule;
  }
}

// Counts what happened by thread and return value, to compare across ways of telling it.
constexpr std::string_view kEverything = R"(
- rule: exec
  desc: every program that starts
  condition: evt.type in (execve, execveat) and evt.rawres = 0
  output: "%evt.type %proc.cmdline tid=%thread.tid"
  priority: INFO
- rule: clone
  desc: every process or thread that is made
  condition: evt.type in (clone, fork, vfork) and evt.rawres > 0
  output: "child=%evt.rawres container=%container.id"
  priority: INFO
- rule: exit
  desc: every thread that ends
  condition: evt.type = procexit
  output: "tid=%thread.tid container=%container.id"
  priority: INFO
)";

int64_t Number(const Alert& alert, std::string_view name) {
  for (const AlertField& field : alert.fields) {
    if (field.name != name) continue;
    if (const auto* number = std::get_if<int64_t>(&field.value)) return *number;
  }
  return -1;
}

// A second one of the same thread without anything between would be one happening told twice.
TEST_P(SharedCapture, TellsEachExecCloneAndExitOnce) {
  const ReplayResult result =
      ReplayForTest(path_, testing::RulesFromText(std::string(kEverything)));
  // Ids that clone returns are those of the caller's PID namespace: unique in a container.
  std::map<std::string, int> clones_without_exit;
  std::string last_exec;
  for (const Alert& alert : result.alerts) {
    const std::string container = "@" + testing::FieldText(alert, "container.id");
    if (IsBuiltin(alert)) continue;
    if (alert.rule == "clone") {
      const std::string child = std::to_string(Number(alert, "evt.rawres")) + container;
      const bool one_container = name_ != "pod-multi";  // where exits tell other ids than clones
      EXPECT_LE(++clones_without_exit[child], one_container ? 1 : 2) << alert.message;
    } else if (alert.rule == "exit") {
      clones_without_exit[std::to_string(Number(alert, "thread.tid")) + container] = 0;
    } else {
      const std::string exec = alert.message + container;
      EXPECT_NE(exec, last_exec);
      last_exec = exec;
    }
  }
}

// What Falco's 97 points can't tell: layers, memfd flags, and points that are younger than they.
bool NeedsMoreThan97Points(std::string_view rule) {
  constexpr std::string_view kRules[] = {"Drop and execute new binary in container",
                                         "Fileless execution via memfd_create",
                                         "PTRACE attached to process", "PTRACE anti-debug attempt"};
  return std::ranges::find(kRules, rule) != std::end(kRules);
}

// Falco's session has no fd_path and no tripwires, so no second chances and no hidden events.
TEST_P(SharedCapture, GivesTheSameAlertsStrippedToFalcosSession) {
  const auto strip = testing::ReduceToSession(ReadText(SharedPath("spec/falco-session-97.json")));
  const ReplayResult thin = ReplayForTest(path_, StableRules(), strip);
  EXPECT_EQ(thin.totals.undecodable(), 0u);
  Counts counts = CountRules(thin);
  for (const auto& [rule, count] : CountRulesOnClaims(ReplayForTest(path_, StableRules()))) {
    if (NeedsMoreThan97Points(rule)) continue;
    EXPECT_EQ(counts[rule], count) << rule;
    counts.erase(rule);
  }
}

// The sessions that are generated for these rules. lean has no fd_path that knows an open's file,
// for that of close/exit is empty: no second chances. standard has what a full recording tells.
void ExpectSameAlerts(const Counts& thin, const Counts& full) {
  for (const auto& [rule, count] : full) {
    const auto found = thin.find(rule);
    EXPECT_EQ(found == thin.end() ? 0 : found->second, count) << rule;
  }
}

Counts WithoutBuiltins(Counts counts) {
  std::erase_if(counts, [](const auto& entry) { return entry.first.starts_with("gyrfalcon: "); });
  return counts;
}

TEST_P(SharedCapture, GivesTheSameAlertsStrippedToTheLeanSession) {
  const auto strip = testing::ReduceToSession(
      GenerateSession({.socket_path = "/s", .profile = SessionProfile::kLean}, *StableRules()));
  ExpectSameAlerts(CountRules(ReplayForTest(path_, StableRules(), strip)),
                   CountRulesOnClaims(ReplayForTest(path_, StableRules())));
}

TEST_P(SharedCapture, GivesTheSameAlertsStrippedToTheStandardSession) {
  const auto strip = testing::ReduceToSession(
      GenerateSession({.socket_path = "/s", .profile = SessionProfile::kStandard}, *StableRules()));
  ExpectSameAlerts(CountRules(ReplayForTest(path_, StableRules(), strip)),
                   WithoutBuiltins(CountRules(ReplayForTest(path_, StableRules()))));
}

// Work without attacks, but for these, which are made to hide or to lose something.
bool HasSomethingToHide(std::string_view capture) {
  return capture == "bigargv" || capture.starts_with("nonutf8");
}

Counts CountBuiltins(const ReplayResult& result) {
  Counts counts;
  for (const Alert& alert : result.alerts) {
    if (IsBuiltin(alert)) ++counts[alert.rule];
  }
  return counts;
}

TEST_P(SharedCapture, RaisesBuiltinAlertsOnlyWhereSomethingIsHidden) {
  const Counts builtins = CountBuiltins(ReplayForTest(path_, testing::RulesFromText("[]")));
  if (!HasSomethingToHide(name_)) {
    EXPECT_THAT(builtins, ::testing::IsEmpty());
  } else if (name_ == "bigargv") {
    EXPECT_THAT(builtins, ::testing::ElementsAre(::testing::Pair("gyrfalcon: events lost", 2)));
  } else if (name_ == "nonutf8-tripwire") {
    EXPECT_THAT(builtins, ::testing::ElementsAre(
                              ::testing::Pair("gyrfalcon: event hidden by invalid UTF-8", 77)));
  } else {
    // Without tripwires only one close/exit shows that its enter is missing.
    EXPECT_THAT(builtins, ::testing::ElementsAre(
                              ::testing::Pair("gyrfalcon: event hidden by invalid UTF-8", 1)));
  }
}

TEST(HeavyCapture, RaisesNoBuiltinAlert) {
  const testing::HeavyCapture heavy;
  if (heavy.path().empty()) GTEST_SKIP() << heavy.missing();
  const Counts builtins = CountBuiltins(ReplayForTest(heavy.path(), testing::RulesFromText("[]")));
  EXPECT_THAT(builtins, ::testing::IsEmpty());
}

TEST(ShippedRules, LoadBesideFalcosInEitherOrder) {
  const std::string ours = std::string(GYRFALCON_TEST_DATA) + "/../../rules/gyrfalcon_rules.yaml";
  const std::string theirs = SharedPath("falco-rules/falco_rules.yaml");
  if (theirs.empty()) GTEST_SKIP() << "no ../shared/falco-rules beside the project";
  EXPECT_NE(testing::LoadRulesForTest({ours, theirs}), nullptr);
  EXPECT_NE(testing::LoadRulesForTest({theirs, ours}), nullptr);
}

}  // namespace
}  // namespace gyrfalcon
