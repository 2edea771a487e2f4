#include "runsc/sink_peers.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "base/unique_fd.h"

namespace gyrfalcon {
namespace {

// The name that this process goes by: its first argument.
std::string OwnName() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  std::string word;
  std::getline(file, word, '\0');
  return word;
}

// `name`: a path, or with a leading NUL an abstract one.
struct Listening {
  explicit Listening(const std::string& name, int type = SOCK_SEQPACKET)
      : listener(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)),
        client(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path, sizeof address.sun_path - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    const auto* at = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(::bind(listener.get(), at, size), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::connect(client.get(), at, size), 0);
    served.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  UniqueFd listener, client, served;
};

class SinkPeersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // Something that every Sentry has beside its sink, a connected stream.
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair_), 0);
    const auto sockets = ListUnixSockets();
    if (!sockets) GTEST_SKIP() << sockets.error().message;
    const auto peers = SinkPeers(getpid(), OwnName(), *sockets);
    if (!peers) GTEST_SKIP() << peers.error().message;
    ASSERT_TRUE(peers->empty());
  }
  void TearDown() override {
    for (const int fd : pair_) ::close(fd);
  }

  std::vector<std::string> Peers() {
    return SinkPeers(getpid(), OwnName(), ListUnixSockets().value()).value();
  }

  int pair_[2] = {-1, -1};
  const TestFolder folder_;
};

TEST_F(SinkPeersTest, NamesTheListenerAtTheOtherEndWhileItIsThere) {
  const std::string path = folder_ / "gvisor.sock";
  Listening stream(folder_ / "stream.sock", SOCK_STREAM);
  Listening sink(path);
  EXPECT_EQ(Peers(), std::vector{path});
  sink.listener.reset();
  EXPECT_EQ(Peers(), std::vector{path}) << "the connection lives on";
  sink.served.reset();
  EXPECT_TRUE(Peers().empty());
}

TEST_F(SinkPeersTest, NamesAreAsConfigured) {
  Listening renamed(folder_ / "a.sock~");
  std::filesystem::rename(folder_ / "a.sock~", folder_ / "a.sock");
  const std::string abstract = "gyrfalcon-test-" + std::to_string(getpid());
  Listening hidden(std::string(1, '\0') + abstract);
  const std::string path = folder_ / "a.sock";
  EXPECT_EQ(Peers(), (std::vector{path, "@" + abstract}));
}

TEST(SinkPeers, AnotherProcessThanTheSandboxesIsNotAsked) {
  EXPECT_FALSE(SinkPeers(getpid(), "no-such-sandbox", {}));
  EXPECT_FALSE(SinkPeers(0, OwnName(), {}));
  EXPECT_FALSE(SinkPeers(-1, OwnName(), {}));
  EXPECT_FALSE(SinkPeers(int64_t{1} << 40, OwnName(), {}));
}

}  // namespace
}  // namespace gyrfalcon
