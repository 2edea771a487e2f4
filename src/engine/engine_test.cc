// The live pipeline over real sockets, with this test as the sandbox.
#include "engine/engine.h"

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <future>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "engine/test_kept_alerts.h"
#include "engine/test_replay.h"
#include "points/test_sandbox.h"

namespace gyrfalcon {
namespace {

using testing::Message;
using testing::OpenDatagram;
using testing::SendDatagram;

std::string RuleText(std::string_view name, std::string_view file) {
  return "- rule: " + std::string(name) +
         "\n  desc: x\n  condition: evt.type = openat and fd.name = " + std::string(file) +
         "\n  output: opened %fd.name in %container.id by %proc.name\n  priority: ERROR\n";
}

class EngineTest : public ::testing::Test {
 protected:
  void StartEngine(size_t workers, DispatcherOptions dispatching = DispatcherOptions(),
                   std::vector<std::unique_ptr<Channel>> channels = {}) {
    if (channels.empty()) channels.push_back(std::make_unique<testing::KeepDelivered>(lines_));
    dispatcher_ = std::make_unique<Dispatcher>(dispatching, std::move(channels), nullptr);
    EngineOptions options;
    options.socket_path = folder_ / "gvisor.sock";
    options.workers = workers;
    auto engine = Engine::Start(std::move(options), testing::RulesFromText(RuleText("first", "/a")),
                                *dispatcher_, nullptr);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::move(*engine);
  }

  int Connect() {
    const int fd = testing::ConnectSandbox(folder_ / "gvisor.sock");
    EXPECT_GE(fd, 0);
    return fd;
  }
  static void SendOpen(int fd, int32_t tid, std::string_view path) {
    ASSERT_TRUE(SendDatagram(fd, OpenDatagram(testing::ContextOfThread(tid), path)));
  }
  static void SendExec(int fd, int32_t tid, std::string_view path) {
    ASSERT_TRUE(SendDatagram(
        fd, testing::Datagram(MessageType::kSentryExec,
                              Message().Nested(1, testing::ContextOfThread(tid)).Text(2, path))));
  }

