#include "service/watchdog.h"

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kSecond = 1'000'000'000;

TEST(StallWatch, AThreadThatComesRoundIsAliveAndOneThatDoesNotIsNamed) {
  Heartbeat first;
  Heartbeat second;
  StallWatch watch({{"worker 0", &first}, {"handshakes", &second}}, 2 * kSecond, 0);
  EXPECT_THAT(watch.FindStalled(kSecond), IsEmpty());
  first.Beat();
  EXPECT_THAT(watch.FindStalled(2 * kSecond), ElementsAre("handshakes"));
  EXPECT_THAT(watch.FindStalled(3 * kSecond), ElementsAre("handshakes"));
  EXPECT_THAT(watch.FindStalled(4 * kSecond), ElementsAre("worker 0", "handshakes"));
}

TEST(StallWatch, AStallIsOverWithTheNextBeat) {
  Heartbeat heartbeat;
  StallWatch watch({{"worker 0", &heartbeat}}, kSecond, 0);
  EXPECT_THAT(watch.FindStalled(kSecond), ElementsAre("worker 0"));
  heartbeat.Beat();
  EXPECT_THAT(watch.FindStalled(2 * kSecond), IsEmpty());
  EXPECT_THAT(watch.FindStalled(3 * kSecond), ElementsAre("worker 0"));
}

TEST(StallWatch, ProgressBeforeItBeganIsNone) {
  Heartbeat heartbeat;
  heartbeat.Beat();
  StallWatch watch({{"worker 0", &heartbeat}}, kSecond, 0);
  EXPECT_THAT(watch.FindStalled(kSecond), ElementsAre("worker 0"));
}

TEST(Watchdog, IsAliveAsLongAsItsThreadsAreAndSaysOnceWhichIsNot) {
  using std::chrono::milliseconds;
  Heartbeat heartbeat;
  std::atomic<int> alive = 0;
  std::atomic<int> stalls = 0;
  std::atomic<bool> beats = true;
  std::thread thread([&] {
    while (stalls == 0) {
      if (beats) heartbeat.Beat();
      std::this_thread::sleep_for(milliseconds(20));
    }
  });
  std::optional<Watchdog> watchdog;
  watchdog.emplace(WatchdogOptions{.interval = milliseconds(400),
                                   .threads = {{"worker 0", &heartbeat}},
                                   .on_alive = [&] { ++alive; },
                                   .on_stalled =
                                       [&](const std::vector<std::string>& stalled) {
                                         EXPECT_THAT(stalled, ElementsAre("worker 0"));
                                         ++stalls;
                                       }});
  while (alive < 5) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_EQ(stalls, 0);
  beats = false;
  thread.join();  // the stall was told
  const int alive_then = alive;
  std::this_thread::sleep_for(milliseconds(500));
  watchdog.reset();
  EXPECT_EQ(alive, alive_then);
  EXPECT_EQ(stalls, 1);
}

}  // namespace
}  // namespace gyrfalcon
