// Both sides of a takeover in one process; whole daemons are in tests/e2e/takeover_test.sh.
#include "service/takeover.h"

#include <chrono>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/test_folder.h"
#include "base/unix_socket.h"
#include "service/takeover_channel.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

constexpr int kPatienceMs = 5'000;
constexpr int kShortMs = 200;

class TakeoverTest : public ::testing::Test {
 protected:
  void SetUp() override { path_ = folder_ / "gvisor.sock"; }
  // A listener and so many connections, whose other ends are in `clients_`.
  void Fill(size_t connections, size_t silent, size_t command_line_bytes = 100) {
    left_.listener = std::move(*Listener::Open(path_));
    for (size_t i = 0; i < connections + silent; ++i) {
      int ends[2];
      ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
      clients_.emplace_back(ends[1]);
      if (i >= connections) {
        left_.silent.emplace_back(ends[0]);
        continue;
      }
      const Peer peer{.pid = static_cast<pid_t>(i),
                      .command_line = std::string(command_line_bytes, 'c')};
      left_.connections.push_back({.fd = UniqueFd(ends[0]),
                                   .id = ConnectionId{i + 1},
                                   .peer = std::make_shared<const Peer>(peer)});
    }
    left_.next_connection = ConnectionId{connections + 1};
  }

  void StartServer(int patience_ms) {
    auto server = TakeoverServer::Start(TakeoverSocketPath(path_), patience_ms);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }
  std::optional<TakeoverClient> WaitForClient() {
    pollfd waiting{.fd = server_->fd(), .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, kPatienceMs) != 1) return std::nullopt;
    return server_->Accept();
  }
  // The old one's side, until it has handed over or goes on.
  Result<void> Serve() {
    auto client = WaitForClient();
    if (!client) return Fail(Fault::kEnvironment, "nobody asks");
    if (const auto ask = client->ReadAsk(); !ask) return std::unexpected(ask.error());
    if (const auto given = client->Give(left_, -1); !given) return given;
    left_.listener->Disown();
    server_.reset();
    client->SayDone();
    left_ = {};
    return {};
  }
  Result<std::optional<TakenOver>> Take(int patience_ms = kPatienceMs) const {
    return TakeOver({.socket_path = path_, .state_version = 1, .patience_ms = patience_ms});
  }
  UniqueFd ConnectToServer() const {
    UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const sockaddr_un address = UnixAddress(TakeoverSocketPath(path_)).value();
    EXPECT_EQ(connect(fd.get(), Generic(address), sizeof address), 0);
    return fd;
  }

  const TestFolder folder_;
  std::string path_;
  Inheritance left_;
  std::vector<UniqueFd> clients_;
  std::unique_ptr<TakeoverServer> server_;
};

TEST_F(TakeoverTest, EverythingArrivesInOrderWithWhatIsUnread) {
  Fill(600, 300);
  for (size_t i = 0; i < clients_.size(); ++i) {
    const std::string text = std::to_string(i);
    ASSERT_GT(send(clients_[i].get(), text.data(), text.size(), 0), 0);
  }
  StartServer(kPatienceMs);
  Result<void> served;
  std::thread old([&] { served = Serve(); });
  auto taken = Take();
  old.join();
  ASSERT_TRUE(served) << served.error().message;
  ASSERT_TRUE(taken) << taken.error().message;
  ASSERT_TRUE(*taken);
  EXPECT_TRUE((*taken)->is_done);
  Inheritance& mine = (*taken)->inherited;
  ASSERT_EQ(mine.connections.size(), 600u);
  ASSERT_EQ(mine.silent.size(), 300u);
  EXPECT_EQ(mine.next_connection, ConnectionId{601});
  for (size_t i = 0; i < clients_.size(); ++i) {
    const int fd = i < 600 ? mine.connections[i].fd.get() : mine.silent[i - 600].get();
    char text[16] = {};
    ASSERT_GT(recv(fd, text, sizeof text - 1, MSG_DONTWAIT), 0);
    EXPECT_EQ(text, std::to_string(i));
    if (i >= 600) continue;
    EXPECT_EQ(mine.connections[i].peer->pid, static_cast<pid_t>(i));
  }
  // The file is the new one's, and goes with it.
  EXPECT_TRUE(std::filesystem::exists(path_));
  EXPECT_FALSE(Listener::Open(path_));
  mine.listener->Own();
  mine = {};
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_TRUE(Listener::Open(path_));
}

