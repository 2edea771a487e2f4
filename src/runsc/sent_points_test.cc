#include "runsc/sent_points.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "rules/test_rules.h"
#include "runsc/session.h"

namespace gyrfalcon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(SentPoints, OfAGeneratedSessionAreThoseAskedFor) {
  const auto rules = RuleWith("evt.type in (openat, unlink) and user.name = root");
  const auto asked = PointsFor(*rules, SessionProfile::kStandard);
  const auto read = ReadSessionPoints("s.json", GenerateSession({.socket_path = "/s"}, *rules));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, Sent(asked));
  EXPECT_TRUE(read->contains("syscall/sysno/87/exit"));
  EXPECT_TRUE(read->at("syscall/openat/exit").context.contains("credentials"));
  EXPECT_TRUE(read->at("syscall/openat/exit").optional.contains("fd_path"));
}

TEST(SentPoints, TheInnerObjectAloneIsASessionToo) {
  const auto read = ReadSessionPoints(
      "s", R"({"name":"Default","points":[{"name":"sentry/clone","context_fields":["time"]}],
               "sinks":[{"name":"remote","config":{"endpoint":"/s","x":[{"y":null}]},
                         "ignore_setup_error":true}],
               "ignore_missing":true,"options":{"execve_hash_cache_capacity":0}})");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 1u);
  EXPECT_THAT(read->at("sentry/clone").context, ElementsAre("time"));
}

TEST(SentPoints, OfTwoEntriesTheLastCounts) {
  const auto read =
      ReadSessionPoints("s", R"({"trace_session":{"points":[{"name":"a","context_fields":["x"]},
              {"name":"a","optional_fields":["y"],"context_fields":null}]}})");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->at("a").context.empty());
  EXPECT_THAT(read->at("a").optional, ElementsAre("y"));
}

TEST(SentPoints, WhatIsWrongInASessionIsSaidWithItsPlace) {
  struct Case {
    const char *text, *what;
  };
  for (const Case& c : {
           Case{"", "s.json:1:1: not JSON"},
           Case{"{\n \"trace_session\": {,}}", "s.json:2:20: not JSON"},
           Case{"[]", "s.json:1:2: a list instead of an object"},
           Case{"null", "null instead of an object"},
           Case{"7", "a number instead of an object"},
           Case{"{}", "s.json:1:1: no trace_session"},
           Case{"{\n  \"trace_session\": {\n    \"point\": []}}",
                "s.json:3:5: unknown key \"point\" (did you mean \"points\"?)"},
           Case{R"({"trace_session":{},"extra":1})", "s.json:1:21: unknown key \"extra\""},
           Case{R"({"points":[],"trace_session":{}})", "s.json:1:14: unknown key"},
           Case{R"({"trace_session":{"points":[{"name":"a","fields":[]}]}})",
                "s.json:1:41: unknown key \"fields\""},
           Case{R"({"trace_session":{"sinks":[{"endpoint":"/s"}]}})", "unknown key \"endpoint\""},
           Case{R"({"trace_session":{"points":{}}})",
                "\"points\" is an object instead of a list of points"},
           Case{R"({"trace_session":{"points":["sentry/clone"]}})", "a text instead of an object"},
           Case{R"({"trace_session":{"points":[{"name":7}]}})",
                "\"name\" is a number instead of a text"},
           Case{R"({"trace_session":{"points":[{"context_fields":[7]}]}})",
                "a number instead of a text"},
           Case{R"({"trace_session":{"points":[{"context_fields":["a"]}]}})",
                "a point without a name"},
           Case{R"({"trace_session":{"ignore_missing":"yes"}})",
                "\"ignore_missing\" is a text instead of true or false"},
           Case{"{\"trace_session\":{\"name\":\"\xff\"}}", "not JSON"},
       }) {
    const auto read = ReadSessionPoints("s.json", c.text);
    ASSERT_FALSE(read) << c.text;
    EXPECT_EQ(read.error().fault, Fault::kInput);
    EXPECT_THAT(read.error().message, HasSubstr(c.what));
    EXPECT_THAT(read.error().message, HasSubstr("session generate"));
  }
}

