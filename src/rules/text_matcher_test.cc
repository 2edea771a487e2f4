#include "rules/text_matcher.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "rules/interpreter.h"

namespace gyrfalcon {
namespace {

constexpr Operator kOperators[] = {Operator::kEqual,    Operator::kIn,        Operator::kStartswith,
                                   Operator::kEndswith, Operator::kContains,  Operator::kIcontains,
                                   Operator::kGlob,     Operator::kIglob,     Operator::kPmatch,
                                   Operator::kContains, Operator::kIcontains, Operator::kEndswith};

bool MatchesOne(Operator op, std::string_view pattern, std::string_view text) {
  TextMatcher matcher;
  matcher.Add(op, pattern);
  matcher.Seal();
  return matcher.Matches(text);
}

TEST(TextMatcher, AnswersAsEachOperatorByItself) {
  constexpr std::string_view kTexts[] = {
      "",         "/",          "a",      "A",         "/etc",        "/etc/",
      "/etc/x",   "//etc//x",   "etc",    "/etcetera", "/etc/shadow", "/usr//bin/sh",
      "/usr/bin", "\xff\xfe/x", "x y",    "/etc/*",    "/*/x",        "/e?c",
      "[a-z]",    "shadow",     "SHADOW", "ow",        "/etc//",      "*"};
  for (const Operator op : kOperators) {
    for (const std::string_view pattern : kTexts) {
      for (const std::string_view text : kTexts) {
        EXPECT_EQ(MatchesOne(op, pattern, text), CompareTexts(op, text, pattern))
            << "'" << text << "' " << Describe(op).text << " '" << pattern << "'";
      }
    }
  }
}

TEST(TextMatcher, EndsLongerThanWhatIsIndexed) {
  const std::string end(100, 'e');
  EXPECT_TRUE(MatchesOne(Operator::kEndswith, "x" + end, "/x" + end));
  EXPECT_FALSE(MatchesOne(Operator::kEndswith, "x" + end, "/y" + end));
}

// Few letters, so that patterns overlap and texts fit.
std::string Text(const std::vector<uint8_t>& choices) {
  constexpr std::string_view kLetters = "aAbB//*?";
  std::string out;
  for (const uint8_t choice : choices) out += kLetters[choice % kLetters.size()];
  return out;
}

using Choices = std::vector<uint8_t>;

RC_GTEST_PROP(TextMatcher, MatchesWhatOneOfThePatternsMatches,
              (const std::vector<std::pair<uint8_t, Choices>>& patterns,
               const std::vector<Choices>& texts)) {
  TextMatcher matcher;
  for (const auto& [op, text] : patterns) {
    matcher.Add(kOperators[op % std::size(kOperators)], Text(text));
  }
  matcher.Seal();
  for (const Choices& choices : texts) {
    const std::string text = Text(choices);
    const bool expected = std::ranges::any_of(patterns, [&](const auto& pattern) {
      return CompareTexts(kOperators[pattern.first % std::size(kOperators)], text,
                          Text(pattern.second));
    });
    RC_ASSERT(matcher.Matches(text) == expected);
  }
}

RC_GTEST_PROP(ContainsMatcher, FindsWhatASearchForEachFinds,
              (const std::vector<Choices>& parts, const std::vector<Choices>& texts,
               bool ignores_case)) {
  std::vector<std::string> owned;
  for (const Choices& part : parts) {
    if (!part.empty()) owned.push_back(Text(part));
  }
  const std::vector<std::string_view> views(owned.begin(), owned.end());
  ContainsMatcher matcher;
  RC_ASSERT(matcher.Make(views, ignores_case));
  const Operator op = ignores_case ? Operator::kIcontains : Operator::kContains;
  for (const Choices& choices : texts) {
    const std::string text = Text(choices);
    RC_ASSERT(matcher.Matches(text) == std::ranges::any_of(owned, [&](const std::string& part) {
                return CompareTexts(op, text, part);
              }));
  }
}

TEST(ContainsMatcher, OneThatWouldBeTooLargeIsNotMade) {
  const std::string large(ContainsMatcher::kCellsMax, 'a');
  const std::string_view parts[] = {large};
  EXPECT_FALSE(ContainsMatcher().Make(parts, false));
  TextMatcher matcher;
  for (int i = 0; i < 20; ++i) matcher.Add(Operator::kContains, large + std::to_string(i));
  matcher.Seal();
  EXPECT_TRUE(matcher.Matches("x" + large + "7"));
  EXPECT_FALSE(matcher.Matches(large));
}

TEST(ContainsMatcher, PartsOfEveryByte) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  TextMatcher matcher;
  for (size_t i = 0; i < 16; ++i) matcher.Add(Operator::kContains, all.substr(i * 16, 16));
  matcher.Seal();
  EXPECT_TRUE(matcher.Matches("x" + all.substr(240)));
  EXPECT_FALSE(matcher.Matches("x" + all.substr(241)));
}

}  // namespace
}  // namespace gyrfalcon
