#include "engine/sandbox_coverage.h"

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

TEST(SandboxCoverage, IsTheShareThatCame) {
  EXPECT_DOUBLE_EQ((SandboxCoverage{"a", 75, 25}).ratio(), 0.75);
  EXPECT_DOUBLE_EQ((SandboxCoverage{"a", 0, 0}).ratio(), 1);
  EXPECT_DOUBLE_EQ((SandboxCoverage{"a", 0, 9}).ratio(), 0);
}

TEST(SandboxCoverage, TheWorstAreKeptAndConnectionsOfOneSandboxAreOne) {
  std::vector<SandboxCoverage> all = {{"whole", 10, 0}, {"busy", 1'000, 0}, {"half", 5, 5},
                                      {"worst", 1, 9},  {"half", 5, 5},     {"nothing", 0, 0}};
  MergeWorst(all, 3);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].sandbox, "worst");
  EXPECT_EQ(all[1].sandbox, "half");
  EXPECT_EQ(all[1].received, 10u);
  EXPECT_EQ(all[1].dropped, 10u);
  EXPECT_EQ(all[2].sandbox, "busy");
}

}  // namespace
}  // namespace gyrfalcon
