// The shipped ruleset on real recordings: what each rule must find, and what it must leave alone.
// What was done in a recording stands in tests/data/captures/README.md.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "engine/test_replay.h"

namespace gyrfalcon {
namespace {

using testing::ReplayForTest;

const std::filesystem::path kCaptures = std::filesystem::path(GYRFALCON_TEST_DATA) / "captures";

// With what a daemon adds by default: the rules leave the container to it.
std::shared_ptr<const RuleSet> ShippedRules() {
  static const auto rules = testing::LoadRulesForTest(
      {std::filesystem::path(GYRFALCON_TEST_DATA) / "../../rules/gyrfalcon_rules.yaml"},
      {.append_output = {{.suggested_output = true}}});
  return rules;
}

constexpr const char* kBinaryWritten = "File below a binary directory opened for writing";
constexpr const char* kSensitiveRead = "Sensitive file read";
constexpr const char* kServerShell = "Shell spawned by a server";
constexpr const char* kSocketShell = "Shell connected to a network socket";
constexpr const char* kNewExecutable = "New executable run";
constexpr const char* kMemoryProgram = "Program run from memory";
constexpr const char* kMetadata = "Cloud metadata service contacted";
constexpr const char* kSshKeys = "SSH authorized keys written";
constexpr const char* kSchedule = "Scheduled task written";
constexpr const char* kStartUp = "Shell start-up file written";
constexpr const char* kCredentials = "Cloud or service credentials read";
constexpr const char* kSession = "Interactive session in a container";
constexpr const char* kPtrace = "Ptrace attach";
constexpr const char* kPreload = "Library preload file written";
constexpr const char* kAccounts = "Account or privilege file written";
constexpr const char* kAgentSettings = "Agent settings or git hook written";
constexpr const char* kEscape = "Escape attempt by a host interface";
constexpr const char* kLoader = "Program started through the dynamic loader";
constexpr const char* kMiner = "Coin miner run";
constexpr const char* kNewCode = "New code mapped";
constexpr const char* kPassedFile = "Sensitive file used through a passed descriptor";

constexpr int kOnNew = 1;
constexpr int kOnOld = 2;
constexpr int kOnBoth = kOnNew | kOnOld;

struct Found {
  const char* rule;
  int count;
  int runsc = kOnBoth;  // where it is found
};

struct Recording {
  const char* name;
  std::vector<Found> found;  // all of it: what is not listed must not fire
};

// Every alert of every recording, so each is a negative case of all rules that it does not name;
// those with no alert at all were made as near misses or are ordinary work.
const std::vector<Recording>& Recordings() {
  static const std::vector<Recording> recordings = {
      {"benign", {}},
      {"docker-hello", {}},
      {"fds", {}},
      {"hello", {{kBinaryWritten, 1}}},
      {"drift", {{kNewExecutable, 2}}},
      {"server-shell", {{kServerShell, 1}}},
      {"reverse-shells", {{kSocketShell, 4}}},
      {"revshell", {{kSocketShell, 1}}},
      {"memfd", {{kMemoryProgram, 2}}},
      {"metadata", {{kMetadata, 2}}},
      {"miner", {{kMiner, 2}}},
      {"net", {{kEscape, 1}}},
      {"credentials", {{kCredentials, 4}, {kSensitiveRead, 1}}},
      {"late-attach", {{kSession, 1}}},
      {"docker-exec", {{kSession, 3}, {kSensitiveRead, 1}}},
      {"priv", {{kPtrace, 2, kOnNew}, {kNewExecutable, 1}}},
      {"persistence",
       {{kSshKeys, 1},
        {kSchedule, 2},
        {kStartUp, 2},
        {kPreload, 1},
        {kAccounts, 1},
        {kAgentSettings, 2},
        {kEscape, 1},
        {kBinaryWritten, 1}}},
      {"attacks/ld-so", {{kLoader, 1}, {kNewCode, 1, kOnNew}}},
      {"attacks/ld-so-benign", {}},
      {"attacks/mmap-exec", {{kNewCode, 1, kOnNew}}},
      {"attacks/mmap-exec-benign", {}},
      {"attacks/scm-rights", {{kPassedFile, 1}, {kSensitiveRead, 1}}},
      {"attacks/scm-rights-benign", {}},
      {"attacks/scm-rights.strict", {{kPassedFile, 1}, {kSensitiveRead, 1}}},
      {"write-etc",
       {{kSshKeys, 1},
        {kSchedule, 2},
        {kStartUp, 2},
        {kPreload, 1},
        {kAccounts, 1},
        {kEscape, 1},
        {kBinaryWritten, 2}}},
  };
  return recordings;
}

// Recordings whose near misses are of just this rule.
const std::map<std::string, std::vector<const char*>>& NearMisses() {
  static const std::map<std::string, std::vector<const char*>> near_misses = {
      {kBinaryWritten, {"benign", "drift"}},      // /usr/local/bin, /var/tmp; ls /bin
      {kSensitiveRead, {"benign", "net"}},        // /etc/passwd, /etc/group
      {kServerShell, {"benign"}},                 // a server that starts another program
      {kSocketShell, {"benign", "net"}},          // echo >/dev/tcp, cat <&3; sockets, no shell
      {kNewExecutable, {"benign", "hello"}},      // files written, none of them run
      {kMemoryProgram, {"benign", "drift"}},      // run from a file
      {kMetadata, {"benign", "net"}},             // DNS to the same address
      {kSshKeys, {"benign", "credentials"}},      // known_hosts, a private key
      {kSchedule, {"benign"}},                    // /var/tmp/cron.log, /etc/cron
      {kStartUp, {"benign"}},                     // /tmp/bashrc
      {kCredentials, {"benign", "persistence"}},  // .aws/config, /proc/self/environ
      {kSession, {"benign", "hello", "docker-hello"}},  // shells of the container itself
      {kLoader, {"attacks/ld-so-benign"}},              // the loader with a program of the image
      {kPtrace, {"benign"}},                            // PTRACE_TRACEME
      {kPreload, {"benign", "fds"}},                    // other files below /etc
      {kAccounts, {"benign", "fds"}},                   // read only; /etc/new-file
      {kAgentSettings, {"benign"}},                     // pre-commit.sample
      {kEscape, {"benign"}},                            // a server's own unix socket
      {kMiner, {"benign", "drift"}},                    // a program called miner, without a pool
      {kNewCode, {"attacks/ld-so-benign", "attacks/mmap-exec-benign"}},  // bash of the image
      {kPassedFile, {"attacks/scm-rights-benign", "credentials"}},       // passwd; opened itself
  };
  return near_misses;
}

// "attacks/NAME" lies in attacks/RUNSC/NAME.
std::string PathOf(const std::string& runsc, const std::string& name) {
  const std::filesystem::path path(name);
  return kCaptures / path.parent_path() / runsc / (path.filename().string() + ".trace");
}

struct Case {
  std::string runsc;
  const Recording* recording;
};

void PrintTo(const Case& test, std::ostream* out) {
  *out << test.runsc << "/" << test.recording->name;
}

std::vector<Case> AllCases() {
  std::vector<Case> cases;
  for (const char* runsc : {"old", "new"}) {
    for (const Recording& recording : Recordings()) cases.push_back({runsc, &recording});
  }
  return cases;
}

std::string NameOfCase(const ::testing::TestParamInfo<Case>& info) {
  std::string name = info.param.runsc + "_" + info.param.recording->name;
  std::ranges::replace_if(name, [](char c) { return c == '-' || c == '/' || c == '.'; }, '_');
  return name;
}

class ShippedRule : public ::testing::TestWithParam<Case> {
 protected:
  testing::ReplayResult Replay() const {
    return ReplayForTest(PathOf(GetParam().runsc, GetParam().recording->name), ShippedRules());
  }
};

TEST_P(ShippedRule, FindsWhatWasDoneAndNothingElse) {
  const int here = GetParam().runsc == "old" ? kOnOld : kOnNew;
  std::map<std::string, int> expected;
  for (const Found& found : GetParam().recording->found) {
    if ((found.runsc & here) != 0) expected[found.rule] = found.count;
  }
  std::map<std::string, int> seen;
  std::string messages;
  for (const Alert& alert : Replay().alerts) {
    ++seen[alert.rule];
    messages += alert.message + "\n";
  }
  EXPECT_EQ(seen, expected) << messages;
}

bool SaysNothing(const AlertField& field) {
  const auto* text = std::get_if<std::string>(&field.value);
  return std::holds_alternative<std::monostate>(field.value) ||
         (text != nullptr && (text->empty() || *text == "<NA>"));
}

// Which file, program or address it was. Parents and containers' names may be unknown.
TEST_P(ShippedRule, SaysWhatItIsAbout) {
  constexpr auto kAlwaysKnown = std::to_array<std::string_view>(
      {"fd.name", "fd.sip", "fd.sport", "proc.cmdline", "proc.pid", "proc.stdin.name",
       "proc.stdout.name", "container.id", "user.uid", "evt.type", "evt.res", "evt.arg.request"});
  for (const Alert& alert : Replay().alerts) {
    EXPECT_TRUE(std::ranges::any_of(alert.fields, [](const AlertField& field) {
      return field.name == "container.id";
    })) << alert.rule;
    EXPECT_EQ(alert.message.find("container_id="), alert.message.rfind("container_id="))
        << "twice in " << alert.message;
    // Elsewhere the file may be unknown: what runs from the container's start on, or by an exec
    // session, was never seen to be started.
    const bool knows_program = alert.rule == kNewExecutable || alert.rule == kMemoryProgram;
    for (const AlertField& field : alert.fields) {
      const bool must_say = std::ranges::find(kAlwaysKnown, field.name) != kAlwaysKnown.end() ||
                            (knows_program && field.name == "proc.exepath");
      EXPECT_FALSE(must_say && SaysNothing(field)) << field.name << " in " << alert.message;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Recordings, ShippedRule, ::testing::ValuesIn(AllCases()), NameOfCase);

TEST(ShippedRuleset, HasAPositiveAndANegativeCaseForEachRule) {
  std::map<std::string, std::set<std::string>> found_in;
  for (const Recording& recording : Recordings()) {
    for (const Found& found : recording.found) found_in[found.rule].insert(recording.name);
  }
  std::set<std::string> shipped;
  for (const Rule& rule : ShippedRules()->rules()) {
    shipped.insert(rule.name);
    EXPECT_TRUE(found_in.contains(rule.name)) << "no recording shows: " << rule.name;
    EXPECT_TRUE(NearMisses().contains(rule.name)) << "no near miss of: " << rule.name;
  }
  for (const auto& [rule, recordings] : NearMisses()) {
    EXPECT_TRUE(shipped.contains(rule)) << "not shipped: " << rule;
    for (const char* name : recordings) {
      EXPECT_TRUE(std::ranges::any_of(Recordings(), [&](const Recording& recording) {
        return recording.name == std::string_view(name) && !found_in[rule].contains(name);
      })) << name;
    }
  }
}

TEST(ShippedRuleset, HasNothingToWarnAbout) {
  const std::string path =
      std::filesystem::path(GYRFALCON_TEST_DATA) / "../../rules/gyrfalcon_rules.yaml";
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  RuleLoader loader(AllFields());
  loader.AddFile("gyrfalcon_rules.yaml", text);
  ASSERT_EQ(loader.results().size(), 1u);
  EXPECT_TRUE(loader.results().front().successful());
  EXPECT_TRUE(loader.results().front().warnings.empty())
      << Diagnostics(loader.results(), loader.files(), false);
}

// A responder reads the description, a dashboard sorts by tags, and the engine by event types.
TEST(ShippedRuleset, ExplainsEachRule) {
  for (const Rule& rule : ShippedRules()->rules()) {
    EXPECT_GT(rule.desc.size(), 150u) << rule.name;
    EXPECT_TRUE(std::ranges::any_of(
        rule.tags,
        [](const std::string& tag) { return tag.size() >= 5 && tag[0] == 'T' && tag[1] == '1'; }))
        << "no MITRE technique: " << rule.name;
    EXPECT_LT(rule.event_types.count(), 10u) << rule.name;
  }
}

}  // namespace
}  // namespace gyrfalcon
