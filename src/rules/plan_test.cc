// The compiled plan: its indexes and guards by themselves, and its answers against the
// interpreter's on random rules and happenings.
#include "rules/plan.h"

#include <cstdlib>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "rules/matcher.h"
#include "rules/random_happenings.h"
#include "rules/random_rules.h"
#include "rules/rule_loader.h"
#include "rules/test_catalog.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

[[maybe_unused]] const int kMoreCases = setenv("RC_PARAMS", "max_success=1000", 0);

std::vector<uint32_t> Marks(const TextIndex& index, std::string_view text) {
  std::vector<uint32_t> marks;
  index.Find(text, [&](uint32_t mark) { marks.push_back(mark); });
  std::ranges::sort(marks);
  return marks;
}

TEST(TextIndex, FindsWholesAndEveryPrefix) {
  TextIndex index;
  index.AddWhole("/etc/shadow", 1);
  index.AddPrefix("/etc", 2);
  index.AddPrefix("/etc/", 3);
  index.AddPrefix("/etc/sh", 4);
  index.AddPrefix("/etc/", 5);
  index.AddPrefix("/usr", 6);
  index.Seal();
  using Found = std::vector<uint32_t>;
  EXPECT_EQ(Marks(index, "/etc/shadow"), (Found{1, 2, 3, 4, 5}));
  EXPECT_EQ(Marks(index, "/etc/passwd"), (Found{2, 3, 5}));
  EXPECT_EQ(Marks(index, "/etcetera"), (Found{2}));
  EXPECT_EQ(Marks(index, "/usr"), (Found{6}));
  EXPECT_EQ(Marks(index, "/et"), Found());
  EXPECT_EQ(Marks(index, ""), Found());
  EXPECT_EQ(Marks(index, "zzz"), Found());
}

RC_GTEST_PROP(TextIndex, FindsWhatASearchThroughAllFinds,
              (const std::vector<std::string>& texts, const std::string& asked)) {
  TextIndex index;
  std::vector<uint32_t> expected;
  for (uint32_t i = 0; i < texts.size(); ++i) {
    // Random texts seldom begin alike: every other one is cut from the one that is asked for.
    const std::string text = i % 2 == 0 ? texts[i] : asked.substr(0, texts[i].size());
    index.AddPrefix(text, i);
    if (asked.starts_with(text)) expected.push_back(i);
  }
  index.Seal();
  RC_ASSERT(Marks(index, asked) == expected);
}

std::shared_ptr<const RuleSet> Load(const std::string& text,
                                    RuleMatching matching = RuleMatching::kAll) {
  LoadOptions options;
  options.matching = matching;
  RuleLoader loader(RandomValueFields(), options);
  loader.AddFile("test.yaml", text);
  return loader.Compile();
}

std::string RuleText(std::string_view name, std::string_view condition) {
  return "- rule: " + std::string(name) + "\n  desc: d\n  condition: " + std::string(condition) +
         "\n  output: x\n  priority: INFO\n";
}

// The guard of a condition's part that the event decides, as text: "=a ^/etc/ …".
std::string GuardOf(std::string_view condition) {
  const auto rules = Load(RuleText("r", "evt.type = open and (" + std::string(condition) + ")"));
  EXPECT_NE(rules, nullptr) << condition;
  const Plan& plan = rules->plan();
  const EventClass& of = plan.ClassOf(*FindEventType("open"));
  const auto guard = FindGuard(plan.nodes(), of.rules.at(0).of_event, Reach::kEvent);
  if (!guard) return "none";
  std::string out;
  for (const GuardKey& key : *guard) {
    out +=
        (out.empty() ? "" : " ") + std::string(key.is_prefix ? "^" : "=") + std::string(key.text);
  }
  return out;
}

