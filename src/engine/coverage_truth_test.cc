// What each rule really does where a sandbox sends less: recordings in which it fires, reduced to
// other sessions and replayed.
#include <iostream>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "base/text.h"
#include "engine/rule_deeds.h"
#include "points/schema.h"
#include "runsc/session_points.h"

namespace gyrfalcon {
namespace {

using testing::AllRuleDeeds;
using testing::Deed;
using testing::Experiment;
using testing::RecordedCapture;
using testing::ReducedMessages;
using testing::RuleDeeds;

// Without the raw points of calls that have a schematised one, which are asked for as tripwires
// only. (Old runsc has no schema for ptrace; its raw point tells the same.)
ReducedMessages WithoutRawTwins(const RecordedCapture& capture) {
  ReducedMessages out = capture.All();
  std::erase_if(out, [](const auto& message) {
    constexpr std::string_view kRaw = "syscall/sysno/";
    const std::string point = testing::PointOf(*message);
    if (!point.starts_with(kRaw)) return false;
    const auto sysno = ParseUint(point.substr(kRaw.size(), point.rfind('/') - kRaw.size()));
    return sysno && SchematisedPoint(*sysno, kHostArch) != nullptr;
  });
  return out;
}

using CoverageTruth = testing::RuleExperiments;

TEST_P(CoverageTruth, FiresWhereItsDeedIsDoneAndCanBeTold) {
  EXPECT_FALSE(experiments_.empty());
  ForEach([](const Deed& deed, Experiment& experiment) {
    EXPECT_EQ(!experiment.Told(experiment.capture().All(), false).empty(), deed.fires);
  });
}

TEST_P(CoverageTruth, TellsNothingWhereNothingIsSent) {
  ForEach([](const Deed&, Experiment& experiment) {
    EXPECT_TRUE(experiment.Told(experiment.capture().Reduce({}), false).empty());
  });
}

// The session that is generated for the rule alone tells it all that matters.
TEST_P(CoverageTruth, TellsTheSameWithTheSessionGeneratedForIt) {
  for (const SessionProfile profile :
       {SessionProfile::kLean, SessionProfile::kStandard, SessionProfile::kStrict}) {
    SCOPED_TRACE(Name(profile));
    const SentPoints sent = Sent(PointsFor(*rules_, profile));
    const bool claims = profile == SessionProfile::kLean;
    ForEach([&](const Deed&, Experiment& experiment) {
      const auto& capture = experiment.capture();
      EXPECT_EQ(experiment.Told(capture.Reduce(sent), claims),
                experiment.Told(WithoutRawTwins(capture), claims));
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, CoverageTruth, ::testing::ValuesIn(AllRuleDeeds()),
                         testing::TestName);

// No rule of a file is left out.
TEST(CoverageTruthCases, HaveEveryRule) {
  std::map<std::string, std::set<std::string>> cases;
  std::map<std::string, std::string> paths;
  for (const RuleDeeds& row : AllRuleDeeds()) {
    cases[row.file].insert(row.rule);
    paths[row.file] = row.rules_path();
  }
  EXPECT_EQ(cases.size(), 5u);
  for (const auto& [file, rules] : cases) {
    if (paths[file].empty()) {
      std::cout << "SKIPPED: no ../shared/falco-rules/" << file << "\n";
      continue;
    }
    const auto rule_set = testing::LoadRulesForTest({paths[file]});
    std::set<std::string> loaded;
    for (const Rule& rule : rule_set->rules()) loaded.insert(rule.name);
    EXPECT_EQ(rules, loaded) << file;
  }
}

}  // namespace
}  // namespace gyrfalcon
