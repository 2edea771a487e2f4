#include "rules/rule_needs.h"

#include <algorithm>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rules/test_rules.h"

namespace gyrfalcon {
namespace {

using ::testing::Contains;
using ::testing::Not;

std::vector<TypeNeeds> Needs(const std::string& condition, const std::string& output = "o") {
  const auto rules = RuleWith(condition, output);
  return NeedsOf(rules->rules()[0]);
}

const TypeNeeds& Of(const std::vector<TypeNeeds>& all, std::string_view type) {
  static const TypeNeeds kNone;
  const auto found = std::ranges::find_if(
      all, [&](const TypeNeeds& needs) { return Describe(needs.type).name == type; });
  EXPECT_NE(found, all.end()) << type;
  return found == all.end() ? kNone : *found;
}

bool Has(const TypeNeeds& needs, Fact fact) {
  return (needs.facts & Bit(fact)) != 0;
}

TEST(RuleNeeds, AreOfConditionAndOutput) {
  EXPECT_TRUE(
      Has(Of(Needs("evt.type = execve and user.name = root"), "execve"), Fact::kCredentials));
  EXPECT_TRUE(Has(Of(Needs("evt.type = execve", "%user.uid"), "execve"), Fact::kCredentials));
  EXPECT_FALSE(
      Has(Of(Needs("evt.type = execve and proc.name = sh"), "execve"), Fact::kCredentials));
}

TEST(RuleNeeds, AreThoseOfTheTypeAtHand) {
  const auto needs = Needs(
      "(evt.type = execve and proc.cwd = /tmp/) or (evt.type = connect and user.name = root)");
  EXPECT_TRUE(Has(Of(needs, "execve"), Fact::kFolder));
  EXPECT_FALSE(Has(Of(needs, "execve"), Fact::kCredentials));
  EXPECT_TRUE(Has(Of(needs, "connect"), Fact::kCredentials));
  EXPECT_THAT(Of(needs, "connect").fields, Not(Contains("proc.cwd")));
}

TEST(RuleNeeds, TypesThatTheRuleCannotHoldForHaveNone) {
  for (const TypeNeeds& needs : Needs("evt.is_io_read = true")) {
    EXPECT_TRUE((Describe(needs.type).flags & kReadsFd) != 0) << Describe(needs.type).name;
  }
  EXPECT_TRUE(Needs("evt.type = execve and evt.cpu = 1").empty());  // never there
}

TEST(RuleNeeds, SayWhetherFailedCallsCount) {
  EXPECT_TRUE(Of(Needs("evt.type = execve"), "execve").can_fail);
  EXPECT_TRUE(Of(Needs("evt.type = execve and evt.res != SUCCESS"), "execve").can_fail);
  for (const char* condition :
       {"evt.type = execve and evt.res = SUCCESS", "evt.type = execve and evt.rawres >= 0",
        "evt.type = execve and not evt.failed = true"}) {
    EXPECT_FALSE(Of(Needs(condition), "execve").can_fail) << condition;
  }
}

TEST(RuleNeeds, CountMacrosAndExceptions) {
  const auto rules = LoadTestRules(R"(
- macro: by_root
  condition: (user.name = root)
- rule: r
  desc: d
  condition: evt.type = execve and by_root
  output: o
  priority: INFO
  exceptions:
    - name: folders
      fields: [proc.cwd]
      comps: [=]
      values: [[/srv/]]
)");
  const auto needs = NeedsOf(rules->rules()[0]);
  EXPECT_TRUE(Has(Of(needs, "execve"), Fact::kCredentials));
  EXPECT_TRUE(Has(Of(needs, "execve"), Fact::kFolder));
}

TEST(RuleNeeds, AMissingValueMakesNotTrue) {
  // evt.cpu is never there, so its check does not hold and its `not` does.
  const auto needs = Needs("evt.type = open and not evt.cpu = 1");
  EXPECT_THAT(Of(needs, "open").fields, Not(Contains("evt.cpu")));
}

}  // namespace
}  // namespace gyrfalcon
