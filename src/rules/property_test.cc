// Properties of random conditions and rules files over the real catalog: what was read prints as
// text that reads back as the same tree, with the same answers; folding changes no answer. A
// failure is shrunk and shows its text. RC_PARAMS=max_success=100000 asks for more cases.
#include <cstdlib>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "rules/binder.h"
#include "rules/condition_parser.h"
#include "rules/event_type_inference.h"
#include "rules/fold.h"
#include "rules/interpreter.h"
#include "rules/random_happenings.h"
#include "rules/random_rules.h"
#include "rules/rule_loader.h"
#include "rules/test_catalog.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

// RapidCheck's own default is 100; what the environment says goes before.
[[maybe_unused]] const int kMoreCases = setenv("RC_PARAMS", "max_success=1000", 0);

const RandomConditions& Random(bool plain_values) {
  static const RandomConditions odd(RandomValueFields(), false);
  static const RandomConditions plain(RandomValueFields(), true);
  return plain_values ? plain : odd;
}

bool SameOperand(const Operand& a, const Operand& b) {
  const bool call = a.kind == Operand::Kind::kTransformer;
  return a.kind == b.kind && a.text == b.text && a.bracket == b.bracket &&
         (!call || a.transformer == b.transformer) &&
         std::ranges::equal(a.items, b.items, SameOperand);
}

bool SameTree(const Condition& a, const Condition& b) {
  if (a.kind != b.kind || a.macro != b.macro) return false;
  if (a.kind == Condition::Kind::kCheck) {
    return a.op == b.op && a.modifier == b.modifier && SameOperand(a.left, b.left) &&
           a.right.has_value() == b.right.has_value() &&
           (!a.right || SameOperand(*a.right, *b.right));
  }
  return std::ranges::equal(a.children, b.children, SameTree);
}

std::optional<BoundCondition> Bound(const Condition& condition) {
  std::vector<BindProblem> warnings;
  auto bound = BindCondition(condition, RandomValueFields(), warnings);
  if (!bound) return std::nullopt;
  return std::move(*bound);
}

bool IsTrue(const BoundCondition& condition, EventType type) {
  Scratch scratch;
  return Evaluate(condition, Happening{.type = type}, scratch);
}

using Row = std::vector<uint16_t>;

RC_GTEST_PROP(Property, AConditionPrintsAsTheSameConditionWithTheSameAnswers, (const Row& row)) {
  Choices choices(row);
  const std::string text = Random(false).Condition(choices, {});
  RC_LOG() << "condition: " << text << std::endl;
  const auto parsed = ParseCondition(text);
  RC_ASSERT(parsed.has_value());
  const std::string printed = PrintCondition(*parsed, PrintStyle::kSource);
  RC_LOG() << "printed:   " << printed << std::endl;
  const auto again = ParseCondition(printed);
  RC_ASSERT(again.has_value());
  RC_ASSERT(SameTree(*parsed, *again));
  const auto first = Bound(*parsed);
  const auto second = Bound(*again);
  RC_ASSERT(first.has_value());
  RC_ASSERT(second.has_value());
  auto to_fold = Bound(*parsed);
  const BoundCondition folded = FoldConstants(std::move(*to_fold));
  for (int happening = 0; happening < 4; ++happening) {
    TestValues::Current().Clear();
    SetRandomValues(choices, *first);
    const EventType type = RandomType(choices);
    const bool answer = IsTrue(*first, type);
    RC_ASSERT(IsTrue(*second, type) == answer);
    RC_ASSERT(IsTrue(folded, type) == answer);
  }
}

