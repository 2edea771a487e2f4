#include "setup/text_edit.h"

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

TEST(TextEdit, EditsGoByTheOldPlaces) {
  EXPECT_EQ(ApplyEdits("abcdef", {{4, 5, "X"}, {0, 0, "<"}, {1, 3, ""}}), "<adXf");
  EXPECT_EQ(ApplyEdits("", {{0, 0, "a"}}), "a");
}

TEST(LineDiff, ShowsThreeLinesAroundEachChange) {
  EXPECT_EQ(LineDiff("f", "a\n", "a\n"), "");
  EXPECT_EQ(LineDiff("f", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nX\n6\n7\n8\n9\n"),
            "--- f\n+++ f\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+X\n 6\n 7\n 8\n");
}

TEST(LineDiff, ChangesFarApartAreShownApart) {
  std::string before, after;
  for (int i = 0; i < 30; ++i) {
    before += std::to_string(i) + "\n";
    after += std::to_string(i) + (i == 5 || i == 25 ? "!\n" : "\n");
  }
  const std::string diff = LineDiff("f", before, after);
  EXPECT_NE(diff.find("@@ -3,7 +3,7 @@"), std::string::npos) << diff;
  EXPECT_NE(diff.find("@@ -23,7 +23,7 @@"), std::string::npos) << diff;
}

TEST(LineDiff, AFileThatWasNotThereAndOneWithoutALastNewline) {
  EXPECT_EQ(LineDiff("f", "", "a\n"), "--- f\n+++ f\n@@ -0,0 +1,1 @@\n+a\n");
  EXPECT_EQ(
      LineDiff("f", "a", "a\nb"),
      "--- f\n+++ f\n@@ -1,1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n\\ No newline "
      "at end of file\n");
}

}  // namespace
}  // namespace gyrfalcon
