// The attacks of tests/attacks, recorded in real sandboxes: what each must raise with the rules
// that we ship, and what its honest twin must not. How they were recorded, and what each shows,
// stands in tests/data/captures/attacks/README.md.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "engine/test_replay.h"

namespace gyrfalcon {
namespace {

namespace fs = std::filesystem;

constexpr const char* kChanged = "gyrfalcon: path changed during syscall";
constexpr const char* kHidden = "gyrfalcon: event hidden by invalid UTF-8";
constexpr const char* kLost = "gyrfalcon: events lost";
constexpr const char* kFlood = "gyrfalcon: process flood";
constexpr const char* kSensitiveRead = "Sensitive file read";
constexpr const char* kNewExecutable = "New executable run";
constexpr const char* kMemoryProgram = "Program run from memory";
constexpr const char* kSocketShell = "Shell connected to a network socket";
constexpr const char* kServerShell = "Shell spawned by a server";
constexpr const char* kBinaryWritten = "File below a binary directory opened for writing";
constexpr const char* kSession = "Interactive session in a container";
constexpr const char* kLoader = "Program started through the dynamic loader";
constexpr const char* kNewCode = "New code mapped";
constexpr const char* kPassedFile = "Sensitive file used through a passed descriptor";

// What one rule says of an attack.
struct Found {
  const char* rule;
  // At least so often with the session full, strict, standard; 0: not at all. Where an attack was
  // not recorded with a session, its figure says nothing.
  int full, strict, standard;
  // Why not with each session, or why the twin raises it as well; "" where neither is so.
  const char* why = "";
  bool twin_too = false;
  bool only_new = false;  // runsc of 2022 tells too little

