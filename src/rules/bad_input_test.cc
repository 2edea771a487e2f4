// Rules files that a mistake or a generator could make: each loads or is an error with its place,
// in bounded time and memory. The bounds of time are wide, for a busy machine and the sanitizers;
// what they catch is growth without bounds.
#include <chrono>
#include <functional>

#include <gtest/gtest.h>

#include "rules/rule_loader.h"
#include "rules/yaml.h"

namespace gyrfalcon {
namespace {

std::string RuleText(std::string_view name, std::string_view condition,
                     std::string_view more = {}) {
  return "- rule: " + std::string(name) + "\n  desc: d\n  condition: " + std::string(condition) +
         "\n  output: \"%proc.name\"\n  priority: INFO\n" + std::string(more);
}

std::string Repeated(size_t count, const std::function<std::string(size_t)>& piece) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += piece(i);
  return out;
}

std::string Times(size_t count, std::string_view piece) {
  return Repeated(count, [&](size_t) { return std::string(piece); });
}

std::string Number(size_t i) {
  return std::to_string(i);
}

std::string ListText(std::string_view name, size_t count) {
  return "- list: " + std::string(name) + "\n  items: [" +
         Repeated(count, [](size_t i) { return "item" + Number(i) + ", "; }) + "]\n";
}

struct Outcome {
  bool successful = false;
  size_t errors = 0;
  std::string text;  // of the first errors and warnings
};

Outcome Load(const std::string& yaml) {
  const auto start = std::chrono::steady_clock::now();
  RuleLoader loader(AllFields());
  loader.AddFile("bad.yaml", yaml);
  Outcome outcome;
  outcome.successful = loader.successful();
  outcome.errors = loader.results()[0].errors.size();
  outcome.text = Diagnostics(loader.results(), loader.files(), true);
  LoadResultsJson(loader.results());
  outcome.text.resize(std::min<size_t>(outcome.text.size(), 2000));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  return outcome;
}

void ExpectLoads(const std::string& yaml) {
  const Outcome outcome = Load(yaml);
  EXPECT_TRUE(outcome.successful) << outcome.text;
}

void ExpectError(const std::string& yaml, std::string_view part) {
  const Outcome outcome = Load(yaml);
  EXPECT_FALSE(outcome.successful);
  EXPECT_TRUE(outcome.text.contains(part)) << "no \"" << part << "\" in\n" << outcome.text;
}

TEST(BadInput, ManyMacrosAndRulesLoad) {
  const auto macro = [](size_t i) {
    return "- macro: m" + Number(i) + "\n  condition: proc.name = x" + Number(i) + "\n";
  };
  ExpectLoads(Repeated(10'000, macro) + RuleText("r", "evt.type = open and m5"));
  ExpectLoads(Repeated(10'000, [](size_t i) {
    return RuleText("r" + Number(i), "evt.type = open and fd.num = " + Number(i));
  }));
  ExpectLoads(Repeated(5'000, macro) +
              RuleText("r", "m0" + Repeated(5'000, [](size_t i) { return " or m" + Number(i); })));
}

TEST(BadInput, ManyMistakesAreAllToldInBoundedTime) {
  const Outcome outcome = Load(Repeated(5'000, [](size_t i) {
    return "- macro: m" + Number(i) + "\n  condition: nomacro" + Number(i) + "\n";
  }));
  EXPECT_EQ(outcome.errors, 5'000u);
  EXPECT_TRUE(outcome.text.starts_with(
      "bad.yaml:2:14: error: Undefined macro 'nomacro0' used in filter. in macro \"m0\""))
      << outcome.text;
  EXPECT_EQ(
      Load(Repeated(5'000, [](size_t i) { return RuleText("r" + Number(i), "proc.nmae = x"); }))
          .errors,
      5'000u);
}

TEST(BadInput, ChainsOfMacros) {
  const auto chain = [](size_t count, std::string_view more) {
    return "- macro: m0\n  condition: proc.name = x\n" + Repeated(count, [&](size_t i) {
             return "- macro: m" + Number(i + 1) + "\n  condition: m" + Number(i) +
                    std::string(more) + "\n";
           });
  };
  ExpectLoads(chain(10'000, "") + RuleText("r", "evt.type = open and m10000"));
  ExpectLoads(chain(300, " and fd.num = 1") + RuleText("r", "evt.type = open and m300"));
  ExpectError(chain(10'000, " and fd.num = 1"),
              "checks together once macros and exceptions are expanded");
  ExpectError("- macro: m\n  condition: m\n", "bad.yaml:2:14: error: Undefined macro 'm'");
  ExpectError("- macro: a\n  condition: b\n- macro: b\n  condition: a\n",
              "bad.yaml:2:14: error: Undefined macro 'b'");
}

TEST(BadInput, Nesting) {
  constexpr size_t kDepth = 10'000;
  const auto nested = [](std::string_view open, std::string_view inner, std::string_view close) {
    return RuleText("r", Times(kDepth, open) + std::string(inner) + Times(kDepth, close));
  };
  ExpectError(nested("(", "proc.name = x", ")"), "bad.yaml:3:1015: error: exceeded max depth");
  ExpectError(nested("not (", "proc.name = x", ")"), "exceeded max depth limit of 1000");
  ExpectLoads(nested("not ", "proc.name = x", ""));
  ExpectError(nested("tolower(", "proc.name", ")"), "exceeded max depth limit of 1000");
  ExpectError(RuleText("r", "proc.name in " + Times(kDepth, "(")),
              "bad.yaml:3:28: error: expected");
}

TEST(BadInput, YamlNesting) {
  ExpectError("- " + Times(100'000, "[") + Times(100'000, "]"), "nested");
  ExpectError("- " + Times(3'000'000, "["), "bad.yaml:1:1003: error: brackets nested");
  ExpectError(Times(100'000, "{a: ") + Times(100'000, "}"), "LOAD_ERR_YAML_PARSE");
  ExpectError(Times(100'000, "- ") + "x", "LOAD_ERR_YAML_PARSE");
}

TEST(BadInput, SizesOfFilesAndLists) {
  ExpectError(std::string(kRulesFileBytesMax + 1, ' '), "the file is larger than 8 MiB");
  ExpectError("- list: l\n  items: [" + Times(1'000'000, "a,") + "]\n",
              "more than 1000000 values once aliases are expanded");
  ExpectLoads(RuleText("r", "evt.type = open and proc.name = " + std::string(4'000'000, 'x')));
  ExpectError(RuleText("r", "evt.type = open and proc.name = " + std::string(5'000'000, 'x')),
              "bad.yaml:3:14: error: the condition is longer than 4 MiB");
}

TEST(BadInput, OneLongListInManyRules) {
  const auto rules = [](size_t count) {
    return Repeated(count, [](size_t i) {
      return RuleText("r" + Number(i), "evt.type = open and proc.name in (long)");
    });
  };
  ExpectLoads(ListText("long", 1'000) + rules(300));
  const Outcome outcome = Load(ListText("long", 100'000) + rules(100));
  // Told once, at the rule that is one too many.
  EXPECT_EQ(outcome.errors, 1u);
  EXPECT_TRUE(outcome.text.contains(":14: error: the conditions are longer than 16 MiB together"))
      << outcome.text;
  EXPECT_TRUE(outcome.text.contains("in rule \"r")) << outcome.text;
  const Outcome shared = Load(
      ListText("long", 100'000) + "- macro: m\n  condition: proc.name in (long)\n" +
      Repeated(100, [](size_t i) { return RuleText("r" + Number(i), "evt.type = open and m"); }));
  EXPECT_EQ(shared.errors, 1u);
  EXPECT_TRUE(shared.text.contains("more than 2000000 values together")) << shared.text;
}

TEST(BadInput, LongExceptions) {
  const std::string tuples =
      Repeated(50'000, [](size_t i) { return "    - [v" + Number(i) + ", " + Number(i) + "]\n"; });
  ExpectLoads(RuleText("r", "evt.type = open",
                       "  exceptions:\n  - name: e\n    fields: proc.name\n    values: [" +
                           Repeated(100'000, [](size_t i) { return "v" + Number(i) + ", "; }) +
                           "]\n"));
  ExpectLoads(RuleText(
      "r", "evt.type = open",
      "  exceptions:\n  - name: e\n    fields: [proc.name, fd.num]\n    values:\n" + tuples));
}

TEST(BadInput, ExponentialGrowth) {
  const auto lists = [](std::string_view items) {
    return "- list: l0\n  items: [" + std::string(items) + "]\n" + Repeated(39, [](size_t i) {
             const std::string previous = "l" + Number(i);
             return "- list: l" + Number(i + 1) + "\n  items: [" + previous + ", " + previous +
                    "]\n";
           });
  };
  const std::string rule = RuleText("r", "evt.type = open and proc.name in (l39)");
  ExpectError(lists("a, b") + rule, "bad.yaml:83:14: error: the condition is longer than 4 MiB");
  ExpectLoads(lists("") + rule);
  ExpectError("- macro: m0\n  condition: fd.num = 1\n" +
                  Repeated(40,
                           [](size_t i) {
                             const std::string m = "m" + Number(i);
                             return "- macro: m" + Number(i + 1) + "\n  condition: " + m + " and " +
                                    m + "\n";
                           }),
              "more than 500000 checks together");
  std::string bomb = "- &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (size_t i = 0; i < 9; ++i) {
    bomb += "- &a" + Number(i + 1) + " [" + Times(10, "*a" + Number(i) + ", ") + "]\n";
  }
  ExpectError(bomb, "values once aliases are expanded");
  // Each anchor's node is kept: anchors inside anchors must not multiply.
  std::string anchors = "- ";
  for (size_t i = 0; i < 300; ++i) anchors += "&a" + Number(i) + " [";
  ExpectError(anchors + Times(100'000, "x,") + Times(300, "]"), "values once aliases are expanded");
}

TEST(BadInput, ListsNestedDeeplyAreExpandedWhole) {
  const std::string lists =
      "- list: l0\n  items: [zsh]\n" + Repeated(2'000, [](size_t i) {
        return "- list: l" + Number(i + 1) + "\n  items: [l" + Number(i) + "]\n";
      });
  RuleLoader loader(AllFields());
  loader.AddFile("a.yaml", lists + RuleText("r", "evt.type = open and proc.name in (l2000)"));
  const auto rules = loader.Compile();
  ASSERT_NE(rules, nullptr);
  EXPECT_EQ(rules->rules()[0].condition_compiled, "(evt.type = open and proc.name in (zsh))");
}

TEST(BadInput, ListsWithOddNamesAndEmptyLists) {
  ExpectLoads(
      Repeated(2'000,
               [](size_t i) { return "- list: \"odd name " + Number(i) + "\"\n  items: [x]\n"; }) +
      RuleText("r", "evt.type = open and proc.name in (" + Repeated(20'000, [](size_t i) {
                      return "odd" + Number(i) + ", ";
                    }) + "z)"));
  ExpectLoads("- list: none\n  items: []\n" + RuleText("r", "evt.type = open and proc.name in (x" +
                                                                Times(100'000, ", none") + ")"));
  // An item that is empty is no empty list: the text can't be parsed (Falco).
  ExpectError(
      "- list: l\n  items: [a, '']\n" + RuleText("r", "evt.type = open and proc.name in (l)"),
      "bad.yaml:5:");
  RuleLoader loader(AllFields());
  loader.AddFile("a.yaml",
                 "- list: a b\n  items: [x]\n- list: c d e\n  items: [y]\n- list: none\n  items: "
                 "[]\n" +
                     RuleText("r", "evt.type = open and proc.name in (a b, none, c d e , none)"));
  const auto rules = loader.Compile();
  ASSERT_NE(rules, nullptr) << Diagnostics(loader.results(), loader.files(), false);
  EXPECT_EQ(rules->rules()[0].condition_compiled, "(evt.type = open and proc.name in (x, y))");
}

TEST(BadInput, Patterns) {
  ExpectError(RuleText("r", "evt.type = open and proc.name regex '(((a{100}){100}){100})'"),
              "invalid regex pattern");
  ExpectError(
      RuleText("r", "evt.type = open and proc.name regex \"(" +
                        Repeated(50'000, [](size_t i) { return Number(i) + ".*x|"; }) + "y)\""),
      "pattern too large");
  const Outcome many = Load(Repeated(400, [](size_t i) {
    return RuleText("r" + Number(i),
                    "evt.type = open and proc.name regex \"a{0,900}b{0,900}c" + Number(i) + "\"");
  }));
  EXPECT_EQ(many.errors, 1u);
  EXPECT_TRUE(many.text.contains("the regex patterns of all conditions together are too large"))
      << many.text;
  ExpectError(RuleText("r", "evt.type = open and proc.name glob " + std::string(5'000, '*')),
              "longer than 4096 characters");
}

TEST(BadInput, OddBytes) {
  ExpectLoads("# \xff\xfe\xc0\n" + RuleText("r", "evt.type = open"));
  ExpectLoads("\xef\xbb\xbf" + RuleText("r", "evt.type = open"));
  std::string crlf;
  for (const char c : RuleText("r", "evt.type = open")) {
    if (c == '\n') crlf += '\r';
    crlf += c;
  }
  ExpectLoads(crlf);
  EXPECT_TRUE(Load("- ru\xffle: r\n").text.contains("Unknown top level item"));
  Load(RuleText("r\xff", "evt.type = open and proc.name = \"\xff\xfe\""));
  Load(std::string("- rule: a\0b\n", 12));
  Load(std::string(100'000, '\0'));
}

TEST(BadInput, ManyEntriesOfOtherKinds) {
  ExpectLoads(RuleText("r", "evt.type = open", "  tags: [" + Repeated(50'000, [](size_t i) {
                                                 return "t" + Number(i) + ",";
                                               }) + "]\n"));
  ExpectLoads(
      RuleText("r", "evt.type = open and (proc.aname[1] = x" + Repeated(10'000, [](size_t i) {
                      return " or proc.aname[" + Number(i) + "] = x";
                    }) + ")"));
  ExpectLoads("- required_plugin_versions:\n  - name: p\n    version: 0.1.0\n    alternatives:\n" +
              Repeated(10'000, [](size_t i) {
                return "    - {name: p" + Number(i) + ", version: 0.1.0}\n";
              }));
  ExpectLoads(
      Repeated(10'000, [](size_t i) { return "- list: l" + Number(i) + "\n  items: [a]\n"; }) +
      RuleText("r", "evt.type = open"));
}

}  // namespace
}  // namespace gyrfalcon
