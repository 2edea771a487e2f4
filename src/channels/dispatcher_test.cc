#include "channels/dispatcher.h"

#include <atomic>
#include <fstream>
#include <future>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alerts/test_alert.h"

namespace gyrfalcon {
namespace {

DispatcherOptions Options(size_t waiting_max, WhenFull when_full = WhenFull::kRefuse) {
  DispatcherOptions options;
  options.waiting_max = waiting_max;
  options.when_full = when_full;
  return options;
}

// Blocks in Write until it is let go.
class BlockedChannel final : public Channel {
 public:
  explicit BlockedChannel(std::shared_future<void> go) : go_(std::move(go)) {}
  std::string_view name() const override { return "blocked"; }
  Delivery Deliver(std::span<const OutgoingAlert> batch) override {
    go_.wait();
    written += static_cast<int>(batch.size());
    return {.done = batch.size(), .refused = 0, .problem = {}};
  }
  static inline std::atomic<int> written = 0;

 private:
  std::shared_future<void> go_;
};

std::vector<std::unique_ptr<Channel>> One(std::unique_ptr<Channel> channel) {
  std::vector<std::unique_ptr<Channel>> out;
  out.push_back(std::move(channel));
  return out;
}

TEST(Dispatcher, ABlockedChannelHoldsUpNobodyAndTheLimitIsTold) {
  std::promise<void> go;
  BlockedChannel::written = 0;
  int accepted = 0;
  Dispatcher dispatcher(Options(10), One(std::make_unique<BlockedChannel>(go.get_future().share())),
                        nullptr);
  for (int i = 0; i < 1'000; ++i) accepted += dispatcher.Put(MakeTestAlert("x")) ? 1 : 0;
  EXPECT_GE(accepted, 10);
  go.set_value();
  dispatcher.Stop();
  EXPECT_LT(BlockedChannel::written, 1'000) << "what does not fit is lost, not waited for";
  EXPECT_EQ(static_cast<uint64_t>(BlockedChannel::written) + dispatcher.failed_writes(),
            static_cast<uint64_t>(accepted));
}

TEST(Dispatcher, InReplayNothingIsRefused) {
  std::promise<void> go;
  go.set_value();
  BlockedChannel::written = 0;
  Dispatcher dispatcher(Options(3, WhenFull::kWait),
                        One(std::make_unique<BlockedChannel>(go.get_future().share())), nullptr);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(dispatcher.Put(MakeTestAlert("x")));
  dispatcher.Stop();
  EXPECT_EQ(BlockedChannel::written, 1000);
  EXPECT_FALSE(dispatcher.Put(MakeTestAlert("late")));
}

TEST(Dispatcher, InReplayTheBoundOfBytesIsWaitedForToo) {
  std::promise<void> go;
  BlockedChannel::written = 0;
  DispatcherOptions options;
  options.waiting_bytes_max = 1 << 20;
  options.when_full = WhenFull::kWait;
  Dispatcher dispatcher(options, One(std::make_unique<BlockedChannel>(go.get_future().share())),
                        nullptr);
  std::thread later([&go] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    go.set_value();
  });
  for (int i = 0; i < 100; ++i)
    EXPECT_TRUE(dispatcher.Put(MakeTestAlert(std::string(200'000, 'x'))));
  later.join();
  dispatcher.Stop();
  EXPECT_EQ(BlockedChannel::written, 100);
  EXPECT_EQ(dispatcher.failed_writes(), 0u);
}

TEST(Dispatcher, BytesAreBoundedNotOnlyNumbers) {
  std::promise<void> go;
  BlockedChannel::written = 0;
  DispatcherOptions options;
  options.waiting_bytes_max = 1 << 20;
  Dispatcher dispatcher(options, One(std::make_unique<BlockedChannel>(go.get_future().share())),
                        nullptr);
  int accepted = 0;
  for (int i = 0; i < 100; ++i) {
    accepted += dispatcher.Put(MakeTestAlert(std::string(200'000, 'x'))) ? 1 : 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  go.set_value();
  dispatcher.Stop();
  EXPECT_LT(BlockedChannel::written, 20) << "one batch at the channel, one that waits for it";
  EXPECT_EQ(static_cast<uint64_t>(BlockedChannel::written) + dispatcher.failed_writes(),
            static_cast<uint64_t>(accepted));
}

TEST(Dispatcher, AReaderThatStoppedReadingDoesNotHoldUpTheEnd) {
  int pipe_fds[2];
  ASSERT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
  {
    Dispatcher dispatcher(DispatcherOptions(),
                          One(MakeFdChannel("full pipe", pipe_fds[1], {}, false)), nullptr);
    for (int i = 0; i < 100; ++i) dispatcher.Put(MakeTestAlert(std::string(10'000, 'x')));
    dispatcher.Stop(200);
    EXPECT_GT(dispatcher.failed_writes(), 0u);
  }
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST(Channels, AFileIsAppendedToAndPrivate) {
  const std::string path = ::testing::TempDir() + "gyrfalcon-alerts-" + std::to_string(getpid());
  for (const char* line : {"one", "two"}) {
    auto channel = MakeFileChannel(path, {}, true, true);
    ASSERT_TRUE(channel);
    const Alert alert = MakeTestAlert(line);
    const OutgoingAlert outgoing{.boot_id = {}, .sequence = 0, .alert = &alert};
    EXPECT_EQ((*channel)->Deliver({&outgoing, 1}).done, 1u);
  }
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(text, FormatText(MakeTestAlert("one"), {}) + "\n" +
                      FormatText(MakeTestAlert("two"), {}) + "\n");
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  unlink(path.c_str());
}

TEST(Channels, AFileThatCantBeMadeSaysWhy) {
  const auto channel = MakeFileChannel("/nowhere/at/all", {}, true, true);
  ASSERT_FALSE(channel);
  EXPECT_EQ(channel.error().fault, Fault::kEnvironment);
  EXPECT_NE(channel.error().message.find("/nowhere/at/all"), std::string::npos);
}

TEST(Channels, AFailingChannelIsToldOnceAndItsLossCounted) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  std::atomic<int> told = 0;
  // As in replay: live it would be tried again.
  Dispatcher dispatcher(Options(100, WhenFull::kWait), One(MakeFdChannel("full", full, {}, false)),
                        [&](const Error&) { ++told; });
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(dispatcher.Put(MakeTestAlert("x")));
  dispatcher.Stop();
  EXPECT_EQ(told, 1);
  EXPECT_EQ(dispatcher.failed_writes(), 20u);
  close(full);
}

}  // namespace
}  // namespace gyrfalcon
