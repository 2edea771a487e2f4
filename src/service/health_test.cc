#include "service/health.h"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/test_folder.h"
#include "base/unique_fd.h"
#include "base/unix_socket.h"

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

class Health : public ::testing::Test {
 protected:
  void Listen() {
    listening_ = UniqueFd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    const auto address = UnixAddress(path_);
    ASSERT_TRUE(address);
    ASSERT_EQ(bind(listening_.get(), Generic(*address), sizeof *address), 0);
    ASSERT_EQ(listen(listening_.get(), 8), 0);
  }

  const TestFolder folder_;
  const std::string path_ = folder_ / "g.sock";
  UniqueFd listening_;
};

TEST_F(Health, AHandshakeThatIsAnsweredIsLife) {
  Listen();
  std::thread daemon([this] {
    const UniqueFd client(accept(listening_.get(), nullptr, nullptr));
    char hello[16];
    EXPECT_EQ(recv(client.get(), hello, sizeof hello, 0), 2);
    EXPECT_EQ(send(client.get(), "\x08\x01", 2, MSG_NOSIGNAL), 2);
  });
  EXPECT_TRUE(ShakeHands(path_, 5'000));
  daemon.join();
}

TEST_F(Health, NobodyOrSilenceIsNone) {
  const auto nobody = ShakeHands(path_, 100);
  ASSERT_FALSE(nobody);
  EXPECT_THAT(nobody.error().message, HasSubstr("No such file"));
  Listen();
  const auto silence = ShakeHands(path_, 100);
  ASSERT_FALSE(silence);
  EXPECT_THAT(silence.error().message, HasSubstr("no answer in time"));
}

TEST_F(Health, WhatWasFoundIsGoodForASecond) {
  Listen();
  HealthCheck health({.socket_path = path_, .threads = {}, .handshake_ms = 10});
  EXPECT_FALSE(health.Check());
  EXPECT_FALSE(health.Check());
  size_t clients = 0;
  for (pollfd waiting{listening_.get(), POLLIN, 0}; poll(&waiting, 1, 0) > 0; ++clients) {
    const UniqueFd client(accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  EXPECT_EQ(clients, 1u);
}

TEST_F(Health, AThreadThatStandsStillIsNone) {
  Listen();
  std::thread daemon([this] {
    const UniqueFd client(accept(listening_.get(), nullptr, nullptr));
    char hello[16];
    recv(client.get(), hello, sizeof hello, 0);
    send(client.get(), "\x08\x01", 2, MSG_NOSIGNAL);
  });
  const Heartbeat heartbeat;
  HealthCheck health(
      {.socket_path = path_, .threads = {{"worker 1", &heartbeat}}, .patience_ns = 0});
  const auto checked = health.Check();
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().message, HasSubstr("no progress: worker 1"));
  daemon.join();
}

}  // namespace
}  // namespace gyrfalcon
