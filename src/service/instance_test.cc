#include "service/instance.h"

#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

class InstanceTest : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }

  uint64_t Number(const std::string& name) const {
    const auto number = NumberInstance(socket_, name);
    EXPECT_TRUE(number) << number.error().message;
    return number.value_or(0);
  }
  std::string Text() const {
    std::stringstream text;
    text << std::ifstream(folder_ + "/instances").rdbuf();
    return text.str();
  }
  void Write(const std::string& text) const {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ + "/instances") << text;
  }

  const std::string folder_ =
      ::testing::TempDir() + "gyrfalcon-instance-" + std::to_string(getpid());
  const std::string socket_ = folder_ + "/gvisor.sock";
};

TEST_F(InstanceTest, NumbersAreInOrderOfAppearanceAndStay) {
  const uint64_t first = Number("pod-a");
  const uint64_t second = Number("pod-b");
  EXPECT_LT(first, second);
  EXPECT_EQ(Number("pod-a"), first);
  EXPECT_EQ(FindInstance(socket_, "pod-b").value_or(0), second);
  EXPECT_EQ(FindInstance(socket_, "pod-c").value_or(1), 0u);
  struct stat status{};
  ASSERT_EQ(stat((folder_ + "/instances").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(InstanceTest, AClockThatWasSetBackDoesNotMakeTheNextOneOlder) {
  Write("99999999999 pod-a\n");
  EXPECT_EQ(Number("pod-b"), 100'000'000'000u);
}

TEST_F(InstanceTest, ALostFileDoesNotMakeTheNextOneOlder) {
  const auto now = static_cast<uint64_t>(std::time(nullptr));
  EXPECT_GE(Number("pod-a"), now);
}

TEST_F(InstanceTest, WhatIsNoLineIsLeftOut) {
  Write("no number\n7\n8 \n9 pod-a\n10 a/b\n18446744073709551616 huge\n11 half");
  EXPECT_EQ(FindInstance(socket_, "pod-a").value_or(0), 9u);
  EXPECT_EQ(FindInstance(socket_, "half").value_or(1), 0u);
  EXPECT_GT(Number("pod-b"), 9u);
  EXPECT_THAT(Text(), HasSubstr("9 pod-a\n"));
  EXPECT_THAT(Text(), ::testing::Not(HasSubstr("half")));
}

TEST_F(InstanceTest, TheOldestGoesFirst) {
  const uint64_t first = Number("pod-0");
  for (size_t i = 1; i <= kInstancesMax; ++i) Number("pod-" + std::to_string(i));
  EXPECT_EQ(FindInstance(socket_, "pod-0").value_or(1), 0u);
  EXPECT_GT(FindInstance(socket_, "pod-1").value_or(0), first);
}

TEST_F(InstanceTest, NamesAreBounded) {
  EXPECT_TRUE(IsInstanceName("0c5ba8a6-1d1c-4d2c-a1d0-1f9d2a3b4c5d"));
  EXPECT_FALSE(IsInstanceName(""));
  EXPECT_FALSE(IsInstanceName("a b"));
  EXPECT_FALSE(IsInstanceName(std::string(kInstanceNameBytesMax + 1, 'a')));
}

TEST_F(InstanceTest, AFolderThatIsNoneIsNamed) {
  const auto number = NumberInstance("/proc/none/gvisor.sock", "pod-a");
  ASSERT_FALSE(number);
  EXPECT_THAT(number.error().message, HasSubstr("/proc/none/instances"));
}

}  // namespace
}  // namespace gyrfalcon
