// An engine gives everything away, the next one goes on: no message is missed, none is heard twice.
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <thread>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "engine/engine.h"
#include "engine/test_kept_alerts.h"
#include "engine/test_replay.h"
#include "points/test_sandbox.h"

namespace gyrfalcon {
namespace {

using testing::ContextInFamily;
using testing::Message;
using testing::OpenDatagram;
using testing::SendDatagram;

// Every path below /seq raises an alert whose last word is the path.
constexpr std::string_view kRules = R"(
- rule: told
  desc: x
  condition: evt.type = openat and fd.name startswith /seq/
  output: by %proc.name under %proc.pname in %container.id opened %fd.name
  priority: ERROR
)";

class HandoverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    rules_ = testing::RulesFromText(std::string(kRules));
    std::vector<std::unique_ptr<Channel>> channels;
    channels.push_back(std::make_unique<testing::KeepDelivered>(lines_));
    DispatcherOptions options;
    options.waiting_max = 10'000'000;
    options.waiting_bytes_max = size_t{4} << 30;
    dispatcher_ = std::make_unique<Dispatcher>(options, std::move(channels), nullptr);
  }
  void TearDown() override { engine_.reset(); }

  void StartEngine(size_t workers, Inheritance inherited = {}, SnapshotFile* snapshots = nullptr) {
    EngineOptions options;
    options.pipeline.snapshots = snapshots;
    options.socket_path = folder_ / "gvisor.sock";
    options.workers = workers;
    options.inherited = std::move(inherited);
    auto engine = Engine::Start(std::move(options), rules_, *dispatcher_, nullptr);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::move(*engine);
  }

  // -1 where it was not answered.
  int Connect() const { return testing::ConnectSandbox(folder_ / "gvisor.sock"); }
  static bool SendOpen(int fd, std::string_view path) {
    return SendDatagram(fd, OpenDatagram(testing::ContextOfThread(1), path));
  }
  static void SendFamily(int fd) {
    for (const std::string& datagram : testing::Family()) SendDatagram(fd, datagram);
  }
  static bool SendOpenByChild(int fd, std::string_view path) {
    return SendDatagram(fd, OpenDatagram(ContextInFamily(2), path));
  }
  // Until the engine has heard so many messages.
  void WaitForMessages(uint64_t count) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (engine_->totals().engine[EngineCounter::kMessages] < count &&
           std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  size_t CountLines(std::string_view text) const {
    return static_cast<size_t>(std::ranges::count_if(
        lines_, [&](const std::string& line) { return line.find(text) != std::string::npos; }));
  }
  uint64_t Counted(EngineCounter counter) const { return engine_->totals().engine[counter]; }
  static std::unique_ptr<SnapshotFile> MakeFile() {
    auto file = SnapshotFile::Create({});
    EXPECT_TRUE(file);
    return file ? std::move(*file) : nullptr;
  }

  // What was told of each sender, in order.
  std::map<std::string, std::vector<uint64_t>> Told() const {
    std::map<std::string, std::vector<uint64_t>> told;
    for (const std::string& line : lines_) {
      const size_t at = line.find("/seq/");
      if (at == std::string::npos) continue;
      const size_t number = line.find('/', at + 5);
      told[line.substr(at + 5, number - at - 5)].push_back(std::stoull(line.substr(number + 1)));
    }
    return told;
  }

  const TestFolder folder_;
  std::shared_ptr<const RuleSet> rules_;
  std::vector<std::string> lines_;  // read after the dispatcher's Stop only
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Engine> engine_;
};

// Senders that wait where their queue is full, so that it is full whenever nobody reads.
TEST_F(HandoverTest, AStreamIsHeardWholeAcrossManyEngines) {
  constexpr size_t kSenders = 16;
  constexpr int kHandovers = 10;
  StartEngine(3);
  std::atomic<bool> done = false;
  std::vector<uint64_t> sent(kSenders);
  std::vector<std::thread> senders;
  for (size_t i = 0; i < kSenders; ++i) {
    const int fd = Connect();
    ASSERT_GE(fd, 0);
    senders.emplace_back([&, fd, i] {
      while (!done) {
        ASSERT_TRUE(SendOpen(fd, "/seq/" + std::to_string(i) + "/" + std::to_string(sent[i])));
        ++sent[i];
      }
      close(fd);
    });
  }
  // Clients that come while nobody is there.
  std::thread starter([&] {
    while (!done) {
      const int fd = Connect();
      ASSERT_GE(fd, 0);
      close(fd);
    }
  });
  uint64_t read_by_others = 0;
  for (int i = 0; i < kHandovers; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    Inheritance left = engine_->Release(Engine::HeldBack::kTold);
    EXPECT_GE(left.connections.size(), kSenders);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // their queues fill
    read_by_others = left.totals.engine[EngineCounter::kMessages];
    StartEngine(1 + static_cast<size_t>(i) % 3, std::move(left));
  }
  done = true;
  for (std::thread& sender : senders) sender.join();
  starter.join();
  engine_->Stop();
  dispatcher_->Stop();
  uint64_t all = 0;
  for (const uint64_t count : sent) all += count;
  EXPECT_EQ(engine_->totals().engine[EngineCounter::kMessages], all);
  EXPECT_GT(read_by_others, 0u);
  EXPECT_GT(all, read_by_others);
  auto told = Told();
  for (size_t i = 0; i < kSenders; ++i) {
    const std::vector<uint64_t>& numbers = told[std::to_string(i)];
    ASSERT_EQ(numbers.size(), sent[i]);
    for (size_t n = 0; n < numbers.size(); ++n) ASSERT_EQ(numbers[n], n);
  }
}

