// `rules explain` held against the interpreter and against replays.
#include "engine/rule_report.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/observed_pipeline.h"
#include "engine/test_replay.h"
#include "rules/explanation.h"
#include "runsc/session_points.h"
#include "wire/capture_file.h"
#include "wire/capture_source.h"

namespace gyrfalcon {
namespace {

using testing::AllCaptures;
using testing::CapturesBelow;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::LoadRulesForTest;
using testing::ReplayForTest;
using testing::SharedPath;

const std::string kData = GYRFALCON_TEST_DATA;
const std::string kOwnRules = kData + "/../../rules/gyrfalcon_rules.yaml";
const std::string kHello = kData + "/captures/new/hello.trace";

LoadOptions Whole(RuleMatching matching) {
  LoadOptions options;
  options.matching = matching;
  options.keep_whole = true;
  return options;
}

std::shared_ptr<const RuleSet> RulesFromText(const std::string& yaml,
                                             RuleMatching matching = RuleMatching::kFirst) {
  RuleLoader loader(AllFields(), Whole(matching));
  loader.AddFile("test.yaml", yaml);
  EXPECT_TRUE(loader.successful()) << Diagnostics(loader.results(), loader.files(), false);
  return loader.Compile();
}

std::string RuleText(const std::string& name, const std::string& condition) {
  return "- rule: " + name + "\n  desc: d\n  condition: " + condition +
         "\n  output: x\n  priority: INFO\n";
}

RuleReport Explain(ExplainRequest request, std::string_view rule = {}) {
  request.rule = rule.empty() ? &request.rules->rules().front() : request.rules->Find(rule);
  auto report = ExplainRule(request);
  EXPECT_TRUE(report) << report.error().message;
  return report ? std::move(*report) : RuleReport();
}

// ---- the truth of every part is the interpreter's

class TruthOfParts final : public HappeningObserver, public AlertSink, public EvaluationTracer {
 public:
  explicit TruthOfParts(const RuleSet& rules) {
    for (const Rule& rule : rules.rules()) {
      asked_.emplace_back(&rule, std::make_unique<Explainer>(rule.condition));
    }
  }

  bool OnAlert(Alert) override { return true; }
  void OnCheck(const BoundCheck& check, Truth truth, const Value&) noexcept override {
    told_.emplace(&check, truth);
  }
  void OnGroup(const BoundCondition& group, bool truth) noexcept override {
    told_.emplace(&group, truth ? Truth::kTrue : Truth::kFalse);
  }

  void OnAsked(const Happening& happening, std::span<const Rule* const> matched) override {
    for (auto& [rule, explainer] : asked_) {
      if (!rule->event_types.test(happening.type.index)) continue;
      told_.clear();
      scratch_.Reset();
      const bool holds = Evaluate(rule->condition, happening, scratch_, this);
      const ExplainedPart& root = explainer->Explain(happening);
      ASSERT_EQ(root.holds(), holds) << rule->name << " at " << happening.number;
      ASSERT_EQ(root.holds(), root.to_hold == 0);
      const bool matches = std::ranges::find(matched, rule) != matched.end();
      ASSERT_EQ(holds && rule->enabled, matches) << rule->name;
      size_t decisive = 0;
      Compare(root, happening, decisive);
      ASSERT_EQ(decisive, told_.size()) << rule->name;
    }
  }

  size_t parts = 0;

 private:
  void Compare(const ExplainedPart& part, const Happening& happening, size_t& decisive) {
    ++parts;
    const void* key = part.condition;
    if (part.check() != nullptr) key = part.check();
    const auto told = told_.find(key);
    ASSERT_EQ(part.decisive, told != told_.end());
    if (told != told_.end()) {
      ++decisive;
      ASSERT_EQ(part.truth, told->second);
    } else if (part.check() != nullptr) {
      ASSERT_EQ(part.truth, Evaluate(*part.check(), happening, scratch_)) << part.check()->text;
    } else {
      ASSERT_EQ(part.holds(), Evaluate(*part.condition, happening, scratch_));
    }
    for (const ExplainedPart& child : part.children) Compare(child, happening, decisive);
  }

