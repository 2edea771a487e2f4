#include "state/fork_flood.h"

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr auto kFlood = static_cast<int32_t>(ForkFlood::kProcesses);

TEST(ForkFlood, IsToldOncePerFlood) {
  ForkFlood flood;
  int told = 0;
  for (int32_t i = 1; i <= 1000; ++i) told += flood.Note(i, i * kMs) ? 1 : 0;
  EXPECT_EQ(told, 1);
  EXPECT_EQ(flood.count(), 1000u);
  EXPECT_EQ(flood.since_ns(), kMs);
  for (int32_t i = 1; i <= 1000; ++i) flood.Settle(i);
  EXPECT_EQ(flood.count(), 0u);
  for (int32_t i = 1; i <= 1000; ++i) told += flood.Note(i, (1000 + i) * kMs) ? 1 : 0;
  EXPECT_EQ(told, 2) << "another one";
}

TEST(ForkFlood, TellsTheCountAndTheTimeThatMadeIt) {
  ForkFlood flood;
  for (int32_t i = 1; i < kFlood; ++i) EXPECT_FALSE(flood.Note(i, i * kMs));
  EXPECT_TRUE(flood.Note(kFlood, kFlood * kMs));
  EXPECT_EQ(flood.count(), ForkFlood::kProcesses);
  EXPECT_EQ(flood.since_ns(), kMs);
}

TEST(ForkFlood, IsNoneWhereProcessesEndOrRunProgramsOrComeSlowly) {
  ForkFlood one_after_another;
  for (int32_t i = 1; i <= 100'000; ++i) {
    EXPECT_FALSE(one_after_another.Note(i, i * kMs / 10));
    one_after_another.Settle(i);
  }
  ForkFlood slow;
  const int64_t step_ns = ForkFlood::kWindowNs / (kFlood - 2);
  for (int32_t i = 1; i <= 100 * kFlood; ++i) EXPECT_FALSE(slow.Note(i, i * step_ns)) << i;
}

TEST(ForkFlood, RemembersABoundedNumber) {
  ForkFlood flood;
  int told = 0;
  for (int32_t i = 1; i <= 100'000; ++i) told += flood.Note(i, 1) ? 1 : 0;
  EXPECT_EQ(told, 1);
  EXPECT_LE(flood.count(), 4096u);
  // An id that is used again counts once.
  ForkFlood same;
  for (int32_t i = 1; i <= 100'000; ++i) EXPECT_FALSE(same.Note(7, i));
  EXPECT_EQ(same.count(), 1u);
}

}  // namespace
}  // namespace gyrfalcon
