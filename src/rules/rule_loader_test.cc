#include "rules/rule_loader.h"

#include <gtest/gtest.h>

#include "rules/matcher.h"
#include "rules/test_catalog.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

const FieldCatalog& Fields() {
  static TestCatalog catalog{
      {FieldType::kEventType, "evt.type"}, {FieldType::kUint, "evt.num"},
      {FieldType::kText, "proc.name"},     {FieldType::kText, "proc.cmdline"},
      {FieldType::kInt, "fd.num"},
  };
  return catalog.catalog();
}

std::string RuleText(std::string_view name, std::string_view condition,
                     std::string_view more = {}) {
  return "- rule: " + std::string(name) + "\n  desc: d\n  condition: " + std::string(condition) +
         "\n  output: \"%proc.name\"\n  priority: INFO\n" + std::string(more);
}

std::shared_ptr<const RuleSet> Load(std::string_view text, LoadOptions options = {}) {
  RuleLoader loader(Fields(), std::move(options));
  loader.AddFile("test.yaml", text);
  auto rules = loader.Compile();
  EXPECT_NE(rules, nullptr) << Diagnostics(loader.results(), loader.files(), true);
  return rules;
}

TEST(RuleLoader, ExpandsListsMacrosAndExceptions) {
  struct Case {
    std::string before;  // items in front of the rule
    std::string condition;
    std::string more;  // keys of the rule, or items behind it
    std::string compiled;
  };
  const Case kCases[] = {
      {"- list: l\n  items: [a, b c]\n", "proc.name in (l)", "", "proc.name in (a, \"b c\")"},
      {"- list: a\n  items: [x]\n- list: b\n  items: [a]\n- list: c\n  items: [b, y]\n",
       "proc.name in (c)", "", "proc.name in (x, y)"},
      {"- list: a\n  items: [b]\n- list: b\n  items: [a]\n", "proc.name in (a)", "",
       "proc.name in (a)"},
      {"- list: e\n  items: []\n", "proc.name in (x, e, y)", "", "proc.name in (x, y)"},
      {"- list: e\n  items: []\n", "proc.name in (e, y)", "", "proc.name in (y)"},
      {"- macro: m\n  condition: fd.num = 1 or fd.num = 2\n", "m and proc.name = x", "",
       "((fd.num = 1 or fd.num = 2) and proc.name = x)"},
      {"", "fd.num = 1 or fd.num = 2",
       "  exceptions:\n  - {name: e, fields: proc.name, values: [a, b]}\n",
       "((fd.num = 1 or fd.num = 2) and not proc.name in (a, b))"},
      {"", "fd.num = 1",
       "  exceptions:\n  - {name: e, fields: [proc.name, fd.num], comps: [in, =], values: [[[a, "
       "b], 2]]}\n",
       "(fd.num = 1 and not (proc.name in (a, b) and fd.num = 2))"},
      {"", "fd.num = 1",
       "- rule: r\n  condition: and fd.num = 2\n  override: {condition: append}\n",
       "(fd.num = 1 and fd.num = 2)"},
      {"", "fd.num = 1",
       "- rule: r\n  exceptions: [{name: e, fields: proc.name, values: [a]}]\n  override: "
       "{exceptions: replace}\n",
       "(fd.num = 1 and not proc.name in (a))"},
  };
  for (const Case& test : kCases) {
    const auto rules = Load(test.before + RuleText("r", test.condition, test.more));
    ASSERT_NE(rules, nullptr) << test.condition;
    EXPECT_EQ(rules->rules()[0].condition_compiled, test.compiled);
  }
}

TEST(RuleLoader, ReportsEveryProblemOfEveryFileAtOnce) {
  RuleLoader loader(Fields());
  loader.AddFile("a.yaml",
                 RuleText("one", "proc.nmae = x") + RuleText("two", "proc.name startwith x"));
  loader.AddFile("b.yaml", RuleText("three", "evt.type = openn") + RuleText("four", "no_macro"));
  EXPECT_EQ(loader.Compile(), nullptr);
  const std::string text = Diagnostics(loader.results(), loader.files(), false);
  for (const std::string_view part :
       {"a.yaml:3:14: error: filter_check called with nonexistent field proc.nmae",
        "did you mean 'proc.name'?", "a.yaml:8:24: error: expected a valid check operator",
        "did you mean 'startswith'?", "b.yaml:3:14: error: unknown event type openn",
        "did you mean 'open'?", "b.yaml:8:14: error: Undefined macro 'no_macro'"}) {
    EXPECT_TRUE(text.contains(part)) << part << "\nin:\n" << text;
  }
}

TEST(RuleLoader, APlaceInsideAFoldedConditionIsExact) {
  RuleLoader loader(Fields());
  loader.AddFile("a.yaml",
                 "- rule: r\n  desc: d\n  condition: >\n    proc.name = a\n    and fd.nmu = 1\n"
                 "  output: x\n  priority: INFO\n");
  const std::string text = Diagnostics(loader.results(), loader.files(), false);
  EXPECT_TRUE(text.contains("a.yaml:5:9: ")) << text;
}