  const TestFolder folder_;
  std::vector<std::string> lines_;  // read after Stop only
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, WhatIsInTheQueueAtStopIsTakenUp) {
  for (const size_t workers : {size_t{1}, size_t{3}}) {
    lines_.clear();
    StartEngine(workers);
    constexpr int kSandboxes = 8;
    constexpr int kOpens = 100;
    std::vector<int> fds;
    fds.reserve(kSandboxes);
    for (int i = 0; i < kSandboxes; ++i) fds.push_back(Connect());
    for (int i = 0; i < kOpens; ++i) {
      for (const int fd : fds) SendOpen(fd, 1, "/a");
    }
    engine_->Stop();
    dispatcher_->Stop();
    for (const int fd : fds) close(fd);
    EXPECT_EQ(lines_.size(), static_cast<size_t>(kSandboxes * kOpens));
    EXPECT_EQ(engine_->totals().engine[EngineCounter::kMessages],
              static_cast<uint64_t>(kSandboxes * kOpens));
    EXPECT_TRUE(lines_.front().ends_with(": Error opened /a in c by <NA>")) << lines_.front();
    engine_.reset();
  }
}

// Rules that take a worker so long that senders are ahead of it.
std::string SlowRules() {
  std::string rules = RuleText("first", "/a");
  for (int i = 0; i < 200; ++i) {
    rules += "- rule: slow " + std::to_string(i) +
             "\n  desc: x\n  condition: evt.type = openat and fd.name regex '.*(x+y*)+z" +
             std::to_string(i) + "'\n  output: x\n  priority: ERROR\n";
  }
  return rules;
}

TEST_F(EngineTest, AnOverloadedWorkerGivesASandboxAwayAndNothingIsLost) {
  StartEngine(2);
  engine_->SetRules(testing::RulesFromText(SlowRules()));
  std::vector<int> fds;
  for (int i = 0; i < 4; ++i) fds.push_back(Connect());
  for (const int i : {1, 3}) close(fds[static_cast<size_t>(i)]);  // those of the other worker
  const std::array<int, 2> busy = {fds[0], fds[2]};
  for (const int fd : busy) SendExec(fd, 1, "/bin/known");
  const auto moved = [&] {
    return engine_->totals().engine[EngineCounter::kSandboxesRebalanced] != 0;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const std::string path = "/" + std::string(100, 'x');
  uint64_t sent = 0;
  while (!moved() && std::chrono::steady_clock::now() < deadline) {
    for (const int fd : busy) SendOpen(fd, 1, path);
    sent += busy.size();
  }
  ASSERT_TRUE(moved()) << sent;
  // What the state learnt before the move, the rules know after it.
  for (const int fd : busy) SendOpen(fd, 1, "/a");
  engine_->Stop();
  dispatcher_->Stop();
  for (const int fd : busy) close(fd);
  EXPECT_EQ(engine_->totals().engine[EngineCounter::kMessages], sent + 2 * busy.size());
  ASSERT_EQ(lines_.size(), 2u);
  for (const std::string& line : lines_) EXPECT_TRUE(line.ends_with("in c by known")) << line;
}

// A channel that takes nothing until it is let go.
class Stuck final : public Channel {
 public:
  explicit Stuck(std::shared_future<void> let_go) : let_go_(std::move(let_go)) {}
  std::string_view name() const override { return "stuck"; }
  Delivery Deliver(std::span<const OutgoingAlert> batch) override {
    let_go_.wait();
    return {.done = batch.size(), .refused = 0, .problem = {}};
  }

 private:
  std::shared_future<void> let_go_;
};

TEST_F(EngineTest, WorkersThatAreStuckKeepNoSandboxFromStarting) {
  std::promise<void> let_go;
  std::vector<std::unique_ptr<Channel>> channels;
  channels.push_back(std::make_unique<Stuck>(let_go.get_future().share()));
  constexpr size_t kWorkers = 2;
  DispatcherOptions dispatching;
  dispatching.waiting_max = 1;
  dispatching.when_full = WhenFull::kWait;
  StartEngine(kWorkers, dispatching, std::move(channels));
  std::vector<int> fds;
  for (size_t i = 0; i < kWorkers; ++i) fds.push_back(Connect());
  constexpr int kAlerts = 20;  // each, more than the dispatcher takes of both
  for (int i = 0; i < kAlerts; ++i) {
    for (const int fd : fds) SendOpen(fd, 1, "/a");
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  for (int i = 0; i < 20; ++i) {
    const auto began = std::chrono::steady_clock::now();
    fds.push_back(Connect());
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
  }
  EXPECT_LT(engine_->totals().engine[EngineCounter::kMessages], uint64_t{kAlerts})
      << "or a worker is through with its messages, and not stuck";
  let_go.set_value();
  for (const int fd : fds) close(fd);
  engine_->Stop();
  EXPECT_EQ(engine_->totals().engine[EngineCounter::kMessages], kAlerts * kWorkers);
}

TEST_F(EngineTest, NewRulesReachARunningWorker) {
  StartEngine(1);
  const int fd = Connect();
  engine_->SetRules(testing::RulesFromText(RuleText("second", "/b")));
  // The worker takes them up before the next message that it reads.
  SendOpen(fd, 1, "/a");
  SendOpen(fd, 1, "/b");
  engine_->Stop();
  dispatcher_->Stop();
  close(fd);
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_TRUE(lines_.front().ends_with("opened /b in c by <NA>"));
}

// Its members are freed on the thread that the last reference is dropped on.
std::shared_ptr<const RuleSet> TellingWhoFrees(const std::shared_ptr<const RuleSet>& rules,
                                               std::atomic<std::thread::id>& who) {
  return {rules.get(), [rules, &who](const RuleSet*) { who = std::this_thread::get_id(); }};
}

TEST_F(EngineTest, OldRulesAreFreedByWhoeverReloads) {
  StartEngine(3);
  std::atomic<std::thread::id> who;
  const int fd = Connect();
  engine_->SetRules(TellingWhoFrees(testing::RulesFromText(RuleText("second", "/b")), who));
  SendOpen(fd, 1, "/b");
  EXPECT_EQ(who.load(), std::thread::id());
  engine_->SetRules(testing::RulesFromText(RuleText("third", "/c")));
  EXPECT_EQ(who.load(), std::this_thread::get_id());
  close(fd);
}

// A reference that somebody keeps is waited for no longer than a second, and freed at the next
// chance.
TEST_F(EngineTest, OldRulesThatAreStillReferredToDoNotHoldUpAReload) {
  StartEngine(1);
  std::weak_ptr<const RuleSet> second;
  {
    const auto kept = testing::RulesFromText(RuleText("second", "/b"));
    second = kept;
    engine_->SetRules(kept);
    engine_->SetRules(testing::RulesFromText(RuleText("third", "/c")));
  }
  EXPECT_FALSE(second.expired());
  engine_->SetRules(testing::RulesFromText(RuleText("fourth", "/d")));
  EXPECT_TRUE(second.expired());
}

TEST_F(EngineTest, ThreadsThatHaveNothingToDoShowThatTheyLive) {
  StartEngine(2);
  const std::vector<NamedHeartbeat> heartbeats = engine_->heartbeats();
  std::vector<std::string> names;
  for (const NamedHeartbeat& thread : heartbeats) {
    names.push_back(thread.name);
    const uint64_t before = thread.heartbeat->count();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (thread.heartbeat->count() < before + 3 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    EXPECT_GE(thread.heartbeat->count(), before + 3) << thread.name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"worker 0", "worker 1", "handshakes"}));
}

TEST_F(EngineTest, ASecondEngineOnTheSameSocketIsRefused) {
  StartEngine(1);
  EngineOptions options;
  options.socket_path = folder_ / "gvisor.sock";
  const auto second = Engine::Start(std::move(options), testing::RulesFromText(RuleText("x", "/x")),
                                    *dispatcher_, nullptr);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, Fault::kEnvironment);
}

}  // namespace
}  // namespace gyrfalcon