TEST_F(TakeoverTest, TheLongestCommandLinesFit) {
  Fill(20, 0, size_t{64} * 1024);
  StartServer(kPatienceMs);
  Result<void> served;
  std::thread old([&] { served = Serve(); });
  auto taken = Take();
  old.join();
  ASSERT_TRUE(served) << served.error().message;
  ASSERT_TRUE(taken && *taken);
  EXPECT_EQ((*taken)->inherited.connections.back().peer->command_line.size(), 64u * 1024);
}

TEST_F(TakeoverTest, WhereNobodyIsThereIsNothingToTakeOver) {
  auto taken = Take();
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_FALSE(*taken);
  StartServer(kPatienceMs);
  struct stat status{};
  ASSERT_EQ(stat(TakeoverSocketPath(path_).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  server_.reset();
  EXPECT_FALSE(std::filesystem::exists(TakeoverSocketPath(path_)));
}

TEST_F(TakeoverTest, OneThatDoesNotAnswerIsNamed) {
  StartServer(kPatienceMs);
  const auto taken = Take(kShortMs);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().fault, Fault::kEnvironment);
  EXPECT_THAT(taken.error().message, HasSubstr("did not answer within 200 ms"));
  // Who has given up is not handed anything.
  auto client = WaitForClient();
  ASSERT_TRUE(client);
  EXPECT_FALSE(client->ReadAsk());
}

// The new one dies, or says something else, after so many of our messages.
TEST_F(TakeoverTest, TheOldOneGoesOnWhereTheNewOneFails) {
  Fill(600, 10);
  StartServer(kShortMs);
  for (const bool dies : {true, false}) {
    for (int heard = 0; heard <= 6; ++heard) {
      Result<void> served;
      std::thread old([&] { served = Serve(); });
      {
        const UniqueFd fd = ConnectToServer();
        ASSERT_TRUE(SendTakeover(fd.get(), TakeoverAsk{}, {}, kPatienceMs));
        for (int i = 0; i < heard; ++i) ASSERT_TRUE(ReceiveTakeover(fd.get(), kPatienceMs)) << i;
        if (!dies) {
          EXPECT_TRUE(SendTakeover(fd.get(), TakeoverDone{}, {}, kPatienceMs));
          old.join();
        }
      }
      if (dies) old.join();
      EXPECT_FALSE(served) << heard;
    }
  }
  // Nothing is missing, and the next one that asks gets it.
  EXPECT_EQ(left_.connections.size(), 600u);
  Result<void> served;
  std::thread old([&] { served = Serve(); });
  const auto taken = Take();
  old.join();
  EXPECT_TRUE(served);
  ASSERT_TRUE(taken && *taken);
  EXPECT_EQ((*taken)->inherited.connections.size(), 600u);
}

TEST_F(TakeoverTest, TheOldOneGoesOnWhereTheNewOneDiesBeforeItIsTold) {
  Fill(1, 0);
  StartServer(kPatienceMs);
  Result<void> served;
  std::thread old([&] { served = Serve(); });
  const UniqueFd fd = ConnectToServer();
  ASSERT_TRUE(SendTakeover(fd.get(), TakeoverAsk{}, {}, kPatienceMs));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ReceiveTakeover(fd.get(), kPatienceMs));
  shutdown(fd.get(), SHUT_RD);  // hears nothing any more
  ASSERT_TRUE(SendTakeover(fd.get(), TakeoverTaken{}, {}, kPatienceMs));
  old.join();
  EXPECT_FALSE(served);
}

// The old one hands over by the book, up to the word that counts.
void SendAllBut(int fd, const Listener& listener) {
  const auto copy = listener.Copy();
  ASSERT_TRUE(copy);
  const int fds[] = {copy->socket.get(), copy->lock.get()};
  const TakeoverBegin begin{.next_connection = 1,
                            .device = copy->device,
                            .inode = copy->inode,
                            .stopped_ns = 0,
                            .owns_file = true,
                            .has_lock = true};
  ASSERT_TRUE(SendTakeover(fd, begin, fds, kPatienceMs));
  ASSERT_TRUE(SendTakeover(fd, TakeoverEnd{}, {}, kPatienceMs));
  ASSERT_TRUE(ExpectTakeover<TakeoverTaken>(fd, kPatienceMs));
}

