#include "setup/toml_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "setup/runsc_config.h"

namespace gyrfalcon {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const std::string kSession = "/etc/gyrfalcon/pod-init.json";
const TomlKey kKey{{"runsc_config"}, "pod-init-config"};

// What is set, and that unsetting it gives the text back.
std::string Set(const std::string& before) {
  const auto set = SetTomlText("f", before, kKey, kSession);
  EXPECT_TRUE(set) << set.error().message;
  if (!set) return "";
  EXPECT_EQ(*SetTomlText("f", *set, kKey, kSession), *set);
  const auto unset = UnsetTomlText("f", *set, kKey, kSession, before);
  EXPECT_TRUE(unset) << unset.error().message;
  EXPECT_EQ(*unset, before);
  return *set;
}

TEST(TomlText, IsSetInEachFormOfTable) {
  const struct {
    std::string before, after;
  } kCases[] = {
      {"", "[runsc_config]\n  pod-init-config = \"/etc/gyrfalcon/pod-init.json\"\n"},
      {"log_level = \"debug\"",
       "log_level = \"debug\"\n\n[runsc_config]\n  pod-init-config = "
       "\"/etc/gyrfalcon/pod-init.json\"\n"},
      {"a = 1\n",
       "a = 1\n\n[runsc_config]\n  pod-init-config = \"/etc/gyrfalcon/pod-init.json\"\n"},
      {"a = 1\n\n",
       "a = 1\n\n[runsc_config]\n  pod-init-config = \"/etc/gyrfalcon/pod-init.json\"\n"},
      // Comments, order and indentation stay.
      {"# mine\n[runsc_config] # flags\n\tplatform = \"systrap\" # fast\n[other]\nx = 1\n",
       "# mine\n[runsc_config] # flags\n\tpod-init-config = "
       "\"/etc/gyrfalcon/pod-init.json\"\n\tplatform = \"systrap\" # fast\n[other]\nx = 1\n"},
      {"[runsc_config]", "[runsc_config]\n  pod-init-config = \"/etc/gyrfalcon/pod-init.json\""},
      {"[runsc_config]\r\nx = '1'\r\n",
       "[runsc_config]\r\npod-init-config = \"/etc/gyrfalcon/pod-init.json\"\r\nx = '1'\r\n"},
      {"runsc_config = { a = \"b\" }\n",
       "runsc_config = { pod-init-config = \"/etc/gyrfalcon/pod-init.json\", a = \"b\" }\n"},
      {"runsc_config = {}", "runsc_config = { pod-init-config = \"/etc/gyrfalcon/pod-init.json\"}"},
      {"runsc_config.debug = \"true\"\n",
       "runsc_config.pod-init-config = \"/etc/gyrfalcon/pod-init.json\"\nrunsc_config.debug = "
       "\"true\"\n"},
      {"[runsc_config.sub]\nx = 1\n",
       "[runsc_config.sub]\nx = 1\n\n[runsc_config]\n  pod-init-config = "
       "\"/etc/gyrfalcon/pod-init.json\"\n"},
      {"[runsc_config]\nпривет = 1\n", ""},  // no bare key
      {"ü = \"ü\" # ü\n", ""},
      {"[runsc_config]\n\"ü\" = \"ü\" # ü\n",
       "[runsc_config]\npod-init-config = \"/etc/gyrfalcon/pod-init.json\"\n\"ü\" = \"ü\" # ü\n"},
      {"[runsc_config]\npod-init-config = '/etc/falco/x.json' # theirs\n",
       "[runsc_config]\npod-init-config = \"/etc/gyrfalcon/pod-init.json\" # theirs\n"},
      {"[runsc_config]\nm = \"\"\"\n[runsc_config]\npod-init-config = \"no\"\n\"\"\"\n",
       "[runsc_config]\npod-init-config = \"/etc/gyrfalcon/pod-init.json\"\nm = "
       "\"\"\"\n[runsc_config]\npod-init-config = \"no\"\n\"\"\"\n"},
  };
  for (const auto& c : kCases) {
    if (c.after.empty()) {
      EXPECT_FALSE(SetTomlText("f", c.before, kKey, kSession)) << c.before;
    } else {
      EXPECT_EQ(Set(c.before), c.after);
    }
  }
}

TEST(TomlText, DotsCountWhereTheyMayBeOfAKey) {
  const std::string dots(100, '.');
  std::string deep = "a";
  for (int i = 0; i < 100; ++i) deep += ".a";
  for (const std::string& comment : {"# " + dots + "\n", "a = \"#\" # it's " + dots + "\n",
                                     "\"\\\"#\" = '#\\' # \"" + dots + "\n"}) {
    EXPECT_TRUE(SetTomlText("f", comment, kKey, kSession)) << comment;
  }
  for (const std::string& key :
       {deep + " = 1\n", "\"#\"." + deep + " = 1\n", "'#\\'." + deep + " = 1 # x\n",
        "\"\\\"#\"." + deep + " = 1\n", "x = [\"\"\"\n#\"\"\", {" + deep + " = 1}]\n",
        "x = ['''\n#''', {" + deep + " = 1}]\n"}) {
    const auto set = SetTomlText("f", key, kKey, kSession);
    ASSERT_FALSE(set) << key;
    EXPECT_THAT(set.error().message, HasSubstr("more than 64 dots in a line"));
  }
}

TEST(TomlText, WhatIsWrongHasItsPlace) {
  const struct {
    std::string_view text, error;
  } kCases[] = {
      {"a = \n", "f:1:5: not TOML: "},
      {"a = 1\na = 2\n", "f:2:"},
      {"a = \"\xff\"\n", "f:1:6: not TOML: a byte that is no UTF-8"},
      {"[runsc_config]\npod-init-config = 7\n", "f:2:19: `pod-init-config` is no text"},
      {"runsc_config = 7\n", "f:"},
      {"[[runsc_config]]\na = 1\n", "f:"},
      {"{ \"json\": 1 }", "f:1:"},
  };
  for (const auto& c : kCases) {
    const auto set = SetTomlText("f", c.text, kKey, kSession);
    ASSERT_FALSE(set) << c.text << *set;
    EXPECT_EQ(set.error().fault, Fault::kInput);
    EXPECT_THAT(set.error().message, StartsWith(std::string(c.error)));
  }
  EXPECT_FALSE(SetTomlText("f", std::string(100, '.') + " = 1", kKey, kSession));
}

TEST(TomlText, AnothersEditInBetweenSurvives) {
  const std::string before = "a = 1\n";
  const std::string mine = Set(before);
  EXPECT_EQ(*UnsetTomlText("f", mine + "  debug = \"true\"\n", kKey, kSession, before),
            "a = 1\n\n[runsc_config]\n  debug = \"true\"\n");
  EXPECT_EQ(*UnsetTomlText("f", "# new\n" + mine, kKey, kSession, before), "# new\na = 1\n");
  EXPECT_EQ(*UnsetTomlText("f", "runsc_config = {a = 'b', pod-init-config = '" + kSession + "'}\n",
                           kKey, kSession, std::nullopt),
            "runsc_config = {a = 'b'}\n");
  // Not ours any more.
  const std::string theirs = "[runsc_config]\npod-init-config = \"/x\"\n";
  EXPECT_EQ(*UnsetTomlText("f", theirs, kKey, kSession, before), theirs);
}

TEST(RunscConfig, AnothersSessionIsReplacedOnlyWhenAsked) {
  const std::string before =
      "binary_name = \"/opt/runsc\"\n[runsc_config]\npod-init-config = \"/x\"\n";
  const auto read = ReadRunscConfig("f", before);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->binary, "/opt/runsc");
  EXPECT_EQ(read->session_file, "/x");
  const auto refused = AddToRunscConfig("f", before, kSession, false);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("--replace"));
  const auto after = AddToRunscConfig("f", before, kSession, true);
  ASSERT_TRUE(after);
  EXPECT_EQ(ReadRunscConfig("f", *after)->session_file, kSession);
  EXPECT_EQ(*RemoveFromRunscConfig("f", *after, kSession, before), before);
}