TEST_F(HandoverTest, AnEngineGoesOnWithAllThatItKnows) {
  StartEngine(2);
  std::array<int, 6> fds{};
  for (int& fd : fds) {
    fd = Connect();
    ASSERT_GE(fd, 0);
    const Message exec =
        Message().Nested(1, Message().Number(1, 1).Number(2, 1).Text(6, "c")).Text(2, "/bin/known");
    SendDatagram(fd, testing::Datagram(MessageType::kSentryExec, exec));
  }
  const auto heartbeats = engine_->heartbeats();
  for (int round = 0; round < 3; ++round) {
    Inheritance left = engine_->Release(Engine::HeldBack::kKept);
    EXPECT_EQ(left.connections.size(), fds.size());
    for (size_t i = 0; i < fds.size(); ++i) {
      SendOpen(fds[i], "/seq/" + std::to_string(i) + "/" + std::to_string(round));
    }
    ASSERT_TRUE(engine_->GoOn(std::move(left)));
  }
  // Who watches them was not told to look elsewhere.
  const auto heartbeats_now = engine_->heartbeats();
  ASSERT_EQ(heartbeats_now.size(), heartbeats.size());
  for (size_t i = 0; i < heartbeats.size(); ++i) {
    EXPECT_EQ(heartbeats_now[i].heartbeat, heartbeats[i].heartbeat) << heartbeats[i].name;
  }
  engine_->Stop();
  dispatcher_->Stop();
  for (const int fd : fds) close(fd);
  EXPECT_EQ(engine_->totals().wire[WireCounter::kConnectionsAccepted], fds.size());
  EXPECT_EQ(engine_->totals().engine[EngineCounter::kMessages], fds.size() * 4);
  auto told = Told();
  EXPECT_EQ(told.size(), fds.size());
  for (const auto& [sender, numbers] : told) EXPECT_EQ(numbers, (std::vector<uint64_t>{0, 1, 2}));
  for (const std::string& line : lines_) {
    EXPECT_NE(line.find("by known under"), std::string::npos) << line;
  }
}