  int count(const std::string& runsc, const std::string& session) const {
    if (only_new && runsc == "old") return 0;
    return session == "strict" ? strict : session == "standard" ? standard : full;
  }
};

struct Attack {
  const char* name;
  std::vector<Found> found;
  const char* unseen = "";  // why nothing is found at all
};

constexpr const char* kTwinReadsToo = "the twin's last step reads /etc/shadow as openly";
constexpr const char* kOldHasNoMap = "runsc of 2022 has no sentry/mmap";
constexpr const char* kNoTripwire = "full has no tripwires";
constexpr const char* kBlinded =
    "full asks for cwd and process_name everywhere, so every message vanishes; what is left, "
    "exit_notify_parent or nothing, is no proof";

const std::vector<Attack>& Attacks() {
  static const std::vector<Attack> attacks = {
      {"path-race", {{kChanged, 135, 138, 0}, {kSensitiveRead, 200, 200, 0}}},
      {"proc-self-root", {{kSensitiveRead, 4, 4, 0}}},
      {"symlink", {{kSensitiveRead, 3, 3, 0}}},
      {"bad-path",
       {{kHidden, 0, 3, 0, "full has no tripwires, and no open came whose file could be corrected"},
        {kSensitiveRead, 0, 0, 0, "the path of the open is hidden with it", true}}},
      {"bad-link",
       {{kHidden, 0, 1, 0,
         "full: only a close/exit is left, and no enter of close has shown that they are asked "
         "for"}}},
      {"bad-cwd", {{kSensitiveRead, 0, 1, 0, kBlinded, true}}},
      {"bad-name", {{kSensitiveRead, 0, 1, 1, kBlinded, true}}},
      {"bad-argv",
       {{kHidden, 0, 1, 1, kNoTripwire}, {kSensitiveRead, 1, 1, 1, kTwinReadsToo, true}}},
      {"bad-env",
       {{kHidden, 0, 1, 0,
         "full has no tripwires; standard does not ask for envv, so the call is there and only "
         "sentry/execve is missing, as after an exec that fails on new runsc"},
        {kSensitiveRead, 1, 1, 1, kTwinReadsToo, true}}},
      {"big-argv", {{kLost, 1, 1, 1}, {kSensitiveRead, 1, 1, 1, kTwinReadsToo, true}}},
      {"big-env", {{kLost, 1, 1, 0}, {kSensitiveRead, 1, 1, 0, kTwinReadsToo, true}}},
      {"rename-self",
       {{kServerShell, 1, 0, 0,
         "the name that it gave itself is taken at its word; strict has no process_name, and goes "
         "by the program that was started"},
        {kSensitiveRead, 1, 1, 0, kTwinReadsToo, true}}},
      {"memfd-exec", {{kMemoryProgram, 2, 2, 2}}},
      {"ld-so", {{kLoader, 1, 1, 0}, {kNewCode, 1, 1, 0, kOldHasNoMap, false, true}}},
      {"mmap-exec", {{kNewCode, 1, 1, 0, kOldHasNoMap, false, true}}},
      {"renamed-copy", {{kNewExecutable, 1, 1, 0}}},
      {"drop-exec", {{kNewExecutable, 3, 3, 0}, {kBinaryWritten, 1, 1, 0}}},
      {"thread-exec",
       {},
       "aims at the state only: the old leader's exit must not end the process. It runs /bin/true"},
      {"exec-fails", {}, "nothing was started: there must be no alert about a program"},
      {"dup-socket", {{kSocketShell, 1, 1, 0}}},
      {"scm-rights", {{kSensitiveRead, 1, 1, 0}, {kPassedFile, 1, 1, 0}}},
      {"fd-tricks", {{kSensitiveRead, 1, 1, 0}}},
      {"fork-storm", {{kFlood, 1, 1, 0}}},
      {"exec-session",
       {{kSession, 2, 0, 0,
         "without process_name a process that nobody introduced has no name; the sessions that are "
         "generated ask for it at the enters of opens"},
        {kSensitiveRead, 1, 1, 1, "the twin does the same from inside", true}}},
      // Eight processes with threads that open and exec at once: there is no attack, only a twin.
      {"busy", {}, "honest work"},
  };
  return attacks;
}

struct Recording {
  std::string path;
  std::string runsc, name, session;  // "old", "symlink" or "symlink-benign", "strict"
};

void PrintTo(const Recording& recording, std::ostream* out) {
  *out << recording.runsc << " " << recording.name << " " << recording.session;
}

std::vector<Recording> Recordings() {
  std::vector<Recording> out;
  for (const char* runsc : {"old", "new"}) {
    const fs::path folder = fs::path(GYRFALCON_TEST_DATA) / "captures" / "attacks" / runsc;
    for (const auto& entry : fs::directory_iterator(folder)) {
      const fs::path stem = entry.path().stem();  // without .trace
      const std::string session =
          stem.has_extension() ? stem.extension().string().substr(1) : "full";
      out.push_back({entry.path(), runsc, stem.stem().string(), session});
    }
  }
  std::ranges::sort(out, {}, &Recording::path);
  return out;
}

std::shared_ptr<const RuleSet> ShippedRules() {
  static const auto rules = testing::LoadRulesForTest(
      {fs::path(GYRFALCON_TEST_DATA) / "../../rules/gyrfalcon_rules.yaml"});
  return rules;
}

constexpr std::string_view kBenign = "-benign";

class RecordedAttack : public ::testing::TestWithParam<Recording> {
 protected:
  void SetUp() override {
    std::string name = GetParam().name;
    is_twin_ = name.ends_with(kBenign);
    if (is_twin_) name.resize(name.size() - kBenign.size());
    const auto found = std::ranges::find(Attacks(), name, &Attack::name);
    ASSERT_NE(found, Attacks().end()) << "no row for " << name;
    attack_ = &*found;
    const testing::ReplayResult result = testing::ReplayForTest(GetParam().path, ShippedRules());
    paths_changed_ = static_cast<int>(result.totals.state[StateCounter::kPathsChanged]);
    for (const Alert& alert : result.alerts) {
      seen_[alert.rule] += HeldBack(alert) + (IsOfHeldBackOnly(alert) ? 0 : 1);
      told_ += alert.rule == kChanged ? 1 : 0;
      messages_ += alert.message + "\n";
    }
  }

  static int HeldBack(const Alert& alert) {
    const auto field = std::ranges::find(alert.fields, "gyrfalcon.held_back", &AlertField::name);
    return field == alert.fields.end() ? 0 : static_cast<int>(std::get<uint64_t>(field->value));
  }
  static bool IsOfHeldBackOnly(const Alert& alert) {
    return HeldBack(alert) != 0 &&
           std::ranges::find(alert.fields, "evt.type", &AlertField::name) == alert.fields.end();
  }

