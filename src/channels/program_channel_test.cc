#include "channels/program_channel.h"

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "base/test_folder.h"
#include "channels/test_alerts.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class ProgramChannel : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // as the daemon does
  }
  void TearDown() override { EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child was left"; }

  std::unique_ptr<Channel> Open(const std::string& line, uint64_t timeout_ms = 5'000) const {
    auto channel = MakeProgramChannel(
        {.program = line, .keep_alive = GetParam(), .timeout_ms = timeout_ms}, {});
    EXPECT_TRUE(channel) << channel.error().message;
    return channel ? std::move(*channel) : nullptr;
  }
  std::string File(const std::string& name) const { return folder_ / name; }
  static std::vector<std::string> LinesOf(const std::string& path) {
    std::vector<std::string> lines;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
      lines.push_back(line.substr(line.find("Warning ") + 8));
    }
    return lines;
  }

  const TestFolder folder_;
};
INSTANTIATE_TEST_SUITE_P(KeepAlive, ProgramChannel, testing::Bool());

std::vector<std::string> Numbered(size_t count) {
  std::vector<std::string> out;
  for (size_t i = 1; i <= count; ++i) out.push_back("alert " + std::to_string(i));
  return out;
}

TEST_P(ProgramChannel, EachAlertIsALineOfItsInput) {
  const size_t count = GetParam() ? 5'000 : 50;
  auto channel = Open("sh -c 'cat >> \"$0\"' " + File("out"));
  const Delivery delivery = channel->Deliver(TestAlerts::Many(count).batch());
  EXPECT_EQ(delivery.done, count);
  EXPECT_FALSE(delivery.problem);
  channel.reset();  // it has the end of its input, and has ended
  EXPECT_EQ(LinesOf(File("out")), Numbered(count));
}

TEST_P(ProgramChannel, ALineLargerThanAPipeGoesThrough) {
  auto channel = Open("sh -c 'cat >> \"$0\"' " + File("out"));
  const std::string large(1'000'000, 'x');
  EXPECT_EQ(channel->Deliver(TestAlerts({large, "small"}).batch()).done, 2);
  channel.reset();
  EXPECT_EQ(LinesOf(File("out")), (std::vector<std::string>{large, "small"}));
}

TEST_P(ProgramChannel, AProgramThatFailsAtOnceIsTriedAgain) {
  const auto channel = Open("false");
  for (int i = 0; i < 3; ++i) {
    const Delivery delivery = channel->Deliver(TestAlerts({"one"}).batch());
    EXPECT_EQ(delivery.done, 0);
    ASSERT_TRUE(delivery.problem);
    EXPECT_THAT(delivery.problem->message, HasSubstr("program_output: false ended with 1"));
  }
}

