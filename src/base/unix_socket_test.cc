#include "base/unix_socket.h"

#include <cerrno>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/test_folder.h"
#include "base/unique_fd.h"

namespace gyrfalcon {
namespace {

TEST(UnixSocket, WhoeverListensIsFound) {
  const TestFolder folder;
  const std::string path = folder / "x.sock";
  EXPECT_EQ(TryToConnect(path, SOCK_STREAM), ENOENT);
  EXPECT_EQ(ListenerPid(path, SOCK_STREAM), 0);
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_TRUE(ListenAlone(listener.get(), SOCK_STREAM, path, 0));
  EXPECT_EQ(TryToConnect(path, SOCK_SEQPACKET), EPROTOTYPE);
  EXPECT_FALSE(IsListenedAt(path, SOCK_SEQPACKET));
  EXPECT_EQ(ListenerPid(path, SOCK_STREAM), ::getpid());
  // The queue of one is full now, and whoever has it listens still.
  EXPECT_EQ(TryToConnect(path, SOCK_STREAM), 0);
  EXPECT_TRUE(IsListenedAt(path, SOCK_STREAM));
  listener.reset();
  EXPECT_EQ(TryToConnect(path, SOCK_STREAM), ECONNREFUSED);
  EXPECT_FALSE(IsListenedAt(path, SOCK_STREAM));
  EXPECT_EQ(TryToConnect(std::string(200, 'x'), SOCK_STREAM), ENAMETOOLONG);
}

}  // namespace
}  // namespace gyrfalcon