RC_GTEST_PROP(TomlText, UndoneIsWhatItWas, ()) {
  const auto newline = *rc::gen::element<std::string>("\n", "\n", "\r\n");
  const int count = *rc::gen::inRange(0, 8);
  std::string before;
  for (int i = 0; i < count; ++i) {
    before += *rc::gen::element<std::string>(
        "", "# comment", "[runsc_config]", "  [runsc_config] # x", "[runsc_config.sub]", "[other]",
        "a = 1", "  b = 'x' # y", "runsc_config.c = 'd'", "d = { e = 1 }",
        "runsc_config = { f = 'g' }", "runsc_config = {}", "pod-init-config = '/x'", "\tg = [ 1,",
        "2 ]", "h = \"\"\"", "\"\"\"", "[[list]]", "[a.b.\"c d\"]", "\"runsc_config\".x = 'ü'");
    before += i + 1 < count || *rc::gen::arbitrary<bool>() ? newline : "";
  }
  const auto after = SetTomlText("f", before, kKey, kSession);
  if (!after) {
    RC_DISCARD("no TOML");
  }
  RC_ASSERT(*SetTomlText("f", *after, kKey, kSession) == *after);
  const auto unset = UnsetTomlText("f", *after, kKey, kSession, before);
  RC_ASSERT(unset.has_value());
  RC_ASSERT(*unset == before);
}

}  // namespace
}  // namespace gyrfalcon