TEST_P(ProgramChannel, AProgramThatDoesNotReadIsKilledInTime) {
  const auto channel = Open("sleep 100", 300);
  const auto begin = Clock::now();
  const Delivery delivery = channel->Deliver(TestAlerts({std::string(200'000, 'x')}).batch());
  EXPECT_EQ(delivery.done, 0);
  ASSERT_TRUE(delivery.problem);
  EXPECT_THAT(delivery.problem->message, HasSubstr("took longer than 300 ms, and was killed"));
  EXPECT_LT(Clock::now() - begin, milliseconds(2'000));
}

TEST_P(ProgramChannel, ItsChildrenAreKilledWithIt) {
  const auto channel = Open("sh -c 'sleep 7654 & echo $! > \"$0\"; sleep 100' " + File("pid"), 300);
  ASSERT_TRUE(channel->Deliver(TestAlerts({"one"}).batch()).problem);
  pid_t child = 0;
  std::ifstream(File("pid")) >> child;
  ASSERT_GT(child, 0);
  const auto is_alive = [child] {
    std::ifstream status("/proc/" + std::to_string(child) + "/stat");
    std::string text;
    std::getline(status, text);
    return !text.empty() && !text.contains(") Z ");
  };
  for (int i = 0; i < 100 && is_alive(); ++i) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_FALSE(is_alive());
}

TEST_P(ProgramChannel, GivingUpEndsIt) {
  const auto channel = Open("sleep 100", 60'000);
  std::thread stopper([&] {
    std::this_thread::sleep_for(milliseconds(200));
    channel->GiveUp();
  });
  const auto begin = Clock::now();
  EXPECT_TRUE(channel->Deliver(TestAlerts({std::string(200'000, 'x')}).batch()).problem);
  EXPECT_TRUE(channel->Deliver(TestAlerts({"one"}).batch()).problem);
  EXPECT_LT(Clock::now() - begin, milliseconds(1'500));
  stopper.join();
}

TEST_P(ProgramChannel, ItHasNoneOfOurDescriptorsAndSignals) {
  const int leaking = open(File("leak").c_str(), O_CREAT | O_RDWR, 0600);  // without O_CLOEXEC
  ASSERT_GE(leaking, 3);
  auto channel =
      Open("sh -c 'cat; ls /proc/self/fd > \"$0\"; grep SigIgn /proc/self/status > \"$1\"' " +
           File("fds") + " " + File("signals"));
  EXPECT_EQ(channel->Deliver(TestAlerts({"one"}).batch()).done, 1);
  channel.reset();
  close(leaking);
  std::ifstream file(File("fds"));
  const std::string fds{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(fds, "0\n1\n2\n3\n") << "3 is what ls itself has open";
  std::ifstream signals(File("signals"));
  std::string line;
  std::getline(signals, line);
  ASSERT_THAT(line, testing::StartsWith("SigIgn:"));
  constexpr uint64_t kBelowTheLibrarys = 0x7fff'ffff;  // signals 32 and 33 are the C library's
  EXPECT_EQ(std::strtoull(line.c_str() + 8, nullptr, 16) & kBelowTheLibrarys, 0) << line;
}

TEST_P(ProgramChannel, AProgramThatIsNotThereIsAnErrorAtTheStart) {
  for (const char* line : {"/no/such/program -x", "no-such-program-anywhere"}) {
    const auto channel = MakeProgramChannel({.program = line, .keep_alive = GetParam()}, {});
    ASSERT_FALSE(channel) << line;
    EXPECT_EQ(channel.error().fault, Fault::kEnvironment);
    EXPECT_THAT(channel.error().message, HasSubstr("there is no program"));
  }
}

class ProgramForEach : public ProgramChannel {};
INSTANTIATE_TEST_SUITE_P(Each, ProgramForEach, testing::Values(false));

TEST_P(ProgramForEach, OneThatReadsNothingAndIsContentHasDelivered) {
  EXPECT_EQ(Open("true")->Deliver(TestAlerts({std::string(200'000, 'x'), "b"}).batch()).done, 2);
}

TEST_P(ProgramForEach, AnAlertOnWhichItFailsHoldsUpTheOthersOnlySoLong) {
  const auto channel = Open("sh -c 'read line; case $line in *bad*) exit 3;; esac'");
  const TestAlerts alerts({"bad", "two", "three"});
  for (int i = 0; i < 3; ++i) {
    const Delivery delivery = channel->Deliver(alerts.batch());
    EXPECT_EQ(delivery.done, 0);
    EXPECT_THAT(delivery.problem->message, HasSubstr("ended with 3"));
  }
  const Delivery delivery = channel->Deliver(alerts.batch());
  EXPECT_EQ(delivery.done, 2);
  EXPECT_EQ(delivery.refused, 1);
  EXPECT_FALSE(delivery.problem);
}

TEST_P(ProgramForEach, OneThatIsKilledIsNamedSo) {
  const auto problem = Open("sh -c 'kill -9 $$'")->Deliver(TestAlerts({"one"}).batch()).problem;
  ASSERT_TRUE(problem);
  EXPECT_THAT(problem->message, HasSubstr("was killed by signal 9"));
}

class KeptProgram : public ProgramChannel {};
INSTANTIATE_TEST_SUITE_P(Kept, KeptProgram, testing::Values(true));

TEST_P(KeptProgram, ItIsOneProcessAndANewOneWhenItEnds) {
  auto channel = Open("sh -c 'echo \"Warning $$\" >> \"$0\"; head -n 2 >/dev/null' " + File("out"));
  const TestAlerts alerts({"one", "two", "three", "four"});
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(channel->Deliver(alerts.batch().subspan(i, 1)).done, 1);
    if (i == 1) std::this_thread::sleep_for(milliseconds(300));
  }
  channel.reset();
  const auto pids = LinesOf(File("out"));
  ASSERT_EQ(pids.size(), 2);
  EXPECT_NE(pids[0], pids[1]);
}

TEST_P(KeptProgram, WhatItHadNotReadWhenItEndedGoesToTheNext) {
  // Byte by byte, as `read` does on a pipe: three lines are read, the others lie in the pipe.
  auto channel = Open(
      "sh -c 'for i in 1 2 3; do read -r line || exit 1; echo \"$line\" >> \"$0\"; done; exit 1' " +
      File("out"));
  const TestAlerts alerts = TestAlerts::Many(10);
  size_t done = 0;
  for (int i = 0; i < 20 && done < 10; ++i)
    done += channel->Deliver(alerts.batch().subspan(done)).done;
  EXPECT_EQ(done, 10);
  channel.reset();
  EXPECT_EQ(LinesOf(File("out")), Numbered(10)) << "each once, in order";
}

TEST_P(KeptProgram, OneThatReadsSlowlyIsWaitedForAsLongAsItReads) {
  auto channel = Open(
      "sh -c 'while read -r line; do echo \"$line\" >> \"$0\"; sleep 0.1; done' " + File("out"),
      500);
  const Delivery delivery = channel->Deliver(TestAlerts::Many(10).batch());
  EXPECT_EQ(delivery.done, 10);
  channel.reset();
  EXPECT_EQ(LinesOf(File("out")), Numbered(10));
}

}  // namespace
}  // namespace gyrfalcon