  std::vector<std::pair<const Rule*, std::unique_ptr<Explainer>>> asked_;
  std::map<const void*, Truth> told_;
  Scratch scratch_;
};

void CompareOn(const std::vector<std::string>& captures, const std::vector<std::string>& rules,
               size_t least_parts) {
  const auto loaded = LoadRulesForTest(rules, Whole(RuleMatching::kAll));
  TruthOfParts truth(*loaded);
  for (const std::string& capture : captures) {
    SCOPED_TRACE(capture);
    CaptureSource source({capture});
    ObservedPipeline pipeline(loaded, {}, truth, truth);
    Record record;
    while (source.Next(record) != SourceStatus::kEnd) pipeline.Process(record);
    if (::testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GE(truth.parts, least_parts);
}

TEST(RuleReport, HasTheInterpretersTruthOfEveryPart) {
  CompareOn(AllCaptures(), {kOwnRules}, 500'000);
}

TEST(RuleReport, HasTheInterpretersTruthOfEveryPartOfFalcosRules) {
  const std::string stable = SharedPath("falco-rules/falco_rules.yaml");
  if (stable.empty()) GTEST_SKIP() << "../shared/falco-rules is not there";
  CompareOn(CapturesBelow(std::string(GYRFALCON_SHARED) + "/captures"), {stable}, 500'000);
}

// ---- it says "fired" where a replay raises the alert

// Capture-wide: the numbers of the events at which each rule's alert is raised.
std::map<std::string, std::vector<uint64_t>> RaisedAt(const std::string& capture,
                                                      std::shared_ptr<const RuleSet> rules) {
  std::map<std::string, std::vector<uint64_t>> out;
  for (const Alert& alert : ReplayForTest(capture, std::move(rules)).alerts) {
    if (alert.rule.starts_with("gyrfalcon: ")) continue;
    for (const AlertField& field : alert.fields) {
      if (field.name != "evt.num") continue;
      out[alert.rule].push_back(std::get<uint64_t>(field.value));
    }
  }
  return out;
}

TEST(RuleReport, SaysFiredAtExactlyTheEventsAtWhichAReplayRaisesTheAlert) {
  LoadOptions replayed;
  replayed.matching = RuleMatching::kAll;
  replayed.append_output.push_back({.extra_fields = {{.key = "evt.num", .format = ""}}});
  const auto rules = LoadRulesForTest({kOwnRules}, replayed);
  const auto whole = LoadRulesForTest({kOwnRules}, Whole(RuleMatching::kAll));
  size_t fired = 0;
  std::set<std::string> rules_that_fired;
  for (const std::string& capture : AllCaptures()) {
    if (std::filesystem::file_size(capture) > 150'000) continue;
    const auto raised = RaisedAt(capture, rules);
    for (const Rule& rule : whole->rules()) {
      ExplainRequest request{.rules = whole, .rule = &rule, .captures = {capture}};
      const auto report = ExplainRule(request);
      ASSERT_TRUE(report) << report.error().message;
      std::vector<uint64_t> said;
      for (const auto& fired_at : report->fired_at) said.push_back(fired_at.second);
      const auto found = raised.find(rule.name);
      EXPECT_EQ(said, found == raised.end() ? std::vector<uint64_t>() : found->second)
          << rule.name << ", " << capture;
      fired += said.size();
      if (!said.empty()) rules_that_fired.insert(rule.name);
    }
  }
  EXPECT_GE(fired, 50u);
  EXPECT_GE(rules_that_fired.size(), 8u);
}

// ---- what it tells

TEST(RuleReport, PutsTheNearestMissesFirst) {
  const auto rules = RulesFromText(RuleText("Three",
                                            "evt.type = openat and evt.is_open_write = true and "
                                            "fd.directory = /nowhere and proc.name = touch"));
  const RuleReport report = Explain({.rules = rules, .captures = {kHello}, .limit = 100});
  EXPECT_EQ(report.fired, 0);
  EXPECT_EQ(report.messages, 198);
  ASSERT_GE(report.misses.size(), 2);
  EXPECT_EQ(report.miss_kinds, report.misses.size());
  const ShownEvent& nearest = report.misses.front();
  EXPECT_EQ(nearest.away, 1);
  ASSERT_EQ(nearest.causes.size(), 1);
  EXPECT_EQ(nearest.causes.front().check.text, "fd.directory = /nowhere");
  EXPECT_EQ(nearest.causes.front().check.seen, "/bin");
  EXPECT_EQ(nearest.process, "touch");
  uint64_t alike = 0;
  uint32_t away = 0;
  for (const ShownEvent& miss : report.misses) {
    EXPECT_GE(miss.away, away);
    EXPECT_EQ(miss.away, miss.causes.size());
    away = miss.away;
    alike += miss.alike;
  }
  EXPECT_EQ(alike, report.of_types);
}

TEST(RuleReport, ShowsOneEventInFull) {
  const auto rules = RulesFromText("- macro: written\n  condition: evt.is_open_write = true\n" +
                                   RuleText("One",
                                            "evt.type = openat and fd.name = /bin/no and "
                                            "written and fd.name != val(proc.exepath)"));
  const auto events = Explain({.rules = rules, .captures = {kHello}}).misses;
  ASSERT_FALSE(events.empty());
  const RuleReport report =
      Explain({.rules = rules, .captures = {kHello}, .event = events.front().number});
  // The second time by its true path: /bin is a link.
  ASSERT_EQ(report.events.size(), 2);
  EXPECT_FALSE(report.events.front().second_chance);
  EXPECT_TRUE(report.events.back().second_chance);
  EXPECT_EQ(report.event_point, "syscall/openat/exit");
  const ShownPart& root = *report.events.front().condition;
  ASSERT_EQ(root.children.size(), 4);
  EXPECT_EQ(root.children[0].state, PartState::kTrue);
  EXPECT_TRUE(root.children[0].decisive);
  EXPECT_EQ(root.children[1].state, PartState::kFalse);
  EXPECT_TRUE(root.children[1].decisive);
  EXPECT_EQ(root.children[1].seen, "/bin/foo");
  EXPECT_EQ(root.children[1].right, "/bin/no");
  EXPECT_EQ(root.children[2].from, "macro written");
  EXPECT_EQ(root.children[2].state, PartState::kTrue);
  EXPECT_FALSE(root.children[2].decisive);
  EXPECT_EQ(root.children[3].seen_right, "/usr/bin/touch");
}

TEST(RuleReport, SaysWhatAMessageIsThatTellsTheRulesNothing) {
  const auto rules = RulesFromText(RuleText("Open", "evt.type = openat"));
  const RuleReport report = Explain({.rules = rules, .captures = {kHello}, .event = 1});
  EXPECT_EQ(report.event_point, "container/start");
  ExplainRequest absent{.rules = rules, .captures = {kHello}, .event = 199};
  absent.rule = &rules->rules().front();
  const auto refused = ExplainRule(absent);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, Fault::kUsage);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("no event 199: it has 198 messages"));
}

// evt.num, and so a happening's number, leaves unreadable messages out; `dump` does not.
TEST(RuleReport, NumbersEventsAsDumpDoes) {
  const auto rules = RulesFromText(RuleText("Open", "evt.type = openat"));
  const RuleReport before = Explain({.rules = rules, .captures = {kHello}});
  ASSERT_FALSE(before.fired_at.empty());
  // The same with a message of an unknown type.
  CaptureSource source({kHello});
  const std::string path = ::testing::TempDir() + "gyrfalcon-explain.trace";
  auto writer = CaptureWriter::Create(path, {});
  ASSERT_TRUE(writer) << writer.error().message;
  const std::string junk("\x08\x00\xff\x7f\x00\x00\x00\x00", 8);
  Record record;
  uint64_t number = 0;
  while (source.Next(record) != SourceStatus::kEnd) {
    if (record.kind != RecordKind::kFrame) continue;
    if (++number == 10) {
      ASSERT_TRUE(writer->Append(std::as_bytes(std::span(junk))));
    }
    ASSERT_TRUE(writer->Append(record.frame));
  }
  ASSERT_TRUE(writer->Close());
  const RuleReport after = Explain({.rules = rules, .captures = {path}});
  std::filesystem::remove(path);
  EXPECT_EQ(after.messages, before.messages + 1);
  EXPECT_EQ(after.unreadable, 1);
  ASSERT_EQ(after.fired_at.size(), before.fired_at.size());
  for (size_t i = 0; i < before.fired_at.size(); ++i) {
    const uint64_t was = before.fired_at[i].second;
    EXPECT_EQ(after.fired_at[i].second, was < 10 ? was : was + 1);
  }
}

TEST(RuleReport, TellsMissingFromUnseen) {
  const std::string condition = "evt.type = execve and gyrfalcon.exe.sha256 exists";
  const auto rules = RulesFromText(RuleText("Hash", condition));
  const auto state_of = [&](std::optional<SentPoints> session) {
    const RuleReport report =
        Explain({.rules = rules, .captures = {kHello}, .session = std::move(session)});
    EXPECT_FALSE(report.misses.empty());
    return report.misses.empty() ? ShownPart() : report.misses.front().causes.front().check;
  };
  SentPoints asked = {{"sentry/execve", {}}};
  const ShownPart unseen = state_of(asked);
  EXPECT_EQ(unseen.state, PartState::kUnseen);
  EXPECT_THAT(unseen.unsent, ElementsAre(Unsent{"sentry/execve", "binary_sha256"}));
  // As far as the messages show: others have it.
  EXPECT_EQ(state_of(std::nullopt).state, PartState::kMissing);
  asked["sentry/execve"].optional.insert("binary_sha256");
  const ShownPart missing = state_of(asked);
  EXPECT_EQ(missing.state, PartState::kMissing);
  EXPECT_THAT(missing.unsent, IsEmpty());
}

TEST(RuleReport, TellsUnseenFromTheMessagesAlone) {
  const auto rules =
      RulesFromText(RuleText("Input", "evt.type = execve and proc.stdin.type = ipv4"));
  const RuleReport report =
      Explain({.rules = rules, .captures = {kData + "/captures/tuning/new/narrow.trace"}});
  ASSERT_FALSE(report.misses.empty());
  const ShownPart& check = report.misses.front().causes.front().check;
  EXPECT_EQ(check.state, PartState::kUnseen);
  EXPECT_THAT(check.unsent, ElementsAre(Unsent{"sentry/execve", "fd_info"}));
}

TEST(RuleReport, SaysWhichFieldsNoSessionTells) {
  const auto rules =
      RulesFromText(RuleText("Pod", "evt.type = execve and k8s.ns.name = x and proc.name = sh"));
  const RuleReport report = Explain({.rules = rules, .captures = {kHello}});
  ASSERT_FALSE(report.misses.empty());
  const ShownPart& check = report.misses.front().causes.front().check;
  EXPECT_EQ(check.state, PartState::kMissing);
  EXPECT_NE(check.note, "");
}

TEST(RuleReport, NamesPointsOfEventsThatNeverCame) {
  const auto rules = RulesFromText(RuleText("Calls", "evt.type in (ptrace, openat)"));
  const RuleReport report = Explain({.rules = rules, .captures = {kHello}});
  ASSERT_EQ(report.types.size(), 2);
  EXPECT_EQ(report.types[1].name, "ptrace");
  EXPECT_EQ(report.types[1].came, 0);
  EXPECT_FALSE(report.types[1].sent);
  ASSERT_EQ(report.unsent.size(), 1);
  EXPECT_EQ(report.unsent[0].what, (Unsent{"syscall/ptrace/exit", ""}));
  // Asked for, and it did not happen.
  SentPoints session = Sent(PointsFor(*rules, SessionProfile::kStandard));
  EXPECT_THAT(Explain({.rules = rules, .captures = {kHello}, .session = session}).unsent,
              IsEmpty());
}

TEST(RuleReport, SaysWhyARuleThatHeldDidNotFire) {
  const std::string both = RuleText("First", "evt.type = openat and fd.name = /bin/foo") +
                           RuleText("Second", "evt.type = openat and fd.name = /bin/foo");
  const auto first = RulesFromText(both);
  const RuleReport report = Explain({.rules = first, .captures = {kHello}}, "Second");
  EXPECT_EQ(report.fired, 0);
  ASSERT_EQ(report.held.size(), report.held_only);
  ASSERT_FALSE(report.held.empty());
  EXPECT_EQ(report.held.front().outcome, Outcome::kOtherFirst);
  EXPECT_EQ(report.held.front().winner, "First");
  EXPECT_NE(Explain({.rules = first, .captures = {kHello}}, "First").fired, 0);

  const auto all = RulesFromText(both, RuleMatching::kAll);
  EXPECT_NE(Explain({.rules = all, .captures = {kHello}}, "Second").fired, 0);

  const auto off = RulesFromText(both + "  enabled: false\n");
  const RuleReport disabled = Explain({.rules = off, .captures = {kHello}}, "Second");
  EXPECT_EQ(disabled.fired, 0);
  ASSERT_FALSE(disabled.held.empty());
  EXPECT_EQ(disabled.held.front().outcome, Outcome::kDisabled);
}

// An open by a link is told twice, and raises a rule once.
TEST(RuleReport, SaysThatARuleHadFiredForTheSameEvent) {
  const auto rules = RulesFromText(RuleText("Open", "evt.type in (open, openat)"));
  RuleReport told;
  for (const std::string& capture : CapturesBelow(kData + "/captures/attacks/new")) {
    told = Explain({.rules = rules, .captures = {capture}, .limit = 1});
    if (!told.held.empty()) break;
  }
  ASSERT_FALSE(told.held.empty());
  EXPECT_EQ(told.held.front().outcome, Outcome::kToldBefore);
  EXPECT_TRUE(told.held.front().second_chance);
}

}  // namespace
}  // namespace gyrfalcon
