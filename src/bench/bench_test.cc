#include "bench/bench.h"

#include <filesystem>
#include <iterator>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/allocation_count.h"
#include "bench/discard_loop.h"
#include "bench/thread_set.h"
#include "rules/rule_loader.h"
#include "wire/test_support.h"

namespace gyrfalcon {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kCaptures = GYRFALCON_TEST_DATA "/captures/new/";

std::shared_ptr<const RuleSet> Rules() {
  const std::string path = GYRFALCON_TEST_DATA "/../../rules/gyrfalcon_rules.yaml";
  RuleLoader loader(AllFields());
  loader.AddFile(path, test::ReadFile(path));
  return loader.Compile();
}

BenchOptions ShortBench(const std::string& capture) {
  BenchOptions options;
  options.captures = {kCaptures + capture};
  options.duration = 70ms;
  options.connections = 3;
  return options;
}

TEST(Bench, MeasuresBothKindsOfSegmentsAndRefusesNothing) {
  const BenchOptions options = ShortBench("hello.trace");
  auto sockets = BenchSockets::Start(options);
  ASSERT_TRUE(sockets) << sockets.error().message;
  ASSERT_TRUE(sockets->sender().Loaded());
  const auto result = RunSocketBench(options, *sockets, Rules());
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_THAT(result->pipeline, SizeIs(7));
  ASSERT_THAT(result->discard, SizeIs(7));
  for (const auto* segments : {&result->pipeline, &result->discard}) {
    for (const BenchSegment& segment : *segments) {
      EXPECT_GT(segment.events, 0u);
      EXPECT_GT(segment.cpu_ns, 0);
      EXPECT_GT(segment.elapsed_ns, 0);
      EXPECT_GT(segment.sender_cpu_ns, 0);
    }
  }
  EXPECT_EQ(result->refused, 0u);
  EXPECT_THAT(result->losses, IsEmpty());
  EXPECT_TRUE(result->is_warm);
  EXPECT_GT(result->rss_bytes, 0);
  EXPECT_GE(result->discard_messages_per_receive, 1);
}

TEST(Bench, AlertsOfEachLoopAreRaisedAgain) {
  const BenchOptions options = ShortBench("credentials.trace");
  auto sockets = BenchSockets::Start(options);
  ASSERT_TRUE(sockets) << sockets.error().message;
  ASSERT_TRUE(sockets->sender().Loaded());
  const auto result = RunSocketBench(options, *sockets, Rules());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_GE(result->alerts, options.connections);
}

TEST(Bench, LeavesNoFolderBehind) {
  std::string folder;
  {
    auto sockets = BenchSockets::Start(ShortBench("hello.trace"));
    ASSERT_TRUE(sockets);
    folder = std::filesystem::path(sockets->pipeline_path()).parent_path();
    EXPECT_TRUE(std::filesystem::exists(folder));
  }
  EXPECT_FALSE(std::filesystem::exists(folder));
}

TEST(Bench, FromMemoryThereIsNothingToHoldItAgainst) {
  const auto result = RunMemoryBench(ShortBench("hello.trace"), Rules());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(result->pipeline, SizeIs(7));
  EXPECT_THAT(result->discard, IsEmpty());
  EXPECT_GT(result->pipeline[0].events, 0u);
  EXPECT_GT(result->quiet_events, 0u);
  EXPECT_EQ(result->refused, 0u);
}

TEST(Sender, TellsWhatIsWrongWithACapture) {
  auto sender = SenderProcess::Start({.captures = {"no-such.trace"}, .sockets = {}});
  ASSERT_TRUE(sender);
  const auto loaded = sender->Loaded();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().fault, Fault::kEnvironment);
  EXPECT_THAT(loaded.error().message, HasSubstr("no-such.trace"));
}

TEST(Sender, SaysWhereNobodyListens) {
  const TestFolder folder;
  auto sender = SenderProcess::Start(
      {.captures = {kCaptures + "hello.trace"}, .sockets = {folder / "none.sock", ""}});
  ASSERT_TRUE(sender);
  ASSERT_TRUE(sender->Loaded());
  const auto connected = sender->Connect();
  ASSERT_FALSE(connected);
  EXPECT_THAT(connected.error().message, HasSubstr("none.sock"));
}

