#include "runsc/coverage.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "rules/test_rules.h"
#include "runsc/coverage_mend.h"
#include "runsc/known_runsc.h"

namespace gyrfalcon {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const SentPoints& Debian() {
  return PointsOf(KnownRunscs().front());
}

std::shared_ptr<const RuleSet> Load(const std::vector<std::pair<std::string, std::string>>& files,
                                    bool enable_all = false) {
  LoadOptions options;
  options.keep_whole = true;
  if (enable_all) {
    options.selection.push_back({.by = RuleSelection::By::kPattern, .text = "*", .enable = true});
  }
  return LoadTestRules(files, std::move(options));
}

std::shared_ptr<const RuleSet> Rule(const std::string& condition, const std::string& output = "o") {
  return Load({{"r.yaml", RuleText(condition, output)}});
}

SentPoints Generated(const RuleSet& rules) {
  return Sent(PointsFor(rules, SessionProfile::kStandard));
}

RuleCoverage Cover(const RuleSet& rules, const SentPoints& sent,
                   const SentPoints& known = NewestPoints()) {
  const SentPoints wanted = Generated(rules);
  const Coverage coverage = CoverageOf(rules, Intersect(sent, known), known, &wanted);
  return coverage.rules.at(0);
}

// Under the session that would be generated for it.
RuleCoverage Cover(const std::string& condition, const std::string& output = "o",
                   const SentPoints& known = NewestPoints()) {
  const auto rules = Rule(condition, output);
  return Cover(*rules, Generated(*rules), known);
}

SentPoints Without(SentPoints points, std::string_view name) {
  EXPECT_TRUE(points.contains(name)) << name;
  points.erase(std::string(name));
  return points;
}

SentPoints WithoutContext(SentPoints points, std::string_view field) {
  for (auto& [name, point] : points) point.context.erase(std::string(field));
  return points;
}

const Gap& GapOf(const RuleCoverage& coverage, std::string_view what) {
  static const Gap kNone;
  for (const auto* gaps : {&coverage.missing, &coverage.notes}) {
    for (const Gap& gap : *gaps) {
      if (gap.field == what || gap.point == what) return gap;
    }
  }
  ADD_FAILURE() << "no gap of " << what;
  return kNone;
}

TEST(Coverage, IsFullWhereAllIsSentThatTheRuleAsksFor) {
  for (const char* condition :
       {"evt.type in (open, openat) and fd.name = /etc/shadow and proc.pname = sh",
        "evt.type = execve and proc.tty != 0 and user.uid = 0 and proc.cwd = /tmp/",
        "evt.type = connect and fd.sip = 1.2.3.4 and fd.l4proto = tcp",
        "evt.type in (dup, dup2, dup3) and fd.type = ipv4 and proc.stdin.type = ipv4",
        "evt.type = unlink and proc.name = rm", "proc.name = x"}) {
    const RuleCoverage coverage = Cover(condition, "%proc.cmdline %user.name %container.id");
    EXPECT_EQ(coverage.status, CoverageStatus::kFull) << condition;
    EXPECT_THAT(coverage.missing, IsEmpty()) << condition;
  }
}

TEST(Coverage, WithoutAnyEventOfItARuleIsBlindAndThePointsAreNamed) {
  const auto rules = Rule("evt.type = connect and fd.sport = 22");
  const RuleCoverage coverage = Cover(*rules, Without(Generated(*rules), "syscall/connect/exit"));
  EXPECT_EQ(coverage.status, CoverageStatus::kBlind);
  const Gap& gap = GapOf(coverage, "syscall/connect/exit");
  EXPECT_THAT(gap.event_types, ElementsAre("connect"));
  ASSERT_EQ(gap.mend.size(), 1u);
  EXPECT_TRUE(gap.mend[0].known);
  EXPECT_FALSE(gap.mend[0].sent);
  EXPECT_TRUE(gap.mend[0].entry.context.contains("container_id"));
  EXPECT_GT(gap.mend[0].messages_per_1000, 0);
}

TEST(Coverage, ItsFirstReasonNamesTheFieldOrThePointWhereThereIsOne) {
  RuleCoverage rule;
  EXPECT_EQ(FirstReason(rule), "");
  rule.missing = {{.why = "nothing does"},
                  {.point = "syscall/read/exit", .why = "no read is told"}};
  EXPECT_EQ(FirstReason(rule), "nothing does");
  rule.missing.front().point = "syscall/open/exit";
  EXPECT_EQ(FirstReason(rule), "syscall/open/exit: nothing does");
  rule.missing.front() = {.field = "fd.name", .why = "nobody tells it"};
  EXPECT_EQ(FirstReason(rule), "fd.name: nobody tells it");
}

TEST(Coverage, OneTypeOfSeveralThatNeverComesDegrades) {
  const auto rules = Rule("evt.type in (openat, creat) and fd.name = x");
  const RuleCoverage coverage = Cover(*rules, Without(Generated(*rules), "syscall/creat/exit"));
  EXPECT_EQ(coverage.status, CoverageStatus::kDegraded);
  EXPECT_EQ(GapOf(coverage, "syscall/creat/exit").effects, kMisses);
}

TEST(Coverage, AnEnterAloneIsNoEvent) {
  const auto rules = Rule("evt.type = ptrace");
  SentPoints sent = Without(Generated(*rules), "syscall/ptrace/exit");
  sent["syscall/ptrace/enter"] = {};
  EXPECT_EQ(Cover(*rules, sent).status, CoverageStatus::kBlind);
}

// Without credentials every process looks like root.
TEST(Coverage, AFactThatNobodyTellsDecidesAsItsDefaultDoes) {
  const auto others = Rule("evt.type = openat and user.uid != 0");
  const RuleCoverage blind = Cover(*others, WithoutContext(Generated(*others), "credentials"));
  EXPECT_EQ(blind.status, CoverageStatus::kBlind);
  const Gap& gap = GapOf(blind, "user.uid");
  EXPECT_THAT(gap.parts, ElementsAre("user.uid != 0"));
  ASSERT_FALSE(gap.mend.empty());
  EXPECT_EQ(gap.mend[0].point, "syscall/openat/exit");
  EXPECT_TRUE(gap.mend[0].entry.context.contains("credentials"));
  EXPECT_TRUE(gap.mend[0].sent);
  EXPECT_EQ(gap.mend[0].messages_per_1000, 0);

  const auto root = Rule("evt.type = openat and user.uid = 0");
  const RuleCoverage loud = Cover(*root, WithoutContext(Generated(*root), "credentials"));
  EXPECT_EQ(loud.status, CoverageStatus::kDegraded);
  EXPECT_EQ(GapOf(loud, "user.uid").effects, kOverAlerts);
}

TEST(Coverage, WhatOtherMessagesStillTellIsUnsure) {
  const auto rules = Rule("evt.type = openat and user.uid != 0");
  SentPoints sent = Generated(*rules);
  sent["syscall/openat/exit"].context.erase("credentials");
  sent["sentry/execve"].context.insert("credentials");
  const RuleCoverage coverage = Cover(*rules, sent);
  EXPECT_EQ(coverage.status, CoverageStatus::kDegraded);
  EXPECT_EQ(GapOf(coverage, "user.uid").effects, kUnsure);
}

TEST(Coverage, AFieldThatGVisorNeverTellsBlindsOrHasAnExceptionNeverApply) {
  const RuleCoverage blind =
      Cover("evt.type = openat and thread.cap_effective contains CAP_SYS_ADMIN");
  EXPECT_EQ(blind.status, CoverageStatus::kBlind);
  EXPECT_EQ(GapOf(blind, "thread.cap_effective").effects, kMisses);
  EXPECT_THAT(GapOf(blind, "thread.cap_effective").substitute, HasSubstr("user.uid"));
  const RuleCoverage loud =
      Cover("evt.type = openat and not thread.cap_effective contains CAP_SYS_ADMIN");
  EXPECT_EQ(loud.status, CoverageStatus::kDegraded);
  EXPECT_EQ(GapOf(loud, "thread.cap_effective").effects, kOverAlerts);
  EXPECT_EQ(Cover("evt.type = openat", "%thread.cap_effective").missing.at(0).effects, kNotShown);
}

TEST(Coverage, OneBranchOfTwoThatCanNeverBeTrueDegrades) {
  const RuleCoverage coverage =
      Cover("evt.type = connect and (fd.sip.name = x.org or fd.sip = 1.2.3.4)");
  EXPECT_EQ(coverage.status, CoverageStatus::kDegraded);
  EXPECT_THAT(GapOf(coverage, "fd.sip.name").parts, ElementsAre("fd.sip.name = x.org"));
}

TEST(Coverage, WhatTheHostKnowsChangesTheVerdictOnlyWhereItFinds) {
  const RuleCoverage exception =
      Cover("evt.type = openat and not container.image.repository = x", "%container.name");
  EXPECT_EQ(exception.status, CoverageStatus::kFull);
  EXPECT_EQ(GapOf(exception, "container.image.repository").effects, kUnsure);
  EXPECT_EQ(GapOf(exception, "container.name").effects, kUnsure);
  EXPECT_EQ(Cover("evt.type = openat and container.privileged = true").status,
            CoverageStatus::kDegraded);
  EXPECT_EQ(Cover("evt.type = openat and (not container.image.tag = a or proc.name = x)").status,
            CoverageStatus::kDegraded);
}

TEST(Coverage, RawPointsHaveNoPaths) {
  const RuleCoverage blind = Cover("evt.type = unlink and evt.arg.path = /x");
  EXPECT_EQ(blind.status, CoverageStatus::kBlind);
  EXPECT_THAT(GapOf(blind, "evt.arg.path").mend, IsEmpty());
  EXPECT_THAT(GapOf(blind, "evt.arg.path").substitute, HasSubstr("raw point"));
  EXPECT_EQ(Cover("evt.type = unlinkat and evt.arg.flags contains AT_REMOVEDIR").status,
            CoverageStatus::kFull);
  EXPECT_EQ(Cover("evt.type = unlink", "%evt.arg.path").status, CoverageStatus::kDegraded);
  // An argument that the call does not have is no gap, and no answer either.
  EXPECT_EQ(Cover("evt.type = rename and evt.arg.path = /x").status, CoverageStatus::kBlind);
}

TEST(Coverage, ATripwireWithoutItsTwinTellsTheCallAndNothingOfIt) {
  const auto rules = Rule("evt.type = openat and evt.is_open_write = true");
  SentPoints sent = Without(Generated(*rules), "syscall/openat/exit");
  for (const char* side : {"enter", "exit"}) {
    sent["syscall/sysno/257/" + std::string(side)].context = {"time", "thread_id", "container_id"};
  }
  const RuleCoverage coverage = Cover(*rules, sent);
  EXPECT_EQ(coverage.status, CoverageStatus::kBlind);
  const Gap& gap = GapOf(coverage, "evt.is_open_write");
  ASSERT_EQ(gap.mend.size(), 1u);
  EXPECT_EQ(gap.mend[0].point, "syscall/openat/exit");
}

TEST(Coverage, OnAnOlderRunscTheMendIsANewerOne) {
  const RuleCoverage mapped = Cover("evt.type = map_file", "o", Debian());
  EXPECT_EQ(mapped.status, CoverageStatus::kBlind);
  ASSERT_FALSE(GapOf(mapped, "sentry/mmap").mend.empty());
  EXPECT_FALSE(GapOf(mapped, "sentry/mmap").mend[0].known);
  const RuleCoverage hash = Cover("evt.type = execve and gyrfalcon.exe.sha256 = x", "o", Debian());
  EXPECT_EQ(hash.status, CoverageStatus::kBlind);
  EXPECT_FALSE(GapOf(hash, "gyrfalcon.exe.sha256").mend.at(0).known);
}

TEST(Coverage, StartsThatAreOnlyConcludedOrOfContainersDegrade) {
  const auto rules = Rule("evt.type = execve and proc.exepath = /bin/x");
  const SentPoints concluded = Without(Generated(*rules), "sentry/execve");
  EXPECT_EQ(Cover(*rules, concluded).status, CoverageStatus::kDegraded);
  EXPECT_THAT(GapOf(Cover(*rules, concluded), "sentry/execve").why, HasSubstr("concluded"));
  const SentPoints firsts = {{"container/start", Generated(*rules).at("container/start")}};
  EXPECT_THAT(GapOf(Cover(*rules, firsts), "sentry/execve").why, HasSubstr("first programs"));
}

TEST(Coverage, CallsOfExecThatFailNeedTheirOwnPoint) {
  const auto rules = Rule("evt.type = execve and evt.res = ENOENT");
  EXPECT_EQ(Cover(*rules, Generated(*rules)).status, CoverageStatus::kFull);
  EXPECT_EQ(Cover(*rules, Without(Generated(*rules), "syscall/execve/exit")).status,
            CoverageStatus::kBlind);
  const auto started = Rule("evt.type = execve and evt.res = SUCCESS");
  EXPECT_EQ(Cover(*started, Without(Generated(*started), "syscall/execve/exit")).status,
            CoverageStatus::kFull);
}

TEST(Coverage, WhatGVisorRefusesIsSeenAsAnAttemptOnly) {
  EXPECT_EQ(Cover("evt.type = init_module").status, CoverageStatus::kFull);
  const RuleCoverage coverage = Cover("evt.type = init_module and evt.rawres >= 0");
  EXPECT_EQ(coverage.status, CoverageStatus::kBlind);
  ASSERT_EQ(coverage.missing.size(), 1u);
  EXPECT_THAT(coverage.missing[0].why, HasSubstr("gVisor refuses init_module"));
  // Beside what works it is no loss.
  EXPECT_EQ(Cover("evt.type in (openat, userfaultfd) and evt.rawres >= 0").status,
            CoverageStatus::kFull);
}

TEST(Coverage, AnEventThatGVisorDoesNotHaveIsNamed) {
  const RuleCoverage coverage = Cover("evt.type in (openat, signaldeliver)");
  EXPECT_EQ(coverage.status, CoverageStatus::kDegraded);
  EXPECT_THAT(coverage.missing.at(0).event_types, ElementsAre("signaldeliver"));
}

TEST(Coverage, AConditionThatRulesItselfOutIsBlindWhateverIsSent) {
  EXPECT_EQ(Cover("evt.type = openat and evt.type = close").status, CoverageStatus::kBlind);
}

TEST(Coverage, AFieldThatItsEventsNeverHaveIsNamedWithWhatToAskInstead) {
  const RuleCoverage coverage = Cover("evt.type in (rename, renameat) and fd.name startswith /bin");
  EXPECT_EQ(coverage.status, CoverageStatus::kBlind);
  ASSERT_EQ(coverage.missing.size(), 1u);
  const Gap& gap = coverage.missing.front();
  EXPECT_EQ(gap.field, "fd.name");
  EXPECT_THAT(gap.event_types, ElementsAre("rename", "renameat"));
  EXPECT_THAT(gap.why, HasSubstr("never have it"));
  EXPECT_THAT(gap.substitute, HasSubstr("raw point"));
}

TEST(Coverage, ARuleWithoutTypesIsBlindOnlyWhereNothingComes) {
  const auto rules = Rule("proc.name = x");
  EXPECT_EQ(Cover(*rules, {}).status, CoverageStatus::kBlind);
  SentPoints one = {{"syscall/openat/exit", Generated(*rules).at("syscall/openat/exit")}};
  EXPECT_NE(Cover(*rules, one).status, CoverageStatus::kBlind);
}

TEST(Coverage, ADisabledRuleIsNotAsked) {
  const auto rules = Load({{"r.yaml",
                            "- rule: r\n  desc: d\n  condition: evt.type = open\n  output: o\n"
                            "  priority: INFO\n  enabled: false\n"}});
  EXPECT_THAT(CoverageOf(*rules, {}, NewestPoints(), nullptr).rules, IsEmpty());
}

TEST(Coverage, AConnectionsOwnEndIsNotShownByConnect) {
  const RuleCoverage coverage = Cover("evt.type = connect", "%fd.rip %fd.lport");
  EXPECT_EQ(coverage.status, CoverageStatus::kDegraded);
  ASSERT_EQ(coverage.missing.size(), 1u);
  EXPECT_EQ(coverage.missing[0].field, "fd.lport");
}

TEST(Coverage, RatesAreThoseOfTheRecordingsAndATwinsOfItsCall) {
  EXPECT_GT(PointRate("syscall/read/exit"), 100);
  EXPECT_GT(PointRate("syscall/openat/exit"), 10);
  EXPECT_LT(PointRate("syscall/ptrace/exit"), 1);
  EXPECT_EQ(PointRate("syscall/sysno/0/exit"), PointRate("syscall/read/exit"));
}

// ---- rule files as they are

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::pair<std::string, std::string>> FalcosFiles() {
  std::vector<std::pair<std::string, std::string>> out;
  for (const char* name :
       {"falco_rules", "falco-incubating_rules", "falco-sandbox_rules", "falco-deprecated_rules"}) {
    const std::string path = std::string(GYRFALCON_SHARED) + "/falco-rules/" + name + ".yaml";
    if (!std::ifstream(path)) return {};
    out.emplace_back(path, ReadText(path));
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> OurFile() {
  const std::string path = std::string(GYRFALCON_TEST_DATA) + "/../../rules/gyrfalcon_rules.yaml";
  return {{path, ReadText(path)}};
}

TEST(Coverage, OurRulesSeeAllUnderTheirSessionAndLessOnTheOlderRunsc) {
  const auto rules = Load(OurFile());
  const SentPoints wanted = Generated(*rules);
  const Coverage now = CoverageOf(*rules, wanted, NewestPoints(), &wanted);
  EXPECT_EQ(now.full, now.rules.size());
  const Coverage old = CoverageOf(*rules, Intersect(wanted, Debian()), Debian(), &wanted);
  std::vector<std::string> blind;
  for (const RuleCoverage& rule : old.rules) {
    if (rule.status == CoverageStatus::kBlind) blind.push_back(rule.rule);
  }
  EXPECT_THAT(blind, ElementsAre("New code mapped", "Ptrace attach"));
}

// Whoever follows the mends, from nothing on, sees what the generated session shows.
void ExpectMendsToMend(const RuleSet& rules) {
  const SentPoints wanted = Generated(rules);
  const Coverage expected = CoverageOf(rules, wanted, NewestPoints(), &wanted);
  SentPoints sent;
  for (int round = 0; round < 4; ++round) {
    const Coverage now = CoverageOf(rules, sent, NewestPoints(), &wanted);
    for (const RuleCoverage& rule : now.rules) {
      for (const Gap& gap : rule.missing) {
        for (const Mend& mend : gap.mend) {
          EXPECT_TRUE(mend.known) << rule.rule << " " << mend.point;
          sent[mend.point] = mend.entry;
        }
      }
    }
  }
  const Coverage mended = CoverageOf(rules, sent, NewestPoints(), &wanted);
  for (size_t i = 0; i < mended.rules.size(); ++i) {
    EXPECT_EQ(Name(mended.rules[i].status), Name(expected.rules[i].status)) << mended.rules[i].rule;
    for (const Gap& gap : mended.rules[i].missing) {
      EXPECT_THAT(gap.mend, IsEmpty()) << mended.rules[i].rule << " " << gap.point << gap.field;
    }
  }
}

TEST(Coverage, MendsMendOurRules) {
  ExpectMendsToMend(*Load(OurFile()));
}

TEST(Coverage, MendsMendFalcosRules) {
  const auto files = FalcosFiles();
  if (files.empty()) GTEST_SKIP() << "no ../shared/falco-rules";
  ExpectMendsToMend(*Load(files, true));
}

// The verdicts that people reached by reading: "| rule | on | events | **yes** | …".
std::map<std::string, std::string> SpecVerdicts(const std::string& text) {
  std::map<std::string, std::string> out;
  std::stringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::string> cells;
    std::stringstream row(line);
    for (std::string cell; std::getline(row, cell, '|');) cells.push_back(cell);
    if (cells.size() < 6 || !cells[4].starts_with(" **")) continue;
    const std::string name = cells[1].substr(1, cells[1].size() - 2);
    const std::string verdict = cells[4].substr(3, cells[4].find("**", 3) - 3);
    out[name] = verdict == "yes" ? "full" : verdict;
  }
  return out;
}

// tests/conformance/coverage-deviations.json: {"RULE": {"read","ours","why"}}.
TEST(Coverage, OfFalcosRulesIsWhatPeopleReadOutOfThemButForListedDeviations) {
  const auto files = FalcosFiles();
  const std::string spec = std::string(GYRFALCON_SHARED) + "/spec/rules-coverage.md";
  if (files.empty() || !std::ifstream(spec)) GTEST_SKIP() << "no ../shared/spec/rules-coverage.md";
  const auto read = SpecVerdicts(ReadText(spec));
  ASSERT_EQ(read.size(), 97u);
  const auto deviations = nlohmann::json::parse(
      ReadText(std::string(GYRFALCON_TEST_DATA) + "/../conformance/coverage-deviations.json"));
  const auto rules = Load(files, true);
  const SentPoints wanted = Generated(*rules);
  const Coverage coverage = CoverageOf(*rules, wanted, NewestPoints(), &wanted);
  EXPECT_EQ(coverage.rules.size(), 97u);
  size_t deviating = 0;
  for (const RuleCoverage& rule : coverage.rules) {
    const std::string ours(Name(rule.status));
    if (deviations.contains(rule.rule)) {
      ++deviating;
      const auto& row = deviations[rule.rule];
      EXPECT_EQ(row["read"], read.at(rule.rule)) << rule.rule;
      EXPECT_EQ(row["ours"], ours) << rule.rule;
      EXPECT_NE(row["read"], row["ours"]) << rule.rule;
      EXPECT_FALSE(row["why"].get<std::string>().empty());
    } else {
      EXPECT_EQ(ours, read.at(rule.rule)) << rule.rule;
    }
  }
  EXPECT_EQ(deviating, deviations.size());
}

TEST(KnownRunsc, TellsWhichOfTheTwoIsTheFirstWithAPointOrField) {
  ASSERT_EQ(KnownRunscs().size(), 2u);
  EXPECT_EQ(Debian().size(), 991u);
  EXPECT_EQ(NewestPoints().size(), 998u);
  EXPECT_EQ(FirstWith("sentry/clone")->name, "debian");
  EXPECT_EQ(FirstWith("sentry/mmap")->name, "current");
  EXPECT_EQ(FirstWith("sentry/execve", "binary_info")->name, "debian");
  EXPECT_EQ(FirstWith("sentry/execve", "fd_info")->name, "current");
  EXPECT_EQ(FirstWith("sentry/clone", "is_exec_session")->name, "current");
  EXPECT_EQ(FirstWith("sentry/nothing"), nullptr);
}

}  // namespace
}  // namespace gyrfalcon
