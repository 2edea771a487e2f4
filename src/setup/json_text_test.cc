#include "setup/json_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace gyrfalcon {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(JsonText, EverythingHasItsPlace) {
  const std::string text =
      "\xef\xbb\xbf{ \"a\\u0062\" : [1.5e3, \"x\\ud83d\\ude00y\"], \"n\":null }\n";
  const auto root = ReadJsonText("f", text);
  ASSERT_TRUE(root) << root.error().message;
  ASSERT_EQ(root->members.size(), 2u);
  const JsonNode* list = root->FindValue("ab");
  ASSERT_NE(list, nullptr);
  EXPECT_EQ(text.substr(list->begin, list->end - list->begin), "[1.5e3, \"x\\ud83d\\ude00y\"]");
  EXPECT_EQ(list->items[1].text, "x😀y");
  EXPECT_EQ(text[root->members[1].begin], '"');
  EXPECT_EQ(root->FindValue("n")->kind, JsonKind::kNull);
}

TEST(JsonText, AnErrorHasItsPlaceAndReason) {
  const struct {
    std::string_view text, place, reason;
  } kCases[] = {
      {"{\n  // no\n}", "f:2:3: ", "a comment"},
      {"{\n  \"a\": 1, # no\n}", "f:2:11: ", "a comment"},
      {"{\"a\": 1,}", "f:1:9: ", "a key in double quotes"},
      {"{\"a\" 1}", "f:1:6: ", "`:` behind the key"},
      {"{\"a\": 1", "f:1:8: ", "it ends where `,` or `}` is expected"},
      {"[1 2]", "f:1:4: ", "`,` or `]`"},
      {"{\"a\":1,\"a\":2}", "f:1:8: ", "the key \"a\" is there twice"},
      {"{\"a\":\"\xff\"}", "f:1:7: ", "a byte that is no UTF-8"},
      {"[\"a\nb\"]", "f:1:4: ", "a control character"},
      {"{} {}", "f:1:4: ", "something behind the end"},
      {"[01]", "f:1:3: ", "expected"},
      {"[tru]", "f:1:2: ", "expected a value"},
      {"[\"\\q\"]", "f:1:4: ", "an unknown escape"},
      {"", "f:1:1: ", "it ends where a value is expected"},
  };
  for (const auto& c : kCases) {
    const auto root = ReadJsonText("f", c.text);
    ASSERT_FALSE(root) << c.text;
    EXPECT_EQ(root.error().fault, Fault::kInput);
    EXPECT_THAT(root.error().message, StartsWith(std::string(c.place) + "not JSON: "));
    EXPECT_THAT(root.error().message, HasSubstr(std::string(c.reason)));
  }
}

TEST(JsonText, DepthAndSizeAreBounded) {
  const std::string open(kJsonDepthMax + 1, '[');
  EXPECT_FALSE(ReadJsonText("f", open + std::string(open.size(), ']')));
  const std::string fits(kJsonDepthMax, '[');
  EXPECT_TRUE(ReadJsonText("f", fits + std::string(fits.size(), ']')));
  EXPECT_FALSE(ReadJsonText("f", std::string(kSetupFileBytesMax + 1, ' ')));
}

TEST(JsonText, WhatIsQuotedIsReadAsItWas) {
  const std::string text = "a\"b\\c\n\x01ü";
  EXPECT_EQ(nlohmann::json::parse(QuoteJson(text)).get<std::string>(), text);
  EXPECT_EQ(ReadJsonText("f", QuoteJson(text))->text, text);
}

TEST(JsonText, EqualInMeaning) {
  const auto same = [](const char* a, const char* b) {
    return SameJson(*ReadJsonText("a", a), *ReadJsonText("b", b));
  };
  EXPECT_TRUE(same(R"({"a":[1,"x"],"b":{}})", R"({ "b" : {}, "a": [1, "\u0078"] })"));
  EXPECT_FALSE(same(R"({"a":[1,2]})", R"({"a":[2,1]})"));
  EXPECT_FALSE(same(R"({"a":1})", R"({"a":1,"b":1})"));
  EXPECT_FALSE(same(R"(["1"])", R"([1])"));
}

}  // namespace
}  // namespace gyrfalcon