TEST(Sender, EachMessageThatItCountsIsReceived) {
  const TestFolder folder;
  auto sender = SenderProcess::Start({.captures = {kCaptures + "hello.trace"},
                                      .sockets = {"", folder / "discard.sock"},
                                      .connections = 70});  // more than it has threads
  ASSERT_TRUE(sender);
  const auto loop = DiscardLoop::Start(folder / "discard.sock", 2, {});
  ASSERT_TRUE(loop) << loop.error().message;
  ASSERT_TRUE(sender->Loaded());
  const auto connected = sender->Connect();
  ASSERT_TRUE(connected) << connected.error().message;
  const auto first = sender->Send(1, {.at_least = 5ms, .loops = 1, .at_most = 20s});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_GE(first->loops, 1u);
  const auto second = sender->Send(1, {.at_least = 5ms, .at_most = 5ms});
  ASSERT_TRUE(second);
  // Taken from the kernel, and counted a moment later.
  const uint64_t sent = first->messages + second->messages;
  for (int i = 0; i < 1'000 && (*loop)->messages() < sent; ++i) std::this_thread::sleep_for(1ms);
  EXPECT_EQ((*loop)->messages(), sent);
}

TEST(Sender, HoldsToARate) {
  const TestFolder folder;
  auto sender = SenderProcess::Start({.captures = {kCaptures + "hello.trace"},
                                      .sockets = {"", folder / "discard.sock"},
                                      .connections = 2});
  ASSERT_TRUE(sender);
  const auto loop = DiscardLoop::Start(folder / "discard.sock", 1, {});
  ASSERT_TRUE(loop);
  ASSERT_TRUE(sender->Loaded());
  ASSERT_TRUE(sender->Connect());
  const auto sent =
      sender->Send(1, {.at_least = 100ms, .at_most = 100ms, .messages_per_s = 10'000});
  ASSERT_TRUE(sent);
  // A busy machine may lengthen the time, and never raises the rate; 32 at once each.
  const double seconds = static_cast<double>(sent->elapsed_ns) / 1e9;
  EXPECT_GT(sent->messages, 0u);
  EXPECT_LE(static_cast<double>(sent->messages), 10'000 * seconds + 2 * 32);
}

TEST(Sender, AReceiverThatIsGoneIsAnError) {
  const TestFolder folder;
  auto sender = SenderProcess::Start(
      {.captures = {kCaptures + "hello.trace"}, .sockets = {"", folder / "discard.sock"}});
  ASSERT_TRUE(sender);
  auto loop = DiscardLoop::Start(folder / "discard.sock", 1, {});
  ASSERT_TRUE(loop);
  ASSERT_TRUE(sender->Loaded());
  ASSERT_TRUE(sender->Connect());
  loop->reset();
  const auto sent = sender->Send(1, {.at_least = 10s, .at_most = 10s});
  ASSERT_FALSE(sent);
  EXPECT_THAT(sent.error().message, HasSubstr("cannot send"));
}

TEST(ThreadSet, KnowsItsThreadsByWhoWasThereBefore) {
  const ThreadSet before = ThreadSet::Running();
  std::atomic<bool> stop = false;
  std::thread busy([&stop] {
    while (!stop) {
    }
  });
  const ThreadSet added = ThreadSet::Running().Without(before);
  EXPECT_EQ(added.size(), 1u);
  const int64_t begin = added.cpu_ns();
  while (added.cpu_ns() == begin) {
  }
  stop = true;
  busy.join();
}

TEST(AllocationCount, IsOfEachThread) {
  const uint64_t before = AllocationsOfThisThread();
  CountAllocation(1);
  CountAllocation(1);
  EXPECT_EQ(AllocationsOfThisThread(), before + 2);
  EXPECT_TRUE(AllocationsAreCounted());
  uint64_t others = 0;
  std::thread other([&others] {
    CountAllocation(1);
    others = AllocationsOf(gettid());
  });
  other.join();
  EXPECT_EQ(others, 1u);
  EXPECT_EQ(AllocationsOf(gettid()), before + 2);
}

}  // namespace
}  // namespace gyrfalcon