TEST(SentPoints, ASessionIsBounded) {
  EXPECT_FALSE(ReadSessionPoints("s", std::string(kSentPointsBytesMax + 1, ' ')));
  std::string many = R"({"trace_session":{"points":[)";
  for (size_t i = 0; i <= kSentPointsMax; ++i) {
    many += (i == 0 ? "" : ",") + std::string("{\"name\":\"p") + std::to_string(i) + "\"}";
  }
  const auto points = ReadSessionPoints("s", many + "]}}");
  ASSERT_FALSE(points);
  EXPECT_THAT(points.error().message, HasSubstr("more than 16384 points"));
  const std::string long_name(kSentNameBytesMax + 1, 'x');
  EXPECT_FALSE(
      ReadSessionPoints("s", R"({"trace_session":{"points":[{"name":")" + long_name + "\"}]}}"));
}

constexpr const char* kMetadata =
    "POINTS (2)\n"
    "Name: sentry/clone, optional fields: [], context fields: [time|cwd]\n"
    "Name: sentry/execve, optional fields: [binary_info|env], context fields: [time]\n"
    "\nSINKS (1)\nName: remote\n";

TEST(SentPoints, OfMetadataAreThoseThatTheRunscKnows) {
  const auto read = ReadRunscMetadata("m", kMetadata);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 2u);
  EXPECT_THAT(read->at("sentry/clone").context, ElementsAre("cwd", "time"));
  EXPECT_TRUE(read->at("sentry/clone").optional.empty());
  EXPECT_THAT(read->at("sentry/execve").optional, ElementsAre("binary_info", "env"));
}

TEST(SentPoints, AnotherProgramsOutputIsNoMetadata) {
  struct Case {
    const char *text, *what;
  };
  for (const Case& c : {
           Case{"", "m:1: not the output"},
           Case{"hello\n", "m:1: not the output"},
           Case{"POINTS (many)\n", "m:1: not the output"},
           Case{"POINTS (18446744073709551616)\n", "m:1: not the output"},
           Case{"POINTS (100000)\n", "m:1: more than 16384 points"},
           Case{"POINTS (2)\nName: a, optional fields: [], context fields: []\n",
                "1 points instead of 2: a part of it only"},
           Case{"POINTS (1)\nName: a, optional fields: [], context fields: []\nName: b, optional "
                "fields: [], context fields: []\n",
                "m:3: more points than it says"},
           Case{"POINTS (1)\nName: a\n", "m:2: not a line"},
           Case{"POINTS (1)\nName: a, optional fields: [x, context fields: []\n", "m:2: not a"},
           Case{"POINTS (1)\nName: a, optional fields: [], context fields: [] x\n", "m:2: not a"},
       }) {
    const auto read = ReadRunscMetadata("m", c.text);
    ASSERT_FALSE(read) << c.text;
    EXPECT_EQ(read.error().fault, Fault::kInput);
    EXPECT_THAT(read.error().message, HasSubstr(c.what));
    EXPECT_THAT(read.error().message, HasSubstr("runsc trace metadata"));
  }
}

TEST(SentPoints, WhatARunscDoesNotKnowFallsAway) {
  const SentPoints asked = {{"a", {{"x", "y"}, {"o"}}}, {"b", {{"x"}, {}}}};
  const SentPoints known = {{"a", {{"y", "z"}, {"o", "p"}}}, {"c", {}}};
  EXPECT_EQ(Intersect(asked, known), (SentPoints{{"a", {{"y"}, {"o"}}}}));
}

class FakeRunsc : public ::testing::Test {
 protected:
  std::string Write(const std::string& script) const {
    return folder_.WriteScript("runsc", script);
  }

  const TestFolder folder_;
};

TEST_F(FakeRunsc, IsAskedForItsMetadata) {
  const auto asked = AskRunsc(Write("[ \"$*\" = 'trace metadata' ] || exit 1\ncat <<'END'\n" +
                                    std::string(kMetadata) + "END\n"));
  ASSERT_TRUE(asked) << asked.error().message;
  EXPECT_EQ(asked->size(), 2u);
}

TEST_F(FakeRunsc, ThatIsNoneOrFailsIsAnError) {
  const auto other = AskRunsc(Write("echo hello\n"));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().fault, Fault::kInput);
  EXPECT_THAT(other.error().message, HasSubstr("is no runsc"));
  const auto failed = AskRunsc(Write("echo broken >&2; exit 3\n"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().fault, Fault::kEnvironment);
  EXPECT_THAT(failed.error().message, HasSubstr("broken"));
  EXPECT_FALSE(AskRunsc(folder_ / "absent"));
}

}  // namespace
}  // namespace gyrfalcon
