#include "base/text.h"

#include <array>

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

TEST(Text, SplitKeepsEmptyPieces) {
  const auto pieces = Split("a,,b", ',');
  ASSERT_EQ(pieces.size(), 3u);
  EXPECT_EQ(pieces[1], "");
}

TEST(Text, NearestWordFindsATypoAndRefusesAStranger) {
  constexpr std::array<std::string_view, 3> kWords = {"proc.name", "proc.pname", "fd.name"};
  EXPECT_EQ(NearestWord("proc.nmae", kWords), "proc.name");
  EXPECT_EQ(NearestWord("container", kWords), std::nullopt);
}

TEST(Text, ParseIntTakesTheWholeTextOrNothing) {
  EXPECT_EQ(ParseInt("-12"), -12);
  EXPECT_EQ(ParseInt("+12"), 12);
  EXPECT_EQ(ParseInt("12x"), std::nullopt);
  EXPECT_EQ(ParseInt(""), std::nullopt);
  EXPECT_EQ(ParseInt("99999999999999999999"), std::nullopt);
}

struct PathCase {
  std::string_view directory, path, expected;
};

TEST(Text, NormalizePathResolvesDotsAndDoubledSlashes) {
  constexpr std::array<PathCase, 15> kCases = {{
      {"/home/u/", "x", "/home/u/x"},
      {"/home/u", "../v/./w", "/home/v/w"},
      {"/ignored", "/etc//shadow", "/etc/shadow"},
      {"/", "../../etc", "/etc"},
      {"", "bin", "/bin"},
      {"/", "", "/"},
      {"/a/b", ".", "/a/b"},
      {"/a", "b/", "/a/b"},
      {"/ignored", "/usr/lib/x.so", "/usr/lib/x.so"},
      {"/ignored", "/a/.hidden", "/a/.hidden"},
      {"/ignored", "/a/./b", "/a/b"},
      {"/ignored", "/a/..", "/"},
      {"/ignored", "/a/b/", "/a/b"},
      {"/ignored", "//a", "/a"},
      {"/ignored", "/", "/"},
  }};
  std::string out;
  for (const PathCase& c : kCases) {
    NormalizePath(c.directory, c.path, out);
    EXPECT_EQ(out, c.expected) << c.directory << " + " << c.path;
  }
}

}  // namespace
}  // namespace gyrfalcon
