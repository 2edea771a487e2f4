#include "rules/condition_parser.h"

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

struct Case {
  std::string_view text;
  std::string_view printed;  // or the error
};

TEST(ConditionParser, PrintsTheTreeThatItRead) {
  constexpr Case kCases[] = {
      {"a", "a"},
      {"(a)and(b)or c", "((a and b) or c)"},
      {"not not a", "a"},
      {"not (not (a))", "not not a"},
      {"proc.name in (sh, bash) and not fd.num = 0",
       "(proc.name in (sh, bash) and not fd.num = 0)"},
      {"proc.name in ()", "proc.name in ()"},
      {"proc.aname[2] startswith anyof (a, 'b c')", "proc.aname[2] startswith anyof (a, \"b c\")"},
      {"proc.name = anyof and x", "(proc.name = anyof and x)"},
      {"tolower( fd.name ) = val(proc.name)", "tolower(fd.name) = val(proc.name)"},
      {"join(\"-\", (fd.name, \"x\", 12)) exists", "join(-,(fd.name,x,12)) exists"},
      {"a.b = \"\\x41\\\"\"", "a.b = \"A\\\"\""},
      {"a.b == c", "a.b == c"},
  };
  for (const Case& test : kCases) {
    const auto parsed = ParseCondition(test.text);
    ASSERT_TRUE(parsed) << test.text << ": " << parsed.error().message;
    EXPECT_EQ(PrintCondition(*parsed), test.printed) << test.text;
  }
}

TEST(ConditionParser, SaysWhatItExpectedAndWhere) {
  struct Failure {
    std::string_view text;
    std::string_view message;
    uint32_t offset;
  };
  constexpr Failure kFailures[] = {
      {"", "expected a '(' token, a field check, or an identifier", 0},
      {"proc.name = init AND x", "unexpected token after 'init', expecting 'or', 'and'", 17},
      {"a and", "expected blank or '(' after 'and'", 5},
      {"(a", "expected a ')' token", 2},
      {"a.b[] = c", "expected a valid field argument: a quoted string or a bare string", 4},
      {"a.b in (c d)", "expected a ')' token", 10},
  };
  for (const Failure& test : kFailures) {
    const auto parsed = ParseCondition(test.text);
    ASSERT_FALSE(parsed) << test.text;
    EXPECT_EQ(parsed.error().message, test.message) << test.text;
    EXPECT_EQ(parsed.error().position.offset, test.offset) << test.text;
  }
}

TEST(ConditionParser, DeepNestingIsAnErrorAndNoStackOverflow) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '(') + "a" + std::string(depth, ')');
  };
  EXPECT_TRUE(ParseCondition(nested(kNestingMax)));
  EXPECT_FALSE(ParseCondition(nested(kNestingMax + 1)));
  EXPECT_FALSE(ParseCondition(nested(10'000)));
  std::string nots;
  for (int i = 0; i < 10'000; ++i) nots += "not (";
  EXPECT_FALSE(ParseCondition(nots + "a" + std::string(10'000, ')')));
}

}  // namespace
}  // namespace gyrfalcon
