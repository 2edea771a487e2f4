// What each rule really does where a sandbox sends less: recordings in which it fires, reduced to
// other sessions and replayed. tests/coverage/README.md says how the recordings came to be.
#include <algorithm>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "base/text.h"
#include "engine/reduced_capture.h"
#include "engine/test_replay.h"
#include "points/schema.h"
#include "runsc/session_points.h"

namespace gyrfalcon {
namespace {

using testing::RecordedCapture;
using testing::ReducedMessages;
using testing::SharedPath;

constexpr const char* kData = GYRFALCON_TEST_DATA;

// ---- what is to be shown: tests/coverage/expected.txt

// A recording on one runsc.
struct Recording {
  std::string name;
  std::string runsc;  // "old", "new"
  bool fires = false;

  // "captures/attacks/NAME" lies in captures/attacks/RUNSC/NAME.
  std::string path() const {
    const size_t slash = name.rfind('/');
    const bool elsewhere = slash != std::string::npos;
    return std::string(kData) + "/" + (elsewhere ? name.substr(0, slash) : "coverage") + "/" +
           runsc + "/" + (elsewhere ? name.substr(slash + 1) : name) + ".trace";
  }
};

struct RuleCase {
  std::string file;
  std::string rule;
  std::vector<Recording> recordings;

  // "": it lies beside the repository, and is not there.
  std::string rules_path() const {
    if (file == "gyrfalcon_rules.yaml") return std::string(kData) + "/../../rules/" + file;
    return SharedPath("falco-rules/" + file);
  }
};

std::vector<RuleCase> ReadCases() {
  std::vector<RuleCase> out;
  std::ifstream in(std::string(kData) + "/../coverage/expected.txt");
  std::string file;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with('[')) {
      file = line.substr(1, line.size() - 2);
      continue;
    }
    const auto parts = Split(line, '|');
    if (out.empty() || out.back().rule != parts[0] || out.back().file != file) {
      out.push_back({.file = file, .rule = std::string(parts[0]), .recordings = {}});
    }
    for (const std::string_view runsc : {"old", "new"}) {
      Recording recording{.name = std::string(parts[1]),
                          .runsc = std::string(runsc),
                          .fires = parts[2].find(runsc) != std::string_view::npos};
      // What only one runsc has was recorded on that one.
      if (std::ifstream(recording.path())) out.back().recordings.push_back(std::move(recording));
    }
  }
  return out;
}

const std::vector<RuleCase>& Cases() {
  static const auto cases = ReadCases();
  return cases;
}

// ---- what happens

enum class Outcome : uint8_t {
  kSame,     // the same alerts
  kDiffers,  // others, or not as many
  kSilent,   // none, where there were some
};

bool IsSecondChance(const Alert& alert) {
  return std::ranges::any_of(
      alert.fields, [](const AlertField& field) { return field.name == "gyrfalcon.path.true"; });
}

// What the rule told, and how often. `claims`: without what only an open file's own path has
// raised.
std::map<std::string, int> Told(const std::vector<Alert>& alerts, const std::string& rule,
                                bool claims) {
  std::map<std::string, int> out;
  for (const Alert& alert : alerts) {
    if (alert.rule != rule || (claims && IsSecondChance(alert))) continue;
    ++out[alert.message];
  }
  return out;
}

// Names of users, as live from the container's root.
std::shared_ptr<const UserTable> Users() {
  static const auto users = std::make_shared<const UserTable>(UserTable::Parse(
      "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/sh\n",
      "root:x:0:\nwww-data:x:33:\n"));
  return users;
}

// One recording with one rule: replays what is left of it.
class Experiment {
 public:
  Experiment(const Recording& recording, std::shared_ptr<const RuleSet> rules, std::string rule)
      : capture_(recording.path()), rules_(std::move(rules)), rule_(std::move(rule)) {
    all_ = Replay(capture_.All());
  }

  const RecordedCapture& capture() const { return capture_; }
  const std::vector<Alert>& all() const { return all_; }