  int Seen(const std::string& rule) const {
    const auto found = seen_.find(rule);
    return found == seen_.end() ? 0 : found->second;
  }

  bool is_twin_ = false;
  const Attack* attack_ = nullptr;
  // By rule; those that a built-in alert tells to have been held back count.
  std::map<std::string, int> seen_;
  int told_ = 0;  // paths that changed, one by one
  int paths_changed_ = 0;
  std::string messages_;
};

INSTANTIATE_TEST_SUITE_P(Recordings, RecordedAttack, ::testing::ValuesIn(Recordings()),
                         [](const auto& test) {
                           std::string name =
                               test.param.runsc + "_" + test.param.name + "_" + test.param.session;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST_P(RecordedAttack, RaisesWhatItsRowSaysAndItsTwinDoesNot) {
  for (const Found& found : attack_->found) {
    const int expected = found.count(GetParam().runsc, GetParam().session);
    if (is_twin_) {
      if (!found.twin_too) {
        EXPECT_EQ(Seen(found.rule), 0) << found.rule << "\n" << messages_;
      }
    } else if (expected == 0) {
      EXPECT_EQ(Seen(found.rule), 0) << found.rule << ": the row is too modest\n" << messages_;
    } else {
      EXPECT_GE(Seen(found.rule), expected) << found.rule << "\n" << messages_;
    }
  }
  for (const auto& [rule, count] : seen_) {
    const bool listed = std::ranges::any_of(
        attack_->found, [&rule](const Found& found) { return rule == found.rule; });
    if (!is_twin_) {
      EXPECT_TRUE(listed) << rule << "\n" << messages_;
    }
    if (is_twin_) {
      EXPECT_FALSE(rule.starts_with("gyrfalcon: ")) << messages_;
    }
  }
}

TEST_P(RecordedAttack, TellsAllPathsThatChangedThoughNotEachByItself) {
  EXPECT_EQ(Seen(kChanged), paths_changed_);
  constexpr int kSecondsMax = 20;  // that a recording takes
  EXPECT_LE(told_, static_cast<int>(BuiltinThrottle::kBurst) + kSecondsMax);
}

TEST(Attacks, HaveARecordingOfEachAndAReasonForWhatIsNotSeen) {
  std::map<std::string, std::set<std::string>> sessions;  // by attack
  for (const Recording& recording : Recordings()) {
    sessions[recording.name].insert(recording.session);
  }
  for (const Attack& attack : Attacks()) {
    const std::string name = attack.name;
    if (name != "busy") {
      EXPECT_TRUE(sessions.contains(name)) << name;
    }
    EXPECT_TRUE(sessions.contains(name + std::string(kBenign))) << name;
    EXPECT_NE(attack.found.empty(), std::string_view(attack.unseen).empty()) << name;
    for (const Found& found : attack.found) {
      const bool unseen = std::ranges::any_of(sessions[name], [&found](const std::string& session) {
        return found.count("old", session) == 0;
      });
      if (unseen || found.twin_too) {
        EXPECT_STRNE(found.why, "") << name << ": " << found.rule;
      }
    }
  }
}

// tests/e2e/attacks_test.sh runs what that table says.
TEST(Attacks, ThatAreFoundRunLiveToo) {
  std::ifstream table(fs::path(GYRFALCON_TEST_DATA) / ".." / "attacks" / "expected.txt");
  std::map<std::string, std::string> live;  // the rule by attack
  for (std::string line; std::getline(table, line);) {
    const auto bar = line.find('|');
    if (line.starts_with('#') || bar == std::string::npos) continue;
    live[line.substr(0, bar)] = line.substr(bar + 1, line.find('|', bar + 1) - bar - 1);
  }
  for (const Attack& attack : Attacks()) {
    const bool is_found = std::ranges::any_of(
        attack.found, [](const Found& found) { return found.strict != 0 && !found.twin_too; });
    if (!is_found || attack.name == std::string_view("exec-session")) continue;
    EXPECT_TRUE(live.contains(attack.name) && live[attack.name] != "-") << attack.name;
  }
}

}  // namespace
}  // namespace gyrfalcon
