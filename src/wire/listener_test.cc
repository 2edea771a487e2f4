#include "wire/listener.h"

#include <atomic>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "wire/test_support.h"

namespace gyrfalcon {
namespace {

using test::Connect;
using testing::HasSubstr;

mode_t ModeOf(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

std::string ErrorOf(const std::string& path) {
  auto listener = Listener::Open(path);
  if (listener) return "";
  EXPECT_EQ(listener.error().fault, Fault::kEnvironment);
  return listener.error().message;
}

// A socket file as a process that was killed leaves it.
void LeaveStaleSocket(const std::string& path) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const sockaddr_un address = test::Address(path);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
}

TEST(Listener, MakesItsFolderAndSocketForTheOwnerOnly) {
  const TestFolder dir;
  const std::string path = dir / "run/gvisor.sock";
  const mode_t before = ::umask(0);
  const auto listener = Listener::Open(path);
  ::umask(before);
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_EQ(ModeOf(dir / "run"), 0700u);
  EXPECT_EQ(ModeOf(path), 0600u);
  EXPECT_TRUE(Connect(path));
  EXPECT_FALSE(std::filesystem::exists(path + "~"));
}

TEST(Listener, TheSocketIsUsableUnderTheStrictestUmask) {
  const TestFolder dir;
  const mode_t before = ::umask(0777);
  const auto listener = Listener::Open(dir / "s");
  ::umask(before);
  ASSERT_TRUE(listener);
  EXPECT_EQ(ModeOf(dir / "s"), 0600u);
}

TEST(Listener, TheNameIsNeverThereWithoutListening) {
  const TestFolder dir;
  const std::string path = dir / "s";
  std::atomic<bool> done = false;
  std::atomic<int> refused = 0;
  std::atomic<int> wrong_mode = 0;
  std::thread watcher([&] {
    while (!done) {
      const mode_t mode = ModeOf(path);
      if (mode != 0 && mode != 0600) ++wrong_mode;
      const UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0));
      const sockaddr_un address = test::Address(path);
      if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
          errno == ECONNREFUSED) {
        ++refused;
      }
    }
  });
  std::vector<UniqueFd> kept;  // a client that found the old file may still be on its way in
  for (int i = 0; i < 300; ++i) {
    const auto listener = Listener::Open(path);
    ASSERT_TRUE(listener);
    kept.emplace_back(::dup(listener->fd()));
  }
  done = true;
  watcher.join();
  EXPECT_EQ(wrong_mode, 0);
  EXPECT_EQ(refused, 0);
}

TEST(Listener, AMissingGrandparentIsAnErrorThatNamesIt) {
  const TestFolder dir;
  EXPECT_THAT(ErrorOf(dir / "a/b/s"), HasSubstr("mkdir -p " + (dir / "a")));
  EXPECT_FALSE(std::filesystem::exists(dir / "a"));
}

TEST(Listener, AFolderThatOthersMayWriteToIsRefusedUnlessSticky) {
  const TestFolder dir;
  std::filesystem::create_directory(dir / "open");
  ASSERT_EQ(::chmod((dir / "open").c_str(), 0770), 0);
  EXPECT_THAT(ErrorOf(dir / "open/s"), HasSubstr("chmod go-w " + (dir / "open")));
  ASSERT_EQ(::chmod((dir / "open").c_str(), 01777), 0);
  EXPECT_TRUE(Listener::Open(dir / "open/s"));
  EXPECT_EQ(ModeOf(dir / "open"), 01777u) << "an existing folder keeps its mode";
}

TEST(Listener, AStaleSocketIsReplaced) {
  const TestFolder dir;
  LeaveStaleSocket(dir / "s");
  LeaveStaleSocket(dir / "s~");  // and one that a starter left half-way
  const auto listener = Listener::Open(dir / "s");
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_TRUE(Connect(dir / "s"));
}

TEST(Listener, ASecondListenerIsRefusedAndTheFirstGoesOn) {
  const TestFolder dir;
  const auto first = Listener::Open(dir / "s");
  ASSERT_TRUE(first);
  EXPECT_THAT(ErrorOf(dir / "s"), HasSubstr("process " + std::to_string(::getpid())));
  EXPECT_TRUE(Connect(dir / "s"));
}

