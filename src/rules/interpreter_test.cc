#include "rules/interpreter.h"

#include <gtest/gtest.h>

#include "rules/binder.h"
#include "rules/condition_parser.h"
#include "rules/matchers.h"
#include "rules/test_catalog.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

const FieldCatalog& Fields() {
  static TestCatalog catalog{
      {FieldType::kText, "t.text"},
      {FieldType::kText, "t.none"},
      {FieldType::kInt, "t.int"},
      {FieldType::kBool, "t.bool"},
      {FieldType::kPort, "t.port"},
      {FieldType::kDistance, "t.distance"},
      {FieldType::kIp, "t.sides", kEitherSide},
      {FieldType::kNet, "t.net", kEitherSide},
      {FieldType::kText, "t.line", kAnyAncestor},
      {FieldType::kText, "t.list", kIsList},
  };
  return catalog.catalog();
}

void SetValues() {
  TestValues& values = TestValues::Current();
  values.Clear();
  values.SetText("t.text", "/usr/bin/Bash");
  values.Set("t.int", Value::Int(-3));
  values.Set("t.bool", Value::Bool(true));
  values.Set("t.port", Value::Uint(443));
  values.Set("t.distance", Value::Uint(20));
  const Value client = values.Ip(*IpAddress::Parse("10.1.2.3"));
  const Value server = values.Ip(*IpAddress::Parse("8.8.8.8"));
  values.SetList("t.sides", {client, server});
  values.SetList("t.net", {client, server});
  values.SetList("t.line", {values.Text("bash"), values.Text("init")});
  values.SetList("t.list", {values.Text("a"), values.Text("b")});
}

bool IsTrue(std::string_view text) {
  const auto parsed = ParseCondition(text);
  EXPECT_TRUE(parsed) << text;
  if (!parsed) return false;
  std::vector<BindProblem> warnings;
  const auto bound = BindCondition(*parsed, Fields(), warnings);
  EXPECT_TRUE(bound) << text << ": " << bound.error().message;
  Scratch scratch;
  return bound && Evaluate(*bound, Happening{}, scratch);
}

TEST(Interpreter, FollowsTheTable) {
  struct Case {
    std::string_view text;
    bool result;
  };
  constexpr Case kCases[] = {
      {"t.text = /usr/bin/Bash", true},
      {"t.text icontains BASH", true},
      {"t.text glob '/usr/*[A-C]ash'", true},
      {"t.text pmatch (/usr/b*)", true},
      {"t.text pmatch (/us)", false},
      {"t.text regex '/usr/.*'", true},
      {"t.text regex usr", false},
      {"t.text in (x, /usr/bin/Bash)", true},
      {"t.text startswith oneof (/usr, /usr/bin)", false},
      {"t.text startswith allof (/usr, /usr/bin)", true},
      {"t.text != anyof (x, /usr/bin/Bash)", true},
      {"t.none = x", false},
      {"t.none != x", false},
      {"not t.none = x", true},
      {"t.none exists", false},
      {"t.text = val(t.none)", false},
      {"t.int < 0", true},
      {"t.int in (1, -3)", true},
      {"t.int > 99999999999999999999", false},
      {"t.bool = true", true},
      {"t.port = https", true},
      {"t.port in (80, 443)", true},
      {"t.distance = 20", true},
      {"t.distance = 21", true},
      {"t.distance = 19", false},
      {"t.sides = 8.8.8.8", true},
      {"t.sides != 8.8.8.8", false},
      {"t.sides != 1.1.1.1", true},
      {"t.sides in (1.1.1.1, 10.1.2.3)", true},
      {"t.net = 10.0.0.0/8", true},
      {"t.net in (1.0.0.0/8, 8.0.0.0/8)", true},
      {"t.net != 9.0.0.0/8", true},
      {"t.line = init", true},
      {"t.line != init", true},
      {"not t.line = init", false},
      {"t.line startswith anyof (x, ba)", true},
      {"t.list in (a, b, c)", true},
      {"t.list in (a)", false},
      {"t.list intersects (b)", true},
      {"tolower(basename(t.text)) = bash", true},
      {"len(t.list) = 2", true},
      {"join(',', t.list) = 'a,b'", true},
      {"concat(t.text, 'x') endswith hx", true},
      {"b64('aGk=') = hi", true},
      {"b64('?') exists", false},
      {"getopt(('-p', '80', '-v'), 'p:v')[p] = 80", true},
      {"getopt(('-p', '80', '-v'), 'p:v') intersects (v)", true},
  };
  SetValues();
  for (const Case& test : kCases) EXPECT_EQ(IsTrue(test.text), test.result) << test.text;
}

TEST(Interpreter, TellsTheTracerWhatEachPartSaw) {
  class Tracer final : public EvaluationTracer {
   public:
    void OnCheck(const BoundCheck& check, Truth truth, const Value& seen) noexcept override {
      log += check.text + (truth == Truth::kTrue ? "+" : truth == Truth::kFalse ? "-" : "?");
      if (seen.kind() == ValueKind::kText) log += seen.text();
      log += ";";
    }
    void OnGroup(const BoundCondition&, bool truth) noexcept override { log += truth ? "T" : "F"; }
    std::string log;
  };
  SetValues();
  const auto parsed = ParseCondition("(t.none = x or t.text = y) and t.int = 1");
  std::vector<BindProblem> warnings;
  const auto bound = BindCondition(*parsed, Fields(), warnings);
  Scratch scratch;
  Tracer tracer;
  EXPECT_FALSE(Evaluate(*bound, Happening{}, scratch, &tracer));
  EXPECT_EQ(tracer.log, "t.none = x?;t.text = y-/usr/bin/Bash;FF");
}

TEST(Matchers, GlobIsFnmatchWithoutFlags) {
  EXPECT_TRUE(GlobMatch("*", "", Case::kSensitive));
  EXPECT_TRUE(GlobMatch("a*b*c", "aXbYbZc", Case::kSensitive));
  EXPECT_FALSE(GlobMatch("a*b", "ac", Case::kSensitive));
  EXPECT_TRUE(GlobMatch("[!a-c]x", "dx", Case::kSensitive));
  EXPECT_TRUE(GlobMatch("[[:digit:]]", "7", Case::kSensitive));
  EXPECT_TRUE(GlobMatch("[", "[", Case::kSensitive));
  EXPECT_TRUE(GlobMatch("\\*", "*", Case::kSensitive));
  EXPECT_FALSE(GlobMatch("\\*", "x", Case::kSensitive));
  EXPECT_TRUE(GlobMatch("ABC", "abc", Case::kIgnored));
}

TEST(Matchers, ManyStarsCostNoMoreThanPatternTimesText) {
  const std::string text(100'000, 'a');
  std::string stars;
  for (int i = 0; i < 1'000; ++i) stars += "*a";
  EXPECT_TRUE(GlobMatch(stars, text, Case::kSensitive));
  EXPECT_FALSE(GlobMatch(stars + "*b", text, Case::kIgnored));
  EXPECT_FALSE(PathPrefixMatch("/" + text, "/" + stars + "*b"));
  EXPECT_FALSE(
      GlobMatch("*" + std::string(1'000, '[') + "b", text.substr(0, 4'096), Case::kIgnored));
}

}  // namespace
}  // namespace gyrfalcon
