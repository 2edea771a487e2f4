#include "base/fd_limit.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace gyrfalcon {
namespace {

size_t CountFree() {
  std::vector<UniqueFd> opened;
  for (;;) {
    UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!fd) return opened.size();
    opened.push_back(std::move(fd));
  }
}

class FdReserveTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit few = before_;
    few.rlim_cur = 64;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  void TearDown() override { ::setrlimit(RLIMIT_NOFILE, &before_); }

  rlimit before_{};
};

TEST_F(FdReserveTest, WhatIsHeldIsFreeAgainWhenItGoes) {
  const size_t free = CountFree();
  ASSERT_GT(free, 20u);
  {
    const auto reserve = FdReserve::Make(20);
    ASSERT_TRUE(reserve);
    EXPECT_EQ(CountFree(), free - 20);
  }
  EXPECT_EQ(CountFree(), free);
}

TEST_F(FdReserveTest, MoreThanTheProcessMayHaveIsAnError) {
  const size_t free = CountFree();
  const auto reserve = FdReserve::Make(100);
  ASSERT_FALSE(reserve);
  EXPECT_EQ(reserve.error().fault, Fault::kEnvironment);
  EXPECT_NE(reserve.error().message.find("raise the limit of open files"), std::string::npos);
  EXPECT_EQ(CountFree(), free);
}

}  // namespace
}  // namespace gyrfalcon
