#include "points/syscall_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(SyscallCatalog, ACallHasItsNumbersAndItsPoint) {
  const SyscallInfo* openat = FindSyscall("openat");
  ASSERT_NE(openat, nullptr);
  EXPECT_EQ(openat->x86_64, 257);
  EXPECT_EQ(openat->aarch64, 56);
  ASSERT_NE(openat->point, nullptr);
  EXPECT_EQ(openat->point->name, "syscall/openat");
  EXPECT_EQ(FindSyscall("open")->aarch64, -1);
  EXPECT_EQ(FindSyscall("mkfifo"), nullptr);
  EXPECT_EQ(FindSyscall(""), nullptr);
}

TEST(SyscallCatalog, EverySchematisedCallHasTheNumbersOfThePointsTable) {
  size_t schematised = 0;
  for (const SyscallInfo& call : SyscallCatalog()) {
    if (call.point == nullptr) continue;
    ++schematised;
    EXPECT_EQ(call.x86_64, call.point->sysno_x86_64) << call.name;
    EXPECT_EQ(call.aarch64, call.point->sysno_aarch64) << call.name;
    EXPECT_EQ(call.support, SyscallSupport::kYes) << call.name;
  }
  size_t points = 0;
  for (const PointDef& point : Points()) points += point.is_syscall() ? 1U : 0U;
  EXPECT_EQ(schematised, points);
}

TEST(SyscallCatalog, CallsOf32BitMachinesAreNoneOfOurs) {
  EXPECT_EQ(FindSyscall("futex_time64"), nullptr);
  EXPECT_EQ(FindSyscall("clock_gettime64"), nullptr);
}

TEST(SyscallCatalog, APointIsThatOfItsCallAndTheOtherWayRound) {
  EXPECT_THAT(PointsOfSyscall(*FindSyscall("openat")),
              ElementsAre("syscall/openat/enter", "syscall/openat/exit"));
  EXPECT_THAT(PointsOfSyscall(*FindSyscall("vfork")),
              ElementsAre("syscall/vfork/enter", "syscall/vfork/exit", "sentry/clone"));
  EXPECT_THAT(SyscallsOfPoint("sentry/clone"), ElementsAre("clone", "clone3", "fork", "vfork"));
  EXPECT_THAT(SyscallsOfPoint("syscall/fork/exit"),
              ElementsAre("clone", "clone3", "fork", "vfork"));
  EXPECT_THAT(SyscallsOfPoint("syscall/openat/enter"), ElementsAre("openat"));
  EXPECT_THAT(SyscallsOfPoint("syscall/no_such/enter"), IsEmpty());
  EXPECT_THAT(SyscallsOfPoint("syscall/sysno/9999/enter"), IsEmpty());
  for (const SyscallInfo& call : SyscallCatalog()) {
    for (const std::string& point : PointsOfSyscall(call)) {
      EXPECT_THAT(SyscallsOfPoint(point), testing::Contains(call.name)) << point;
    }
  }
}

TEST(SyscallCatalog, NoPointTellsOfACallBeyondTheLastRawOne) {
  EXPECT_THAT(PointsOfSyscall(*FindSyscall("futex_waitv")), IsEmpty());
  EXPECT_EQ(PointsOfSyscall(*FindSyscall("epoll_pwait2")).size(), 2U);  // number 441
}

TEST(SyscallCatalog, WhatIsMeantByANameThatIsNoCall) {
  EXPECT_EQ(SyscallMeantBy("mkfifo"), "mknod");
  EXPECT_EQ(SyscallMeantBy("eventfd_read"), "read");
  EXPECT_EQ(SyscallMeantBy("opneat"), "openat");
  EXPECT_EQ(SyscallMeantBy("zzzzzz"), "");
}

TEST(SyscallCatalog, EveryNameThatTheTablesSayMoreOfIsACall) {
  // A row of the support table with a name that is none would be left out silently.
  size_t never = 0;
  size_t newer = 0;
  for (const SyscallInfo& call : SyscallCatalog()) {
    never += call.support == SyscallSupport::kNever ? 1U : 0U;
    newer += call.support == SyscallSupport::kNewerOnly ? 1U : 0U;
  }
  EXPECT_EQ(never, 73U);
  EXPECT_EQ(newer, 18U);
}

TEST(SyscallCatalog, WhatIsMadeOftenAndWhatARawPointHides) {
  EXPECT_TRUE(FindSyscall("futex")->hot);
  EXPECT_TRUE(FindSyscall("epoll_wait")->hot);
  EXPECT_FALSE(FindSyscall("setns")->hot);
  EXPECT_EQ(FindSyscall("rename")->raw_hides, "the path");
  EXPECT_EQ(FindSyscall("futex")->raw_hides, "");
}

TEST(SyscallCatalog, ACallOfAnotherArchitectureHasNoPointHere) {
  EXPECT_THAT(PointsOfSyscall(*FindSyscall("open"), Arch::kAarch64), IsEmpty());
  EXPECT_THAT(PointsOfSyscall(*FindSyscall("setns"), Arch::kAarch64),
              ElementsAre("syscall/sysno/268/enter", "syscall/sysno/268/exit"));
}

}  // namespace
}  // namespace gyrfalcon