TEST(Guard, NamesWhatTheConditionNeeds) {
  struct Case {
    std::string_view condition;
    std::string_view guard;
  };
  constexpr Case kCases[] = {
      {"fd.name = /etc/shadow", "=/etc/shadow"},
      {"fd.name in (/a, /b)", "=/a =/b"},
      {"fd.name startswith /etc/", "^/etc/"},
      {"fd.name glob '/etc/*.conf'", "^/etc/"},
      {"fd.name glob '*.conf'", "none"},
      {"fd.name pmatch (/etc, '/var/l*')", "^/etc ^/var/l"},
      {"fd.name pmatch (/)", "none"},
      {"fd.name contains x", "none"},
      {"fd.name != /etc/shadow", "none"},
      {"not fd.name = /etc/shadow", "none"},
      {"fd.name = /a or fd.name startswith /bcde/", "=/a ^/bcde/"},
      {"fd.name = /a or fd.name contains x", "none"},
      {"fd.name contains x and fd.name = /a", "=/a"},
      // One text lets less through than a short beginning, and than two texts.
      {"fd.name startswith /e and fd.directory = /etc", "=/etc"},
      {"fd.name in (/a, /b) and fd.directory = /etc", "=/etc"},
      {"fd.num = 3", "none"},
  };
  for (const Case& test : kCases) {
    EXPECT_EQ(GuardOf(test.condition), test.guard) << test.condition;
  }
}

TEST(Plan, LeavesOutRulesThatATypeRulesOut) {
  const auto rules =
      Load(RuleText("a", "evt.type = open and fd.num = 1") +
           RuleText("b", "(evt.type = close or fd.num = 2) and not evt.type = open") +
           RuleText("c", "evt.type in (open, openat) and proc.name = sh"));
  ASSERT_NE(rules, nullptr);
  const Plan& plan = rules->plan();
  const auto names = [&](std::string_view type) {
    std::string out;
    for (const PlannedRule& rule : plan.ClassOf(*FindEventType(type)).rules) out += rule.rule->name;
    return out;
  };
  EXPECT_EQ(names("open"), "ac");
  EXPECT_EQ(names("openat"), "bc");
  EXPECT_EQ(names("close"), "b");
  // Types that nothing tells apart are one class.
  EXPECT_EQ(&plan.ClassOf(*FindEventType("read")), &plan.ClassOf(*FindEventType("write")));
}

TEST(Plan, SharesEqualParts) {
  const auto rules = Load(RuleText("a", "evt.type = open and fd.name contains x and fd.num = 1") +
                          RuleText("b", "evt.type = open and fd.num = 2 and fd.name contains x"));
  ASSERT_NE(rules, nullptr);
  const PlanNodes& nodes = rules->plan().nodes();
  size_t contains = 0;
  for (NodeId id = 0; id < nodes.size(); ++id) {
    const PlanNode& node = nodes[id];
    if (node.check == nullptr || node.check->op != Operator::kContains) continue;
    ++contains;
    EXPECT_GE(node.uses, 2u);
    EXPECT_NE(node.slot, kNoSlot);
  }
  EXPECT_EQ(contains, 1u);
}

// How many parts of the condition are answered by a search for many texts.
size_t Joined(std::string_view condition) {
  const auto rules = Load(RuleText("r", "evt.type = open and (" + std::string(condition) + ")"));
  EXPECT_NE(rules, nullptr) << condition;
  const PlanNodes& nodes = rules->plan().nodes();
  size_t joined = 0;
  for (NodeId id = 0; id < nodes.size(); ++id)
    joined += nodes[id].texts != nullptr ? size_t{1} : size_t{0};
  return joined;
}

TEST(Plan, JoinsChecksOfOneOperandWhereThatPays) {
  EXPECT_EQ(Joined("fd.name = /a or fd.name startswith /b or fd.name endswith c or "
                   "(fd.num = 1 or fd.name contains d)"),
            1u);
  EXPECT_EQ(Joined("fd.name endswith anyof (a, b, c, d)"), 1u);
  EXPECT_EQ(Joined("fd.name pmatch (/a, /b, /c, /d)"), 1u);
  // Too few, of different operands, and none that one text alone answers.
  EXPECT_EQ(Joined("fd.name = /a or fd.name startswith /b"), 0u);
  EXPECT_EQ(Joined("fd.name = /a or fd.directory = /b or proc.name = c or fd.filename = d"), 0u);
  EXPECT_EQ(Joined("fd.name contains oneof (a, b, c, d)"), 0u);
  EXPECT_EQ(Joined("fd.name contains allof (a, b, c, d)"), 0u);
  EXPECT_EQ(Joined("proc.aname in (a, b, c, d)"), 0u);
}

