// Falco 0.43's own alerts on the shared captures, against ours: same rule, same happening, same
// output fields and text; and our alerts on the project's own captures, as they were reviewed.
//
// What differs on purpose is in tests/conformance/alert-deviations.json:
//   what     "field", "missing" (Falco's alert, not ours) or "extra" (ours, not Falco's)
//   rule, rules, runsc   which rule, in which sets of rules, of which runsc's captures
//   captures how often in each capture: exactly so often, or the test fails
//   field, falco, ours   for "field": its name and both values
//   reason   a sentence
#include <algorithm>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/test_goldens.h"
#include "engine/test_replay.h"

namespace gyrfalcon {
namespace {

using nlohmann::json;
using testing::CompareWithGoldens;
using testing::GoldenRun;
using testing::MessageTimes;
using testing::SharedPath;
namespace fs = std::filesystem;

json ReadJson(const std::string& path) {
  std::ifstream file(path);
  return json::parse(file);
}

json Deviations() {
  return ReadJson(std::string(GYRFALCON_TEST_DATA) + "/../conformance/alert-deviations.json");
}

std::vector<json> Replay(const std::string& capture, std::shared_ptr<const RuleSet> rules) {
  std::vector<json> out;
  for (const Alert& alert : testing::ReplayForTest(capture, std::move(rules)).alerts) {
    out.push_back(testing::ToJson(alert));
  }
  return out;
}

std::string TestName(std::string name) {
  std::ranges::replace_if(name, [](char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

// ---- Falco's

std::vector<std::string> SharedRuns() {
  std::vector<std::string> out;
  for (const std::string& capture :
       testing::TraceNames(std::string(GYRFALCON_SHARED) + "/captures")) {
    for (const char* rules : {"stable/", "all/"}) out.push_back(rules + capture);
  }
  if (out.empty()) out.emplace_back("none");  // one case, which says that it is skipped
  return out;
}

class FalcosAlerts : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "none") GTEST_SKIP() << "no ../shared/captures beside the project";
    const auto first = GetParam().find('/');
    const auto second = GetParam().rfind('/');
    run_ = {.rules = GetParam().substr(0, first),
            .runsc = GetParam().substr(first + 1, second - first - 1),
            .capture = GetParam().substr(second + 1)};
    goldens_path_ = SharedPath("conformance/alerts/" + run_.Name() + ".jsonl");
    if (goldens_path_.empty()) GTEST_SKIP() << "no goldens for this capture in ../shared";
  }

  std::shared_ptr<const RuleSet> Rules() const {
    const std::string folder = SharedPath("falco-rules") + "/";
    if (run_.rules == "stable") {
      static const auto stable = testing::LoadRulesForTest({folder + "falco_rules.yaml"});
      return stable;
    }
    static const auto all = testing::LoadRulesForTest(
        {folder + "falco_rules.yaml", folder + "falco-incubating_rules.yaml",
         folder + "falco-sandbox_rules.yaml", folder + "falco-deprecated_rules.yaml"});
    return all;
  }

  // Without those that are Falco's own defects.
  std::vector<json> Goldens() const {
    const json defects = ReadJson(SharedPath("conformance/alerts/falco-defects.json"));
    const auto is_defect = [&](const json& alert) {
      return std::ranges::any_of(defects, [&](const json& defect) {
        return defect["rules"] == run_.rules && defect["runsc"] == run_.runsc &&
               defect["capture"] == run_.capture && defect["rule"] == alert["rule"] &&
               (defect["time_ns"].is_null() ||
                defect["time_ns"] == alert["output_fields"]["evt.time"]);
      });
    };
    std::vector<json> goldens = testing::ReadJsonLines(goldens_path_);
    std::erase_if(goldens, is_defect);
    return goldens;
  }

  GoldenRun run_;
  std::string goldens_path_;
};
INSTANTIATE_TEST_SUITE_P(Shared, FalcosAlerts, ::testing::ValuesIn(SharedRuns()),
                         [](const auto& test) { return TestName(test.param); });

TEST_P(FalcosAlerts, ComeFromUsTooAndOthersAreExplained) {
  const std::string capture = SharedPath("captures/" + run_.runsc + "/" + run_.capture + ".trace");
  const auto differences = CompareWithGoldens(Goldens(), Replay(capture, Rules()),
                                              MessageTimes(capture), run_, Deviations());
  EXPECT_THAT(differences, ::testing::IsEmpty());
}

TEST(AlertDeviations, HaveAReasonAndSpeakOfRunsThatThereAre) {
  const bool shared = !SharedPath("conformance/alerts").empty();
  for (const json& entry : Deviations()) {
    const auto reason = entry["reason"].get<std::string>();
    EXPECT_TRUE(reason.size() > 20 && reason.ends_with('.')) << entry;
    EXPECT_TRUE(entry["what"] == "field" || entry["what"] == "missing" || entry["what"] == "extra");
    EXPECT_FALSE(entry["rules"].empty() || entry["runsc"].empty() || entry["captures"].empty());
    for (const auto& [capture, count] : entry["captures"].items()) {
      EXPECT_GT(count.get<int>(), 0) << entry;
      for (const json& rules : entry["rules"]) {
        for (const json& runsc : entry["runsc"]) {
          const GoldenRun run{.rules = rules, .runsc = runsc, .capture = capture};
          if (!shared) continue;
          EXPECT_NE(SharedPath("conformance/alerts/" + run.Name() + ".jsonl"), "") << entry;
        }
      }
    }
  }
}

// ---- ours

constexpr char kOwnFolder[] = GYRFALCON_TEST_DATA "/alerts";

std::vector<std::string> OwnRuns() {
  std::vector<std::string> out;
  for (const std::string& capture : testing::TraceNames(GYRFALCON_TEST_DATA "/captures")) {
    std::string name = capture;
    name.replace(name.find('/'), 1, "-");
    if (fs::exists(std::string(kOwnFolder) + "/" + name + ".jsonl")) out.push_back(capture);
  }
  return out;
}

class OwnAlerts : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Data, OwnAlerts, ::testing::ValuesIn(OwnRuns()),
                         [](const auto& test) { return TestName(test.param); });

TEST_P(OwnAlerts, AreThoseThatWereReviewed) {
  const std::string folder = kOwnFolder;
  std::string name = GetParam();
  name.replace(name.find('/'), 1, "-");
  const std::string capture = std::string(GYRFALCON_TEST_DATA "/captures/") + GetParam() + ".trace";
  const auto ours = Replay(capture, testing::LoadRulesForTest({folder + "/rules.yaml"}));
  const auto differences =
      CompareWithGoldens(testing::ReadJsonLines(folder + "/" + name + ".jsonl"), ours,
                         MessageTimes(capture), {"own", GetParam(), name}, json::array());
  EXPECT_THAT(differences, ::testing::IsEmpty());
}

// ---- the comparison itself

class Comparison : public ::testing::Test {
 protected:
  static json Alert(int64_t time, const std::string& rule, json fields) {
    std::string output = "00:00:00.0: Warning";
    for (const auto& [key, value] : fields.items()) {
      output += " " + key + "=" + (value.is_string() ? value.get<std::string>() : value.dump());
    }
    fields["evt.time"] = time;
    return {{"rule", rule},          {"priority", "Warning"}, {"source", "syscall"},
            {"tags", json::array()}, {"output", output},      {"output_fields", fields}};
  }
  static std::vector<std::string> Compare(const std::vector<json>& goldens,
                                          const std::vector<json>& ours,
                                          const char* deviations = "[]") {
    const MessageTimes times(GYRFALCON_TEST_DATA "/captures/new/hello.trace");
    return CompareWithGoldens(goldens, ours, times, {"stable", "new", "x"},
                              json::parse(deviations));
  }
};

TEST_F(Comparison, FindsNothingBetweenEquals) {
  const json alert = Alert(5, "r", {{"a", 1}});
  EXPECT_THAT(Compare({alert}, {alert}), ::testing::IsEmpty());
}

TEST_F(Comparison, TellsMissingExtraAndOtherMoments) {
  const json alert = Alert(5, "r", {{"a", 1}});
  EXPECT_EQ(Compare({alert}, {}).size(), 1u);
  EXPECT_EQ(Compare({}, {alert}).size(), 1u);
  EXPECT_EQ(Compare({alert}, {alert, alert}).size(), 1u);
  EXPECT_EQ(Compare({alert}, {Alert(6, "r", {{"a", 1}})}).size(), 2u);
  EXPECT_EQ(Compare({alert}, {Alert(5, "s", {{"a", 1}})}).size(), 2u);
}

TEST_F(Comparison, TellsFieldsByNameTypeAndValue) {
  const json golden = Alert(5, "r", {{"a", 1}});
  EXPECT_FALSE(Compare({golden}, {Alert(5, "r", {{"a", 2}})}).empty());
  EXPECT_FALSE(Compare({golden}, {Alert(5, "r", {{"a", "1"}})}).empty());
  EXPECT_FALSE(Compare({golden}, {Alert(5, "r", {{"b", 1}})}).empty());
  EXPECT_FALSE(Compare({golden}, {Alert(5, "r", {{"a", 1}, {"b", 1}})}).empty());
  json other_text = golden;
  other_text["output"] = "00:00:00.0: Warning a=one";
  EXPECT_EQ(Compare({golden}, {other_text}).size(), 1u);
}

TEST_F(Comparison, TakesWhatIsListedAsOftenAsItIsListed) {
  const json golden = Alert(5, "r", {{"a", "x"}});
  const json ours = Alert(5, "r", {{"a", "y"}});
  constexpr char kListed[] = R"([{"what": "field", "rule": "r", "rules": ["stable"],
      "runsc": ["old", "new"], "captures": {"x": 1}, "field": "a", "falco": "x", "ours": "y",
      "reason": "Because."}])";
  EXPECT_THAT(Compare({golden}, {ours}, kListed), ::testing::IsEmpty());
  EXPECT_EQ(Compare({golden, golden}, {ours, ours}, kListed).size(), 1u);
  EXPECT_EQ(Compare({golden}, {golden}, kListed).size(), 1u);  // stale
  EXPECT_EQ(Compare({golden}, {Alert(5, "r", {{"a", "z"}})}, kListed).size(), 2u);
}

TEST_F(Comparison, AnAttemptToRunAProgramIsOneHappeningOfOneThread) {
  const std::string capture = GYRFALCON_TEST_DATA "/captures/new/docker-exec.trace";
  const MessageTimes times(capture);
  const auto rules = testing::RulesFromText(
      "- rule: r\n  desc: x\n  condition: evt.type = execve\n  output: o\n  priority: INFO\n");
  const auto alerts = testing::ReplayForTest(capture, rules).alerts;
  ASSERT_GE(alerts.size(), 3u);
  EXPECT_FALSE(times.IsSameHappening(alerts[0].time_ns, alerts[1].time_ns));
  EXPECT_TRUE(times.IsSameHappening(alerts[1].time_ns, alerts[1].time_ns));
}

}  // namespace
}  // namespace gyrfalcon
