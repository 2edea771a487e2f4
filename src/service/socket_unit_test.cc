#include "service/socket_unit.h"

#include <filesystem>
#include <string>
#include <utility>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

class SocketUnit : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = "/tmp/gyrfalcon-unit-test." + std::to_string(::getpid());
    std::filesystem::create_directory(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  // As systemd makes one.
  ReceivedFd Listening(const std::string& name, const std::string& fd_name,
                       int type = SOCK_SEQPACKET) const {
    UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    Path(name).copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd.get(), 1), 0);
    return {std::move(fd), fd_name};
  }

  std::string folder_;
};

TEST_F(SocketUnit, ItsSocketIsTakenAndWhatIsNotItsOwnIsLeft) {
  std::vector<ReceivedFd> received;
  received.push_back({UniqueFd(::dup(STDERR_FILENO)), "c"});
  received.push_back(Listening("s", "gvisor"));
  const auto taken = TakeListener(received, Path("s"));
  ASSERT_TRUE(taken && *taken);
  EXPECT_EQ((*taken)->path(), Path("s"));
  ASSERT_THAT(received, SizeIs(1));
  EXPECT_EQ(received[0].name, "c");
}

TEST_F(SocketUnit, AUnitWithoutANameForItsSocketWillDo) {
  std::vector<ReceivedFd> received;
  received.push_back(Listening("s", "mine.socket"));
  const auto taken = TakeListener(received, Path("s"));
  EXPECT_TRUE(taken && *taken);
}

TEST_F(SocketUnit, WithoutOneThereIsNone) {
  std::vector<ReceivedFd> received;
  const auto taken = TakeListener(received, Path("s"));
  ASSERT_TRUE(taken);
  EXPECT_FALSE(*taken);
}

TEST_F(SocketUnit, TwoNamesOfOneFileAreTheSamePlace) {
  std::filesystem::create_directory_symlink(folder_, folder_ + "/link");
  std::vector<ReceivedFd> received;
  received.push_back(Listening("s", "gvisor"));
  const auto taken = TakeListener(received, Path("link/s"));
  EXPECT_TRUE(taken && *taken);
}

TEST_F(SocketUnit, AnotherPlaceThanTheConfigSaysIsAnErrorWithBothMends) {
  std::vector<ReceivedFd> received;
  received.push_back(Listening("s", "gvisor"));
  const auto taken = TakeListener(received, "/run/falco/gvisor.sock");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().fault, Fault::kEnvironment);
  EXPECT_THAT(taken.error().message,
              HasSubstr("ListenSequentialPacket=/run/falco/gvisor.sock in the socket unit"));
  EXPECT_THAT(taken.error().message, HasSubstr("gvisor.socket: " + Path("s")));
}

TEST_F(SocketUnit, TwoSocketsAndOneOfTheWrongKindAreErrors) {
  std::vector<ReceivedFd> two;
  two.push_back(Listening("s", "gvisor"));
  two.push_back(Listening("t", "other.socket"));
  EXPECT_FALSE(TakeListener(two, Path("s")));
  std::vector<ReceivedFd> stream;
  stream.push_back(Listening("u", "gvisor", SOCK_STREAM));
  const auto taken = TakeListener(stream, Path("u"));
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message, HasSubstr("ListenSequentialPacket="));
}

TEST_F(SocketUnit, AFileThatIsGoneIsTold) {
  std::vector<ReceivedFd> received;
  received.push_back(Listening("s", "gvisor"));
  const auto taken = TakeListener(received, Path("s"));
  ASSERT_TRUE(taken && *taken);
  EXPECT_EQ(SocketFileProblem(**taken), "");
  ::unlink(Path("s").c_str());
  EXPECT_THAT(SocketFileProblem(**taken), HasSubstr("systemctl restart gyrfalcon.socket"));
}

}  // namespace
}  // namespace gyrfalcon