TEST(RuleLoader, WhatFollowsFromAReportedErrorIsNotReported) {
  RuleLoader loader(Fields());
  loader.AddFile("a.yaml", "- macro: m\n  condition: (\n" + RuleText("r", "m and proc.name = x"));
  EXPECT_EQ(loader.results()[0].errors.size(), 1u);
}

TEST(RuleLoader, GrowthWithoutBoundsIsAnError) {
  std::string lists = "- list: l0\n  items: [a, a, a, a, a, a, a, a, a, a]\n";
  std::string macros = "- macro: m0\n  condition: fd.num = 1\n";
  for (int i = 1; i < 40; ++i) {
    const std::string previous = std::to_string(i - 1);
    lists +=
        "- list: l" + std::to_string(i) + "\n  items: [l" + previous + ", l" + previous + "]\n";
    macros += "- macro: m" + std::to_string(i) + "\n  condition: m" + previous + " or m" +
              previous + "\n";
  }
  for (const std::string& text :
       {lists + RuleText("r", "proc.name in (l39)"), macros + RuleText("r", "m39"),
        std::string("- &a [x, x]\n- &b [*a, *a]\n")}) {
    RuleLoader loader(Fields());
    loader.AddFile("a.yaml", text);
    EXPECT_FALSE(loader.successful());
  }
}

TEST(RuleSet, EvaluatesTheRulesOfTheEventTypeInOrder) {
  const std::string text = RuleText("open", "evt.type = open and proc.name = sh") +
                           RuleText("any open", "evt.type in (open, openat)") +
                           RuleText("close", "evt.type = close");
  TestValues& values = TestValues::Current();
  values.Clear();
  values.SetText("proc.name", "sh");
  values.SetText("evt.type", "open");
  for (const auto& [matching, count] :
       {std::pair(RuleMatching::kFirst, 1u), {RuleMatching::kAll, 2u}}) {
    LoadOptions options;
    options.matching = matching;
    const auto rules = Load(text, options);
    ASSERT_NE(rules, nullptr);
    Arena arena;
    const Process process(arena);
    Happening happening{};
    happening.type = *FindEventType("open");
    happening.process = &process;
    Matcher matcher(rules);
    const auto matches = matcher.Match(happening);
    ASSERT_EQ(matches.size(), count);
    EXPECT_EQ(matches[0]->name, "open");
    std::string out;
    matches[0]->format.Render(happening, matcher.scratch(), out);
    EXPECT_EQ(out, "sh");
  }
}

TEST(RuleSet, SelectionIsAppliedInOrder) {
  LoadOptions options;
  options.selection = {{RuleSelection::By::kPattern, "*", false},
                       {RuleSelection::By::kTag, "t", true},
                       {RuleSelection::By::kSubstring, "hre", true}};
  const auto rules = Load(RuleText("one", "evt.type = open") +
                              RuleText("two", "evt.type = open", "  tags: [t]\n") +
                              RuleText("three", "evt.type = open"),
                          options);
  ASSERT_NE(rules, nullptr);
  EXPECT_FALSE(rules->Find("one")->enabled);
  EXPECT_TRUE(rules->Find("two")->enabled);
  EXPECT_TRUE(rules->Find("three")->enabled);
}

TEST(RuleSet, LessUrgentRulesThanThePriorityAreDropped) {
  LoadOptions options;
  options.priority = Priority::kNotice;
  EXPECT_TRUE(Load(RuleText("r", "evt.type = open"), options)->rules().empty());
}

TEST(RuleLoader, AppendOutputAddsTextAndFields) {
  LoadOptions options;
  AppendOutput extra;
  extra.match_tags = {"t"};
  extra.extra_output = "cmd=%proc.cmdline";
  extra.extra_fields = {{"proc.name", ""}, {"both", "%proc.name-%fd.num"}};
  options.append_output = {extra};
  const auto rules =
      Load(RuleText("r", "evt.type = open", "  tags: [t]\n") + RuleText("s", "evt.type = open"),
           options);
  ASSERT_NE(rules, nullptr);
  EXPECT_EQ(rules->Find("r")->output, "%proc.name cmd=%proc.cmdline");
  EXPECT_EQ(rules->Find("r")->extra_fields.size(), 2u);
  EXPECT_EQ(rules->Find("s")->output, "%proc.name");
}

TEST(RuleLoader, AMistakeInAppendOutputIsNotBlamedOnTheRule) {
  for (const AppendOutput& extra : {AppendOutput{.extra_output = "%no.such"},
                                    AppendOutput{.extra_fields = {{"no.such", ""}}}}) {
    LoadOptions options;
    options.append_output = {extra};
    RuleLoader loader(AllFields(), options);
    loader.AddFile("r.yaml", RuleText("r", "evt.type = open"));
    EXPECT_FALSE(loader.successful());
    const std::string text = Diagnostics(loader.results(), loader.files(), false);
    EXPECT_NE(text.find("'%no.such' stands in append_output"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace gyrfalcon