TEST(Plan, TextsThatWouldTakeTooMuchMemoryAreTriedOneByOne) {
  const auto condition = [](size_t length) {
    std::string out;
    for (char c = 'a'; c < 'a' + 9; ++c) {
      out += (out.empty() ? "fd.name contains " : " or fd.name contains ") + std::string(length, c);
    }
    return out;
  };
  EXPECT_EQ(Joined(condition(400)), 1u);
  EXPECT_EQ(Joined(condition(PlanNodes::kSoughtBytesMax / 8)), 0u);
}

// How often some rule held.
size_t Compare(Choices& choices, const std::shared_ptr<const RuleSet>& rules, const Plan& plan) {
  const PlanComparison compared = HoldToInterpreter(choices, rules, plan);
  RC_LOG() << compared.disagreement << std::endl;
  RC_ASSERT(compared.disagreement.empty());
  return compared.matches;
}

// Of every part of the plan's, whatever they may be.
PlanFigures RandomFigures(Choices& choices, const Plan& plan) {
  PlanFigures figures;
  for (NodeId id = 0; id < plan.nodes().size(); ++id) {
    const uint64_t asked = choices.Below(1'000);
    figures[plan.nodes()[id].identity] = {asked, choices.Below(asked + 1)};
  }
  return figures;
}

using Row = std::vector<uint16_t>;

RC_GTEST_PROP(Plan, AnswersAsTheInterpreterDoes, (bool all)) {
  const auto rows = rc::gen::resize(600, rc::gen::arbitrary<Row>());
  const Row row = *rows;
  const Row values = *rows;
  Choices choices(row);
  Choices value_choices(values);
  static const RandomConditions random(RandomValueFields(), true);
  const std::string yaml = random.RulesFile(choices) + RandomTextRules(choices);
  RC_LOG() << yaml << std::endl;
  const auto rules = Load(yaml, all ? RuleMatching::kAll : RuleMatching::kFirst);
  RC_ASSERT(static_cast<bool>(rules));
  // With little or no room to remember in, too.
  const auto words = *rc::gen::element<size_t>(0, 2, 4, 512);
  const Plan plan(*rules, {.remembered_words_max = words});
  RC_ASSERT(plan.remembered_words() <= std::max(words, 2 * plan.known_words()));
  RC_CLASSIFY(Compare(value_choices, rules, plan) > 0, "some rule matches");
  // What was learnt changes the order alone.
  Compare(value_choices, rules, Plan(*rules, {}, RandomFigures(value_choices, plan)));
}

// The checks of the one rule's condition, in the order in which they are asked.
std::string OrderOf(const Plan& plan) {
  const NodeId id = plan.ClassOf(*FindEventType("open")).rules.at(0).of_event;
  std::string out;
  for (const NodeId child : plan.nodes()[id].children) {
    out += (out.empty() ? "" : ", ") + plan.nodes()[child].check->text;
  }
  return out;
}

TEST(Plan, AsksWhatHasDecidedMostOftenFirst) {
  const std::string text = RuleText(
      "r", "evt.type = open and fd.num = 1 and fd.type = file and fd.name startswith /etc");
  const auto rules = Load(text);
  EXPECT_EQ(OrderOf(rules->plan()), OrderOf(Load(text)->plan()));
  TestValues::Current().Clear();
  TestValues::Current().Set("fd.num", Value::Int(1));
  TestValues::Current().SetText("fd.type", "file");
  TestValues::Current().SetText("fd.name", "/usr/lib/x");
  Arena arena;
  Process process(arena);
  Happening happening;
  happening.type = *FindEventType("open");
  happening.process = &process;
  Matcher matcher(rules);
  for (uint64_t i = 0; i < 100 * Plan::kSampledEvery; ++i) matcher.Match(happening);
  const PlanFigures figures = rules->plan().Figures();
  const auto next = Load(text);
  EXPECT_EQ(OrderOf(next->plan(figures)), "fd.name startswith /etc, fd.num = 1, fd.type = file");
  // What it has not asked itself is half as certain with each plan.
  EXPECT_EQ(Load(text)->plan(next->plan().Figures()).Figures().size(), figures.size());
  uint64_t asked = 0;
  for (const auto& [identity, figure] : next->plan().Figures())
    asked = std::max(asked, figure.asked);
  EXPECT_EQ(asked, 50u);
}

}  // namespace
}  // namespace gyrfalcon
