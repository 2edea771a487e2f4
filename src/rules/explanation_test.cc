#include "rules/explanation.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "rules/rule_loader.h"
#include "rules/test_catalog.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

const FieldCatalog& Fields() {
  static TestCatalog with_values{{FieldType::kText, "t.a"},
                                 {FieldType::kText, "t.b"},
                                 {FieldType::kText, "t.none"},
                                 {FieldType::kInt, "t.int"}};
  static const std::vector<FieldDef> rows = [] {
    const auto mocked = with_values.catalog().rows();
    std::vector<FieldDef> out(mocked.begin(), mocked.end());
    out.push_back({.name = "t.asked",
                   .type = FieldType::kUint,
                   .invalidated_by = kByHistory,
                   .extract = [](const BoundField& field, const Happening&, Scratch& scratch) {
                     return Value::Uint(static_cast<uint64_t>(++scratch.Remembered(&field)));
                   }});
    out.push_back({.name = "t.never",
                   .type = FieldType::kText,
                   .availability = Availability::kNever,
                   .extract = nullptr});
    std::ranges::sort(out, {}, &FieldDef::name);
    return out;
  }();
  static const FieldCatalog catalog(rows);
  return catalog;
}

// a = "x", b = "y", int = 3, none is missing.
void SetValues() {
  TestValues& values = TestValues::Current();
  values.Clear();
  values.SetText("t.a", "x");
  values.SetText("t.b", "y");
  values.Set("t.int", Value::Int(3));
}

std::shared_ptr<const RuleSet> Load(const std::string& condition, const std::string& before = "",
                                    const std::string& behind = "") {
  LoadOptions options;
  options.keep_whole = true;
  RuleLoader loader(Fields(), options);
  loader.AddFile("test.yaml", before + "- rule: r\n  desc: d\n  condition: " + condition +
                                  "\n  output: x\n  priority: INFO\n" + behind);
  EXPECT_TRUE(loader.successful()) << Diagnostics(loader.results(), loader.files(), false);
  return loader.Compile();
}

// "(and t (or f f))": t, f, m by truth, ' behind what was left out.
std::string Shape(const ExplainedPart& part) {
  std::string out;
  if (part.check() != nullptr) {
    out = part.truth == Truth::kTrue ? "t" : (part.truth == Truth::kFalse ? "f" : "m");
  } else {
    using Kind = BoundCondition::Kind;
    const Kind kind = part.condition->kind;
    out = std::string("(") + (kind == Kind::kAnd ? "and" : (kind == Kind::kOr ? "or" : "not"));
    for (const ExplainedPart& child : part.children) out += " " + Shape(child);
    out += std::string(")") + (part.holds() ? "t" : "f");
  }
  return part.decisive ? out : out + "'";
}

std::string Texts(const std::vector<DecidingPart>& parts) {
  std::string out;
  for (const DecidingPart& each : parts) {
    if (!out.empty()) out += " | ";
    out += (each.wanted ? "" : "not ") + each.part->check()->text;
    if (const std::string from = WhereFrom(*each.part); !from.empty()) out += " [" + from + "]";
  }
  return out;
}

struct Case {
  std::string condition;
  std::string shape;
  uint32_t to_hold;
  std::string in_the_way;
};

TEST(Explanation, HasTheTruthOfEveryPartAlsoOfThoseLeftOut) {
  SetValues();
  const Case kCases[] = {
      {"t.a = x", "t", 0, ""},
      {"t.a = y and t.b = y", "(and f t')f", 1, "t.a = y"},
      {"t.a = x or t.b = z", "(or t f')t", 0, ""},
      {"t.none = x and t.none exists", "(and m m')f", 2, "t.none = x | t.none exists"},
      {"not t.a = x and t.int > 5", "(and (not t)f f')f", 2, "not t.a = x | t.int > 5"},
      {"t.a = y and (t.b = z or t.int = 4 and t.b = q)", "(and f (or f' (and f' f')f')f')f", 2,
       "t.a = y | t.b = z"},
      // The nearest alternative is not the first one.
      {"(t.a = p and t.b = q) or (t.a = x and t.b = q)", "(or (and f f')f (and t f)f)f", 1,
       "t.b = q"},
      // What must not hold: every part of an `or`, the cheapest of an `and`.
      {"not (t.a = x or t.b = y or t.int = 4)", "(not (or t t' f')t)f", 2,
       "not t.a = x | not t.b = y"},
      {"not (t.a = x and t.b = y)", "(not (and t t)t)f", 1, "not t.a = x"},
      // What gVisor never tells is no way out.
      {"t.never = x or t.a = y and t.b = z", "(or m (and f f')f)f", 2, "t.a = y | t.b = z"},
  };
  for (const Case& test : kCases) {
    SCOPED_TRACE(test.condition);
    const auto rules = Load(test.condition);
    Explainer explainer(rules->rules().front().condition);
    const ExplainedPart& root = explainer.Explain(Happening{});
    EXPECT_EQ(Shape(root), test.shape);
    EXPECT_EQ(root.to_hold, test.to_hold);
    EXPECT_EQ(Texts(StandsInTheWay(root)), test.in_the_way);
  }
}

