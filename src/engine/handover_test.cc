// An engine gives everything away, the next one goes on: no message is missed, none is heard twice.
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <thread>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine/test_replay.h"
#include "points/test_message.h"

namespace gyrfalcon {
namespace {

using testing::Message;

class KeepLines final : public Channel {
 public:
  explicit KeepLines(std::vector<std::string>& out) : out_(out) {}
  std::string_view name() const override { return "test"; }
  Delivery Deliver(std::span<const OutgoingAlert> batch) override {
    for (const OutgoingAlert& outgoing : batch) out_.push_back(FormatText(*outgoing.alert, {}));
    return {.done = batch.size(), .refused = 0, .problem = {}};
  }

 private:
  std::vector<std::string>& out_;
};

// Every path below /seq raises an alert whose last word is the path.
constexpr std::string_view kRules = R"(
- rule: told
  desc: x
  condition: evt.type = openat and fd.name startswith /seq/
  output: by %proc.name in %container.id opened %fd.name
  priority: ERROR
)";

class HandoverTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "gyrfalcon-handover-" + std::to_string(getpid());
    std::filesystem::create_directories(folder_);
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
    rules_ = testing::RulesFromText(std::string(kRules));
    std::vector<std::unique_ptr<Channel>> channels;
    channels.push_back(std::make_unique<KeepLines>(lines_));
    DispatcherOptions options;
    options.waiting_max = 10'000'000;
    options.waiting_bytes_max = size_t{4} << 30;
    dispatcher_ = std::make_unique<Dispatcher>(options, std::move(channels), nullptr);
  }
  void TearDown() override {
    engine_.reset();
    std::filesystem::remove_all(folder_);
  }

  void StartEngine(size_t workers, Inheritance inherited = {}) {
    EngineOptions options;
    options.socket_path = folder_ + "/gvisor.sock";
    options.workers = workers;
    options.inherited = std::move(inherited);
    auto engine = Engine::Start(std::move(options), rules_, *dispatcher_, nullptr);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::move(*engine);
  }

  // -1 where it was not answered.
  int Connect() const {
    const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder_ + "/gvisor.sock";
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    char answer[16];
    const bool answered =
        connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        send(fd, "\x08\x01", 2, 0) == 2 && recv(fd, answer, sizeof answer, 0) == 2;
    return answered ? fd : -1;
  }
  static bool SendMessage(int fd, MessageType type, const Message& message) {
    const std::string datagram =
        std::string({8, 0, static_cast<char>(type), 0, 0, 0, 0, 0}) + message.bytes();
    return send(fd, datagram.data(), datagram.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(datagram.size());
  }
  static bool SendOpen(int fd, std::string_view path) {
    const Message message = Message()
                                .Nested(1, Message().Number(1, 1).Number(2, 1).Text(6, "c"))
                                .Nested(2, Message().Number(1, 3))
                                .Number(3, 257)
                                .Text(6, path);
    return SendMessage(fd, MessageType::kOpen, message);
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

  std::string folder_;
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
    SendMessage(fd, MessageType::kSentryExec, exec);
  }
  for (int round = 0; round < 3; ++round) {
    Inheritance left = engine_->Release(Engine::HeldBack::kKept);
    EXPECT_EQ(left.connections.size(), fds.size());
    for (size_t i = 0; i < fds.size(); ++i) {
      SendOpen(fds[i], "/seq/" + std::to_string(i) + "/" + std::to_string(round));
    }
    ASSERT_TRUE(engine_->GoOn(std::move(left)));
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
    EXPECT_NE(line.find("by known in"), std::string::npos) << line;
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

}  // namespace
}  // namespace gyrfalcon
