#include "channels/program_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ProgramLine, WordsStandBetweenBlanksAndQuotesAreAShells) {
  EXPECT_THAT(*SplitProgramLine("logger"), ElementsAre("logger"));
  EXPECT_THAT(*SplitProgramLine("  logger \t-t  falco\n"), ElementsAre("logger", "-t", "falco"));
  EXPECT_THAT(*SplitProgramLine(R"(a 'b c' "d e" f\ g '' "")"),
              ElementsAre("a", "b c", "d e", "f g", "", ""));
  EXPECT_THAT(*SplitProgramLine(R"(a"b"'c'd "\"\\\x")"), ElementsAre("abcd", R"("\\x)"));
  EXPECT_THAT(*SplitProgramLine(R"(sh -c 'jq '\''{text: .output}'\'' | curl -d @- $URL')"),
              ElementsAre("sh", "-c", "jq '{text: .output}' | curl -d @- $URL"));
  EXPECT_THAT(*SplitProgramLine("curl --data '@-' http://h/?a=b"),
              ElementsAre("curl", "--data", "@-", "http://h/?a=b"));
}

TEST(ProgramLine, WhatNeedsAShellIsAnErrorThatSaysHow) {
  for (const char* line : {"cat >/dev/null", "a | b", "a; b", "a & b", "a $HOME", "a `b`", "a <b",
                           "(a)", R"(a "$HOME")", R"(a "`b`")"}) {
    const auto words = SplitProgramLine(line);
    ASSERT_FALSE(words) << line;
    EXPECT_EQ(words.error().fault, Fault::kInput);
    EXPECT_THAT(words.error().message, HasSubstr("needs a shell")) << line;
    EXPECT_THAT(words.error().message, HasSubstr("sh -c '…'")) << line;
  }
  EXPECT_THAT(SplitProgramLine("cat >/dev/null").error().message, HasSubstr("`>` at character 5"));
}

TEST(ProgramLine, AnUnendedOrEmptyOneIsAnError) {
  EXPECT_THAT(SplitProgramLine("").error().message, HasSubstr("names no program"));
  EXPECT_THAT(SplitProgramLine("''").error().message, HasSubstr("names no program"));
  EXPECT_THAT(SplitProgramLine("a 'b").error().message,
              HasSubstr("the ' at character 3 has no end"));
  EXPECT_THAT(SplitProgramLine("a \"b").error().message, HasSubstr("character 3 has no end"));
  EXPECT_THAT(SplitProgramLine("a\\").error().message, HasSubstr("ends with a \\"));
}

}  // namespace
}  // namespace gyrfalcon