  std::vector<Alert> Replay(const ReducedMessages& messages) const {
    return capture_.Replay(rules_, messages, Users());
  }
  std::map<std::string, int> Tell(const std::vector<Alert>& alerts, bool claims) const {
    return Told(alerts, rule_, claims);
  }
  // Equal messages are replayed once.
  Outcome Try(const SentPoints& sent, bool claims) {
    const auto what = Tell(all_, claims);
    ReducedMessages messages = capture_.Reduce(sent);
    auto found = tried_.find(messages);
    if (found == tried_.end()) {
      std::vector<Alert> alerts = Replay(messages);
      found = tried_.emplace(std::move(messages), std::move(alerts)).first;
    }
    const auto told = Tell(found->second, claims);
    if (told == what) return Outcome::kSame;
    return told.empty() ? Outcome::kSilent : Outcome::kDiffers;
  }

 private:
  RecordedCapture capture_;
  std::shared_ptr<const RuleSet> rules_;
  std::string rule_;
  std::vector<Alert> all_;
  std::map<ReducedMessages, std::vector<Alert>> tried_;
};

// ---- sessions

SentPoints Generated(const RuleSet& rules, SessionProfile profile) {
  return Sent(PointsFor(rules, profile));
}

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

std::string TestName(const ::testing::TestParamInfo<RuleCase>& info) {
  std::string out;
  for (const char c :
       info.param.file.substr(0, info.param.file.find("_rules")) + "_" + info.param.rule) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    out += plain ? c : '_';
  }
  return out;
}

// The rule alone, also where its file switches it off.
class CoverageTruth : public ::testing::TestWithParam<RuleCase> {
 protected:
  void SetUp() override {
    const std::string path = GetParam().rules_path();
    if (path.empty()) GTEST_SKIP() << "no ../shared/falco-rules/" << GetParam().file;
    using enum RuleSelection::By;
    LoadOptions options;
    options.selection = {{.by = kPattern, .text = "*", .enable = false},
                         {.by = kPattern, .text = GetParam().rule, .enable = true}};
    rules_ = testing::LoadRulesForTest({path}, options);
    for (const Recording& recording : GetParam().recordings) {
      experiments_.push_back(std::make_unique<Experiment>(recording, rules_, GetParam().rule));
    }
  }

  // Visits each recording with its experiment.
  void ForEach(const std::function<void(const Recording&, Experiment&)>& visit) {
    for (size_t i = 0; i < experiments_.size(); ++i) {
      const Recording& recording = GetParam().recordings[i];
      SCOPED_TRACE(recording.runsc + " " + recording.name);
      visit(recording, *experiments_[i]);
    }
  }

  std::shared_ptr<const RuleSet> rules_;
  std::vector<std::unique_ptr<Experiment>> experiments_;
};

TEST_P(CoverageTruth, FiresWhereItsDeedIsDoneAndCanBeTold) {
  EXPECT_FALSE(experiments_.empty());
  ForEach([](const Recording& recording, Experiment& experiment) {
    EXPECT_EQ(!experiment.Tell(experiment.all(), false).empty(), recording.fires);
  });
}

TEST_P(CoverageTruth, TellsNothingWhereNothingIsSent) {
  ForEach([](const Recording&, Experiment& experiment) {
    EXPECT_TRUE(experiment.Tell(experiment.Replay(experiment.capture().Reduce({})), false).empty());
  });
}

// The session that is generated for the rule alone tells it all that matters.
TEST_P(CoverageTruth, TellsTheSameWithTheSessionGeneratedForIt) {
  for (const SessionProfile profile :
       {SessionProfile::kLean, SessionProfile::kStandard, SessionProfile::kStrict}) {
    SCOPED_TRACE(Name(profile));
    const SentPoints sent = Generated(*rules_, profile);
    const bool claims = profile == SessionProfile::kLean;
    ForEach([&](const Recording&, Experiment& experiment) {
      const auto& capture = experiment.capture();
      EXPECT_EQ(experiment.Tell(experiment.Replay(capture.Reduce(sent)), claims),
                experiment.Tell(experiment.Replay(WithoutRawTwins(capture)), claims));
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Rules, CoverageTruth, ::testing::ValuesIn(Cases()), TestName);

// No rule of a file is left out.
TEST(CoverageTruthCases, HaveEveryRule) {
  std::map<std::string, std::set<std::string>> cases;
  std::map<std::string, std::string> paths;
  for (const RuleCase& row : Cases()) {
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