TEST_F(HandoverTest, TheSocketListensAllTheTimeAndIdsGoOn) {
  StartEngine(2);
  const int first = Connect();
  Inheritance left = engine_->Release(Engine::HeldBack::kTold);
  ASSERT_EQ(left.connections.size(), 1u);
  EXPECT_EQ(left.connections[0].id, ConnectionId{1});
  EXPECT_EQ(left.connections[0].peer->pid, getpid());
  EXPECT_EQ(left.next_connection, ConnectionId{2});
  engine_.reset();
  std::thread waits([this] {
    const int fd = Connect();
    EXPECT_GE(fd, 0);
    SendOpen(fd, "/seq/second/0");
    close(fd);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  StartEngine(1, std::move(left));
  waits.join();
  SendOpen(first, "/seq/first/0");
  engine_->Stop();
  dispatcher_->Stop();
  close(first);
  const auto told = Told();
  EXPECT_EQ(told.size(), 2u);
}

// Nothing but what the first engine has heard tells who opens the file, and below whom.
TEST_F(HandoverTest, WhatIsKnownOfSandboxesGoesAlong) {
  const auto file = MakeFile();
  StartEngine(3);
  std::array<int, 8> fds{};
  for (int& fd : fds) {
    fd = Connect();
    ASSERT_GE(fd, 0);
    SendFamily(fd);
  }
  WaitForMessages(fds.size() * 3);
  Inheritance left = engine_->Release(Engine::HeldBack::kKept, file.get());
  engine_.reset();
  // As the process that it is given to.
  auto read = SnapshotFile::Open(UniqueFd(dup(file->fd())), {});
  ASSERT_TRUE(read) << read.error().message;
  left.state = read->get();
  left.totals = {};
  StartEngine(2, std::move(left));
  read->reset();  // not needed any more
  for (const int fd : fds) ASSERT_TRUE(SendOpenByChild(fd, "/seq/0/0"));
  engine_->Stop();
  dispatcher_->Stop();
  for (const int fd : fds) close(fd);
  EXPECT_EQ(Counted(EngineCounter::kSessionsRestored), fds.size());
  EXPECT_EQ(Counted(EngineCounter::kSnapshotsRefused), 0u);
  EXPECT_EQ(CountLines("by child under parent in c opened /seq/0/0"), fds.size());
  EXPECT_EQ(CountLines("events lost"), 0u);
}

// The first half of a call is heard by one engine, the second by the next.
TEST_F(HandoverTest, ACallThatIsCutInTheMiddleIsOne) {
  const auto open = [](int fd, std::string_view path, bool exits) {
    Message message = Message().Nested(1, ContextInFamily(2));
    if (exits) message.Nested(2, Message().Number(1, -1).Number(2, 1));
    SendDatagram(fd, testing::Datagram(MessageType::kOpen, message.Number(3, 257).Text(6, path)));
  };
  const auto file = MakeFile();
  StartEngine(1);
  const int fd = Connect();
  ASSERT_GE(fd, 0);
  SendFamily(fd);
  open(fd, "/etc/hosts", false);
  WaitForMessages(4);
  Inheritance left = engine_->Release(Engine::HeldBack::kKept, file.get());
  engine_.reset();
  StartEngine(1, std::move(left));
  open(fd, "/etc/passwd", true);
  engine_->Stop();
  dispatcher_->Stop();
  close(fd);
  EXPECT_EQ(CountLines("/etc/hosts"), 1u) << (lines_.empty() ? "" : lines_.front());
}

TEST_F(HandoverTest, WithoutStateASandboxIsAsOneThatIsAttachedLate) {
  StartEngine(1);
  const int fd = Connect();
  ASSERT_GE(fd, 0);
  SendFamily(fd);
  WaitForMessages(3);
  Inheritance left = engine_->Release(Engine::HeldBack::kTold);
  engine_.reset();
  StartEngine(1, std::move(left));
  SendOpenByChild(fd, "/seq/0/0");
  engine_->Stop();
  dispatcher_->Stop();
  close(fd);
  EXPECT_EQ(Counted(EngineCounter::kSnapshotsRefused), 1u);
  EXPECT_EQ(CountLines("opened /seq/0/0"), 1u);
  EXPECT_EQ(CountLines("under parent"), 0u);
  EXPECT_EQ(CountLines("gyrfalcon: events lost"), 1u);
}

// As systemd's store has it: written all the time, and read by the next, which writes on.
TEST_F(HandoverTest, AnEngineThatIsStoppedLeavesItsStateAndADeadOneWhatItHadRead) {
  const auto file = MakeFile();
  StartEngine(2, {}, file.get());
  const int fd = Connect();
  ASSERT_GE(fd, 0);
  const int unread = Connect();
  ASSERT_GE(unread, 0);
  SendFamily(fd);
  WaitForMessages(3);
  Inheritance left = engine_->Release(Engine::HeldBack::kTold);
  engine_.reset();
  EXPECT_EQ(file->frames_read(1), 3u);
  EXPECT_EQ(file->Keys(SnapshotKind::kSession), (std::vector<uint64_t>{1, 2}));
  // Killed after five more; of another nothing is left but its state; one has said nothing yet.
  file->MarkOf(1)->fetch_add(5);
  ASSERT_TRUE(file->Put(SnapshotKind::kSession, 99, "of one that has ended"));
  file->Remove(SnapshotKind::kSession, 2);
  EXPECT_EQ(file->last_connection(), 99u);
  left.state = file.get();
  left.totals = {};
  StartEngine(2, std::move(left), file.get());
  EXPECT_EQ(file->last_connection(), 2u);
  SendOpenByChild(fd, "/seq/0/0");
  engine_->Stop();
  dispatcher_->Stop();
  close(fd);
  close(unread);
  EXPECT_EQ(Counted(EngineCounter::kSessionsRestored), 1u);
  EXPECT_EQ(Counted(EngineCounter::kSnapshotsRefused), 0u);
  EXPECT_EQ(Counted(EngineCounter::kMessagesUnsaved), 5u);
  EXPECT_EQ(CountLines("gyrfalcon: events lost"), 1u);
  EXPECT_EQ(CountLines("gyrfalcon_lost_unsaved=5"), 1u);
  EXPECT_EQ(CountLines("by child under parent in c opened /seq/0/0"), 1u);
  EXPECT_EQ(file->frames_read(1), 9u);
}

// What is told at a stop must not be told again by the next.
TEST_F(HandoverTest, WhatWasToldAtTheEndIsNotToldAgain) {
  const auto file = MakeFile();
  StartEngine(1, {}, file.get());
  const int fd = Connect();
  ASSERT_GE(fd, 0);
  SendFamily(fd);
  SendDatagram(fd, testing::Datagram(MessageType::kOpen, Message().Raw("\xff\xff")));
  SendDatagram(fd, testing::Datagram(MessageType::kOpen, Message().Raw("\xff\xff")));
  WaitForMessages(5);
  // Written, with what is held back.
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  Inheritance left = engine_->Release(Engine::HeldBack::kTold);
  engine_.reset();
  left.state = file.get();
  StartEngine(1, std::move(left), file.get());
  engine_->Stop();
  dispatcher_->Stop();
  close(fd);
  // One at once, one for the rest.
  EXPECT_EQ(CountLines("gyrfalcon: events lost"), 2u);
}

}  // namespace
}  // namespace gyrfalcon