RC_GTEST_PROP(Property, ARulesFileLoadsAndItsCompiledConditionsMeanTheSame, (const Row& row)) {
  Choices choices(row);
  const std::string yaml = Random(true).RulesFile(choices);
  RC_LOG() << yaml << std::endl;
  RuleLoader loader(RandomValueFields());
  loader.AddFile("random.yaml", yaml);
  RC_LOG() << Diagnostics(loader.results(), loader.files(), false) << std::endl;
  const auto rules = loader.Compile();
  RC_ASSERT(static_cast<bool>(rules));
  for (const Rule& rule : rules->rules()) {
    std::string quoted;
    for (const char c : rule.condition_compiled) {
      quoted += c == '\'' ? std::string("''") : std::string(1, c);
    }
    RuleLoader second(RandomValueFields());
    second.AddFile("again.yaml", "- rule: r\n  desc: d\n  condition: '" + quoted +
                                     "'\n  output: x\n  priority: INFO\n");
    RC_LOG() << Diagnostics(second.results(), second.files(), false) << std::endl;
    const auto again = second.Compile();
    RC_ASSERT(static_cast<bool>(again));
    const Rule& other = again->rules()[0];
    RC_ASSERT(other.event_types == rule.event_types);
    TestValues::Current().Clear();
    SetRandomValues(choices, rule.condition);
    const EventType type = RandomType(choices);
    RC_ASSERT(IsTrue(other.condition, type) == IsTrue(rule.condition, type));
  }
}

// Whatever stands in a rules file, it loads or is refused.
RC_GTEST_PROP(Property, OddRulesFilesNeverCrash, (const Row& row)) {
  Choices choices(row);
  const std::string yaml = Random(false).RulesFile(choices);
  RC_LOG() << yaml << std::endl;
  RuleLoader loader(RandomValueFields());
  loader.AddFile("random.yaml", yaml);
  const bool successful = loader.successful();
  RC_ASSERT(successful == loader.results()[0].errors.empty());
  RC_ASSERT((loader.Compile() != nullptr) == successful);
}

// What a folded condition looks like.
std::string Shape(const BoundCondition& condition) {
  if (const auto answer = ConstantAnswer(condition)) return *answer ? "true" : "false";
  if (condition.kind == BoundCondition::Kind::kCheck) return condition.check->text;
  const bool negation = condition.kind == BoundCondition::Kind::kNot;
  const bool is_and = condition.kind == BoundCondition::Kind::kAnd;
  std::string out = negation ? "not " : "(";
  for (const BoundCondition& child : condition.children) {
    if (&child != &condition.children.front()) out += is_and ? " and " : " or ";
    out += Shape(child);
  }
  return negation ? out : out + ")";
}

TEST(Fold, TakesOutWhatIsAlwaysTheSame) {
  struct Case {
    std::string_view text;
    std::string_view folded;
  };
  constexpr Case kCases[] = {
      {"proc.name in ()", "false"},
      {"not proc.name in ()", "true"},
      {"proc.name = a and not fd.num in ()", "proc.name = a"},
      {"proc.name = a or fd.num = anyof ()", "proc.name = a"},
      {"proc.name = a and (fd.num = 1 and evt.is_async = true)", "false"},
      {"proc.name = a and (fd.num = 1 and evt.source = syscall)", "(proc.name = a and fd.num = 1)"},
      {"not (not (proc.name = a))", "proc.name = a"},
      {"tolower(\"A\") = a", "true"},
      {"evt.pluginname != x or proc.name = a", "proc.name = a"},
      {"proc.name = val(evt.pluginname)", "false"},
      // Missing where the process has no name, so not always true.
      {"proc.name exists", "proc.name exists"},
      {"proc.name startswith \"\"", "proc.name startswith "},
      // An empty list is inside an empty list.
      {"fd.types in ()", "fd.types in ()"},
  };
  for (const Case& test : kCases) {
    const auto parsed = ParseCondition(test.text);
    ASSERT_TRUE(parsed) << test.text;
    auto bound = Bound(*parsed);
    ASSERT_TRUE(bound) << test.text;
    EXPECT_EQ(Shape(FoldConstants(std::move(*bound))), test.folded) << test.text;
  }
}

}  // namespace
}  // namespace gyrfalcon