TEST(Explanation, SaysThatNothingCanMakeItHold) {
  SetValues();
  const auto rules = Load("t.a = x and t.never = y");
  Explainer explainer(rules->rules().front().condition);
  EXPECT_EQ(explainer.Explain(Happening{}).to_hold, kNever);
}

TEST(Explanation, SaysWhatCarriesAConditionThatHolds) {
  SetValues();
  const auto rules = Load("t.a = x and (t.b = q or t.int = 3) and not t.b = z");
  Explainer explainer(rules->rules().front().condition);
  const ExplainedPart& root = explainer.Explain(Happening{});
  EXPECT_EQ(Texts(NearestWay(root)), "t.a = x | t.int = 3 | not t.b = z");
  EXPECT_TRUE(StandsInTheWay(root).empty());
}

TEST(Explanation, NamesMacrosAndExceptions) {
  SetValues();
  const auto rules =
      Load("outer and t.int = 4",
           "- macro: inner\n  condition: t.a = x\n- macro: outer\n  condition: inner and t.b = z\n",
           "  exceptions:\n"
           "    - name: empty\n      fields: t.a\n      values: []\n"
           "    - name: first\n      fields: [t.a]\n      values: [[x]]\n"
           "    - name: second\n      fields: t.b\n      values: [y]\n");
  Explainer explainer(rules->rules().front().condition);
  const ExplainedPart& root = explainer.Explain(Happening{});
  EXPECT_EQ(WhereFrom(root.children.front().children.front().children.front()),
            "macro outer > macro inner");
  EXPECT_EQ(Texts(StandsInTheWay(root)),
            "t.b = z [macro outer] | t.int = 4 | not t.a = x [exception first] | "
            "not t.b in (y) [exception second]");
}

// A rule with util.cnt would count otherwise than in a replay.
TEST(Explanation, LeavesAloneWhatChecksRemember) {
  SetValues();
  const auto rules = Load("t.a = y and t.asked > 1 or t.asked > 2");
  const BoundCondition& condition = rules->rules().front().condition;
  Explainer explainer(condition);
  Scratch scratch;
  for (int i = 0; i < 5; ++i) {
    explainer.Suppose(Happening{});
    scratch.Reset();
    const bool held = Evaluate(condition, Happening{}, scratch);
    EXPECT_EQ(explainer.Explain(Happening{}).holds(), held) << i;
    EXPECT_EQ(held, i >= 2) << i;
  }
}

TEST(Explanation, KeepsPartsThatFoldingWouldTakeAway) {
  SetValues();
  const auto whole = Load("t.a = x and t.never = y");
  EXPECT_EQ(whole->rules().front().condition.children.size(), 2);
  RuleLoader loader(Fields());
  loader.AddFile("test.yaml",
                 "- rule: r\n  desc: d\n  condition: t.a = x and t.never = y\n  output: x\n"
                 "  priority: INFO\n");
  EXPECT_TRUE(loader.Compile()->rules().front().condition.children.empty());
}

TEST(Explanation, SaysWhereARightSideBegins) {
  const auto rules = Load("t.a startswith anyof (x, y) and t.int == 3 and t.a = val(t.b)");
  std::vector<std::string> rights;
  for (const BoundCondition& part : rules->rules().front().condition.children) {
    rights.push_back(part.check->text.substr(part.check->right_offset));
  }
  EXPECT_EQ(rights, (std::vector<std::string>{"(x, y)", "3", "val(t.b)"}));
}

}  // namespace
}  // namespace gyrfalcon
