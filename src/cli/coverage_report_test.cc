#include "cli/coverage_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Coverage Example() {
  Coverage out;
  RuleCoverage blind{.rule = "</script><b>&'\"\n\x1b[31m", .status = CoverageStatus::kBlind};
  Gap point{.point = "syscall/creat/exit", .event_types = {"creat"}, .why = "creat never comes"};
  point.effects = kMisses;
  point.mend.push_back({.point = "syscall/creat/exit",
                        .entry = {.context = {"time"}, .optional = {"fd_path"}},
                        .messages_per_1000 = 2.5});
  blind.missing.push_back(point);
  Gap field{.field = "user.uid", .why = "no message tells it", .parts = {"user.uid = 0"}};
  field.effects = kOverAlerts;
  field.parts_count = 1;
  field.substitute = "look elsewhere";
  blind.missing.push_back(field);
  blind.points = {{"syscall/creat/exit", false}, {"sentry/execve", true}};
  out.rules.push_back(blind);
  out.rules.push_back({.rule = "fine", .status = CoverageStatus::kFull});
  out.full = 1;
  out.blind = 1;
  return out;
}

TEST(CoverageReport, JsonHasTheKeysOfTheInterface) {
  const Coverage coverage = Example();
  const auto json = nlohmann::json::parse(CoverageJson({coverage, "a test"}));
  EXPECT_EQ(json["summary"]["full"], 1);
  EXPECT_EQ(json["summary"]["degraded"], 0);
  EXPECT_EQ(json["summary"]["blind"], 1);
  ASSERT_EQ(json["rules"].size(), 2u);
  const auto& rule = json["rules"][0];
  EXPECT_EQ(rule["rule"], coverage.rules[0].rule);
  EXPECT_EQ(rule["status"], "blind");
  EXPECT_EQ(rule["missing"][0]["point"], "syscall/creat/exit");
  EXPECT_FALSE(rule["missing"][0].contains("field"));
  EXPECT_EQ(rule["missing"][0]["why"], "creat never comes");
  EXPECT_EQ(rule["missing"][0]["mend"][0]["entry"]["optional_fields"][0], "fd_path");
  EXPECT_EQ(rule["missing"][0]["mend"][0]["cost"]["messages_per_1000"], 2.5);
  EXPECT_EQ(rule["missing"][1]["field"], "user.uid");
  EXPECT_EQ(rule["missing"][1]["effects"][0], "over-alerts");
  EXPECT_EQ(rule["missing"][1]["substitute"], "look elsewhere");
  EXPECT_TRUE(json["rules"][1]["missing"].empty());
}

TEST(CoverageReport, TextHasTheWorstFirstAndNoOtherControlCharacters) {
  const Coverage coverage = Example();
  const std::string text = CoverageText({coverage, "a test"}, false);
  EXPECT_LT(text.find("blind"), text.find("fine"));
  EXPECT_THAT(text, HasSubstr("user.uid: no message tells it (exception never applies)"));
  EXPECT_THAT(text, HasSubstr("in `user.uid = 0`"));
  EXPECT_THAT(text, HasSubstr("instead: look elsewhere"));
  EXPECT_THAT(text, HasSubstr(R"({"name":"syscall/creat/exit","optional_fields":["fd_path"])"));
  EXPECT_THAT(text, HasSubstr("2 rules: 1 full, 0 degraded, 1 blind\n"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_THAT(CoverageText({coverage, "a test"}, true), HasSubstr("\x1b[31mblind"));
}

TEST(CoverageReport, ThePageTakesNoMarkupFromRulesAndNothingFromElsewhere) {
  Coverage coverage = Example();
  coverage.rules[0].missing[1].parts[0] = "proc.name = <img src=x onerror=alert(1)>";
  coverage.rules[1].rule = "@PICTURE@ @RULES@";
  const std::string page = CoverageHtml({coverage, "a <test> @SUBJECT@"});
  EXPECT_THAT(page, HasSubstr("&lt;/script&gt;&lt;b&gt;&amp;&#39;&quot;"));
  EXPECT_THAT(page, HasSubstr("proc.name = &lt;img src=x onerror=alert(1)&gt;"));
  EXPECT_THAT(page, HasSubstr("a &lt;test&gt; @SUBJECT@"));
  EXPECT_THAT(page, HasSubstr("<summary>@PICTURE@ @RULES@</summary>"));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("http://")));
  EXPECT_THAT(page, Not(HasSubstr("https://")));
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  // One script, ours.
  EXPECT_EQ(page.find("<script"), page.rfind("<script"));
  EXPECT_THAT(page, HasSubstr("title=\"syscall/creat/exit: not sent\""));
}

}  // namespace
}  // namespace gyrfalcon