TEST_F(TakeoverTest, TheNewOneGivesUpWhereTheOldOneMayGoOn) {
  Fill(0, 0);
  StartServer(kPatienceMs);
  std::thread old([&] {
    pollfd waiting{.fd = server_->fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&waiting, 1, kPatienceMs), 1);
    const UniqueFd client(accept4(server_->fd(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(ExpectTakeover<TakeoverAsk>(client.get(), kPatienceMs));
    SendAllBut(client.get(), *left_.listener);
  });
  const auto taken = Take();
  old.join();
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message, HasSubstr("it has kept its sandboxes"));
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(TakeoverTest, TheNewOneGoesOnWhereTheOldOneDiesBeforeItSaysSo) {
  Fill(0, 0);
  StartServer(kPatienceMs);
  std::thread old([&] {
    pollfd waiting{.fd = server_->fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&waiting, 1, kPatienceMs), 1);
    UniqueFd client(accept4(server_->fd(), nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_TRUE(ExpectTakeover<TakeoverAsk>(client.get(), kPatienceMs));
    SendAllBut(client.get(), *left_.listener);
    server_.reset();  // as its death does
    client.reset();
  });
  const auto taken = Take();
  old.join();
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_TRUE(*taken);
}

TEST_F(TakeoverTest, GarbageIsRefused) {
  Fill(1, 0);
  StartServer(kShortMs);
  const UniqueFd fd = ConnectToServer();
  ASSERT_EQ(send(fd.get(), "GET / HTTP/1.0", 14, 0), 14);
  const auto served = Serve();
  ASSERT_FALSE(served);
  EXPECT_THAT(served.error().message, HasSubstr("no message of a takeover"));
  const auto answer = ReceiveTakeover(fd.get(), kPatienceMs);
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().message, HasSubstr("does not hand over"));
}

TEST_F(TakeoverTest, AnotherSocketInTheSameFolderIsNotTakenOver) {
  Fill(1, 0);
  StartServer(kPatienceMs);
  std::thread old([&] { EXPECT_FALSE(Serve()); });
  const auto taken = TakeOver(
      {.socket_path = folder_ / "other.sock", .state_version = 1, .patience_ms = kPatienceMs});
  old.join();
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message, HasSubstr("give both the same socket"));
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(TakeoverTest, AnOlderInstanceIsHandedNothingAndWaitsForTheNewerOnesEnd) {
  Fill(1, 0);
  StartServer(kPatienceMs);
  constexpr uint64_t kOwn = 7;
  TakeoverOptions older{.socket_path = path_, .instance = 6, .patience_ms = kPatienceMs};
  std::optional<TakeoverClient> client;
  const auto answer = [&] {
    client = WaitForClient();
    ASSERT_TRUE(client);
    const auto ask = client->ReadAsk();
    ASSERT_TRUE(ask) << ask.error().message;
    EXPECT_EQ(client->AnswerWaiting(*ask, kOwn), TakeoverClient::Waiting::kBehindUs);
  };
  {
    std::thread newer(answer);
    const auto taken = TakeOver(older);
    newer.join();
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().message, HasSubstr("a newer instance listens there"));
  }
  std::thread newer(answer);
  const auto waiting = FindNewerInstance(older);
  newer.join();
  ASSERT_TRUE(waiting && *waiting);
  pollfd end{.fd = waiting->get(), .events = POLLRDHUP, .revents = 0};
  EXPECT_EQ(poll(&end, 1, 0), 0);
  EXPECT_FALSE(client->HasHungUp());
  client.reset();
  EXPECT_EQ(poll(&end, 1, kPatienceMs), 1);
}

TEST_F(TakeoverTest, ANewerInstanceNeedNotWaitAndOneWithoutANumberTakesOver) {
  Fill(1, 0);
  StartServer(kPatienceMs);
  for (const uint64_t instance : {7u, 8u}) {
    std::thread old([&] {
      auto client = WaitForClient();
      ASSERT_TRUE(client);
      const auto ask = client->ReadAsk();
      ASSERT_TRUE(ask);
      EXPECT_EQ(client->AnswerWaiting(*ask, 7), TakeoverClient::Waiting::kOver);
    });
    const auto waiting =
        FindNewerInstance({.socket_path = path_, .instance = instance, .patience_ms = kPatienceMs});
    old.join();
    ASSERT_TRUE(waiting) << waiting.error().message;
    EXPECT_FALSE(*waiting);
  }
  for (const uint64_t instance : {0u, 7u, 8u}) {
    std::thread old([&] {
      auto client = WaitForClient();
      ASSERT_TRUE(client);
      const auto ask = client->ReadAsk();
      ASSERT_TRUE(ask);
      EXPECT_EQ(client->AnswerWaiting(*ask, 7), TakeoverClient::Waiting::kNo);
    });
    [[maybe_unused]] const auto taken =
        TakeOver({.socket_path = path_, .instance = instance, .patience_ms = kShortMs});
    old.join();
  }
  server_.reset();
  const auto nobody = FindNewerInstance({.socket_path = path_, .instance = 1});
  ASSERT_TRUE(nobody);
  EXPECT_FALSE(*nobody);
}

}  // namespace
}  // namespace gyrfalcon
