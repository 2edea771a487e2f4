#include "alerts/alert_format.h"

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

class AlertFormat : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    tzset();
    alert_ = {.rule = "R",
              .priority = Priority::kWarning,
              .source = "syscall",
              .tags = {"a", "b"},
              .time_ns = 1'795'335'717'026'572'338,
              .message = "file=/etc/shadow",
              .fields = {{"evt.time", int64_t{1'795'335'717'026'572'338}},
                         {"fd.name", std::string("/etc/shadow")},
                         {"proc.aname[2]", {}},
                         {"user.uid", uint64_t{0}},
                         {"x.bool", true}}};
    options_.hostname = "vm";
  }
  Alert alert_;
  AlertFormatOptions options_;
};

TEST_F(AlertFormat, TheTextLineIsFalcos) {
  EXPECT_EQ(FormatText(alert_, options_), "08:21:57.026572338: Warning file=/etc/shadow");
  options_.time_format_iso_8601 = true;
  EXPECT_EQ(FormatText(alert_, options_),
            "2026-11-22T08:21:57.026572338+0000: Warning file=/etc/shadow");
}

TEST_F(AlertFormat, TheJsonIsFalcos) {
  EXPECT_EQ(FormatJson(alert_, options_),
            R"({"hostname":"vm","output":"08:21:57.026572338: Warning file=/etc/shadow",)"
            R"("output_fields":{"evt.time":1795335717026572338,"fd.name":"/etc/shadow",)"
            R"("proc.aname[2]":null,"user.uid":0,"x.bool":true},)"
            R"("priority":"Warning","rule":"R","source":"syscall","tags":["a","b"],)"
            R"("time":"2026-11-22T08:21:57.026572338Z"})");
}

TEST_F(AlertFormat, AStampIsInTheJsonUnlessSwitchedOff) {
  options_.json_include_output_property = false;
  options_.json_include_output_fields_property = false;
  const AlertStamp stamp{.boot_id = "0a1b", .sequence = 7};
  EXPECT_EQ(FormatJson(alert_, options_, stamp),
            R"({"boot_id":"0a1b","hostname":"vm","priority":"Warning","rule":"R","sequence":7,)"
            R"("source":"syscall","tags":["a","b"],"time":"2026-11-22T08:21:57.026572338Z"})");
  const std::string without = FormatJson(alert_, options_);
  EXPECT_EQ(FormatJson(alert_, options_, {.boot_id = "0a1b", .sequence = 0}), without);
  options_.json_include_sequence_property = false;
  EXPECT_EQ(FormatJson(alert_, options_, stamp), without);
}

TEST_F(AlertFormat, EachJsonSwitchTakesItsPropertyAway) {
  options_.json_include_output_property = false;
  options_.json_include_output_fields_property = false;
  options_.json_include_tags_property = false;
  options_.json_include_message_property = true;
  EXPECT_EQ(FormatJson(alert_, options_),
            R"({"hostname":"vm","message":"file=/etc/shadow","priority":"Warning","rule":"R",)"
            R"("source":"syscall","time":"2026-11-22T08:21:57.026572338Z"})");
}

TEST_F(AlertFormat, ASandboxCantForgeALineOfItsOwn) {
  alert_.message = "file=/tmp/a\n08:00:00.000000000: Critical forged\x1b[2J \xff \"q\" \\";
  EXPECT_EQ(FormatText(alert_, options_),
            "08:21:57.026572338: Warning file=/tmp/a\\n08:00:00.000000000: Critical forged"
            "\\u001b[2J \xef\xbf\xbd \"q\" \\");
  EXPECT_EQ(FormatJson(alert_, options_).find('\n'), std::string::npos);
}

TEST_F(AlertFormat, NothingInATextLineMovesTheCursorOrTurnsTheWriting) {
  alert_.message = "a\x7f\u009b2J\u2028b\u202ec\u00e9\u65e5\U0001f600";
  EXPECT_EQ(FormatText(alert_, options_),
            "08:21:57.026572338: Warning a\\u007f\\u009b2J\\u2028b\\u202ec\u00e9\u65e5\U0001f600");
}

TEST(TimeText, ATimeBeforeTheEpochIsNoCrash) {
  Alert alert{.rule = "r",
              .priority = Priority::kDebug,
              .source = "syscall",
              .tags = {},
              .time_ns = -1,
              .message = "m",
              .fields = {}};
  setenv("TZ", "UTC", 1);
  tzset();
  EXPECT_EQ(FormatText(alert, {}), "23:59:59.999999999: Debug m");
  alert.time_ns = INT64_MIN;
  EXPECT_FALSE(FormatText(alert, {}).empty());
}

}  // namespace
}  // namespace gyrfalcon