TEST(Listener, AStarterThatHoldsTheLockIsNotOvertaken) {
  const TestFolder dir;
  const UniqueFd lock(::open((dir / "s.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  EXPECT_THAT(ErrorOf(dir / "s"), HasSubstr("in use by another process"));
  ASSERT_EQ(::write(lock.get(), "4711\n", 5), 5);
  EXPECT_THAT(ErrorOf(dir / "s"), HasSubstr("in use by process 4711;"));
}

TEST(Listener, ALiveSocketOfAProgramThatKnowsNoLockIsNeverStolen) {
  const TestFolder dir;
  const std::string path = dir / "s";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
    const sockaddr_un address = test::Address(path);
    const bool listening =
        ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        ::listen(fd, 5) == 0 && ::write(ready[1], "x", 1) == 1;
    if (listening) ::pause();
    ::_exit(1);
  }
  const UniqueFd read_end(ready[0]);
  UniqueFd(ready[1]).reset();
  char byte = 0;
  ASSERT_EQ(::read(read_end.get(), &byte, 1), 1);
  EXPECT_THAT(ErrorOf(path), HasSubstr("in use by process " + std::to_string(child)));
  EXPECT_TRUE(Connect(path));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(Listener::Open(path)) << "once its owner is dead it may be replaced";
}

TEST(Listener, ALiveSocketOfAnotherTypeIsNeverStolen) {
  const TestFolder dir;
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = test::Address(dir / "s");
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(fd.get(), 5), 0);
  EXPECT_THAT(ErrorOf(dir / "s"), HasSubstr("in use"));
}

TEST(Listener, AFileThatIsNoSocketIsLeftAlone) {
  const TestFolder dir;
  test::WriteFile(dir / "s", "precious");
  EXPECT_THAT(ErrorOf(dir / "s"), HasSubstr("not a socket"));
  EXPECT_EQ(test::ReadFile(dir / "s"), "precious");
}

TEST(Listener, APathIsTakenUpToItsLimitAndNotBeyond) {
  const TestFolder dir;
  std::string path = dir / "s";
  path.append(Listener::kPathBytesMax - path.size(), 's');
  EXPECT_EQ(ErrorOf(path), "");
  EXPECT_THAT(ErrorOf(path + "s"), HasSubstr("107 bytes long, and at most 106 fit"));
}

TEST(Listener, ItsEndRemovesTheSocketButNotAnotherOfTheSameName) {
  const TestFolder dir;
  ASSERT_TRUE(Listener::Open(dir / "s"));
  EXPECT_FALSE(std::filesystem::exists(dir / "s"));
  {
    const auto listener = Listener::Open(dir / "s");
    ASSERT_TRUE(listener);
    // Made before the first is gone, or the file system might give it the same inode.
    LeaveStaleSocket(dir / "other");
    std::filesystem::rename(dir / "other", dir / "s");
  }
  EXPECT_TRUE(std::filesystem::exists(dir / "s"));
}

TEST(Listener, AMovedOneKeepsListeningAndTheOldOneRemovesNothing) {
  const TestFolder dir;
  auto first = Listener::Open(dir / "s");
  ASSERT_TRUE(first);
  const Listener second = std::move(*first);
  first = std::unexpected(Error{});
  EXPECT_TRUE(Connect(dir / "s"));
  EXPECT_EQ(second.path(), dir / "s");
}

TEST(Listener, WhatIsHandedOverIsOneListenerWithOneFileAndOneLock) {
  const TestFolder dir;
  auto first = Listener::Open(dir / "s");
  ASSERT_TRUE(first);
  auto handed = first->Copy();
  ASSERT_TRUE(handed) << handed.error().message;
  auto second = Listener::Inherit(std::move(*handed), dir / "s");
  ASSERT_TRUE(second) << second.error().message;
  first->Disown();
  second->Own();
  first = std::unexpected(Error{});  // as when its process ends
  EXPECT_TRUE(Connect(dir / "s"));
  EXPECT_THAT(Listener::Open(dir / "s").error().message, HasSubstr("is in use by process"));
  second = std::unexpected(Error{});
  EXPECT_FALSE(std::filesystem::exists(dir / "s"));
  EXPECT_TRUE(Listener::Open(dir / "s"));
}

TEST(Listener, AnInheritedListenerHasToBeTheOneAtItsPath) {
  const TestFolder dir;
  const auto first = Listener::Open(dir / "s");
  const auto other = Listener::Open(dir / "other");
  ASSERT_TRUE(first && other);
  const auto second = Listener::Inherit(std::move(*first->Copy()), dir / "other");
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("give both the same socket"));
  EXPECT_TRUE(Connect(dir / "other"));
  EXPECT_TRUE(Connect(dir / "s"));
}

TEST(Listener, AnAdoptedSocketIsNotRemovedAtTheEnd) {
  const TestFolder dir;
  const auto inherited = Listener::Open(dir / "s");
  ASSERT_TRUE(inherited);
  {
    auto adopted = Listener::Adopt(UniqueFd(::dup(inherited->fd())));
    ASSERT_TRUE(adopted) << adopted.error().message;
  }
  EXPECT_TRUE(Connect(dir / "s"));
}

TEST(Listener, OnlyAListeningSeqpacketSocketIsAdopted) {
  const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
  for (const int type : types) {
    const auto adopted = Listener::Adopt(UniqueFd(::socket(AF_UNIX, type, 0)));
    ASSERT_FALSE(adopted);
    EXPECT_THAT(adopted.error().message, HasSubstr("ListenSequentialPacket="));
  }
  EXPECT_FALSE(Listener::Adopt(UniqueFd(::dup(0))));
}

TEST(KernelBacklogMax, IsWhatTheKernelSays) {
  const auto most = KernelBacklogMax();
  if (!most) GTEST_SKIP() << "no /proc/sys/net/core/somaxconn here";
  EXPECT_EQ(std::to_string(*most) + "\n", test::ReadFile("/proc/sys/net/core/somaxconn"));
}

}  // namespace
}  // namespace gyrfalcon
