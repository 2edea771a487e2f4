#include "service/systemd.h"

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace gyrfalcon {
namespace {

using ::testing::ExitedWithCode;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// systemd's end of NOTIFY_SOCKET, at an abstract address of this process.
class NotifySocket {
 public:
  NotifySocket() {
    const std::string name = "gyrfalcon-systemd-test-" + std::to_string(::getpid());
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, name.size());
    const auto length = offsetof(sockaddr_un, sun_path) + 1 + name.size();
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address),
                     static_cast<socklen_t>(length)),
              0);
    ::setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
  }
  ~NotifySocket() { ::unsetenv("NOTIFY_SOCKET"); }

  struct Message {
    std::string text;
    std::vector<UniqueFd> fds;
  };
  Message Take() {
    Message result;
    std::array<char, 1024> text{};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kNotifyFdsMax)> control{};
    iovec part{.iov_base = text.data(), .iov_len = text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) return result;
    result.text.assign(text.data(), static_cast<size_t>(got));
    if (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr) {
      const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
        result.fds.emplace_back(fd);
      }
    }
    return result;
  }

 private:
  UniqueFd socket_;
};

TEST(Systemd, WithoutItNothingIsSaidAndNothingFails) {
  ::unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(IsNotified());
  EXPECT_TRUE(Notify("READY=1"));
}

TEST(Systemd, ATextReachesIt) {
  NotifySocket systemd;
  EXPECT_TRUE(IsNotified());
  ASSERT_TRUE(Notify("READY=1\nSTATUS=listening"));
  EXPECT_EQ(systemd.Take().text, "READY=1\nSTATUS=listening");
}

TEST(Systemd, DescriptorsGoWithTheText) {
  NotifySocket systemd;
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const UniqueFd from(pipe[0]);
  const UniqueFd into(pipe[1]);
  ASSERT_TRUE(NotifyWithFds("FDSTORE=1\nFDPOLL=0\nFDNAME=c", pipe));
  const NotifySocket::Message message = systemd.Take();
  EXPECT_EQ(message.text, "FDSTORE=1\nFDPOLL=0\nFDNAME=c");
  ASSERT_EQ(message.fds.size(), 2u);
  ASSERT_EQ(::write(message.fds[1].get(), "x", 1), 1);
  char got = 0;
  EXPECT_EQ(::read(from.get(), &got, 1), 1);
  EXPECT_EQ(got, 'x');
}

TEST(Systemd, AsManyDescriptorsAsTheKernelPassesAndNoMore) {
  NotifySocket systemd;
  std::vector<int> fds(kNotifyFdsMax, STDIN_FILENO);
  ASSERT_TRUE(NotifyWithFds("FDSTORE=1", fds));
  EXPECT_EQ(systemd.Take().fds.size(), kNotifyFdsMax);
  fds.push_back(STDIN_FILENO);
  EXPECT_FALSE(NotifyWithFds("FDSTORE=1", fds));
}

TEST(Systemd, AnAddressThatIsNoneIsAnError) {
  ::setenv("NOTIFY_SOCKET", "vsock:2:1", 1);
  const auto told = Notify("READY=1");
  ::setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
  const auto absent = Notify("READY=1");
  ::unsetenv("NOTIFY_SOCKET");
  ASSERT_FALSE(told);
  EXPECT_THAT(told.error().message, HasSubstr("NOTIFY_SOCKET=vsock:2:1"));
  ASSERT_FALSE(absent);
  EXPECT_THAT(absent.error().message, HasSubstr("No such file"));
}

TEST(Systemd, AReloadSaysWhenItBegan) {
  const std::string text = ReloadingText();
  EXPECT_THAT(text, StartsWith("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_NE(text.back(), '=');
}

void SetListen(const std::string& pid, const char* fds, const char* names) {
  ::setenv("LISTEN_PID", pid.c_str(), 1);
  ::setenv("LISTEN_FDS", fds, 1);
  ::setenv("LISTEN_FDNAMES", names, 1);
}

// Ends the process with 0 when `holds`: what follows needs descriptors 3 and on, so each case is a
// process of its own.
[[noreturn]] void EndWith(bool holds) {
  ::_exit(holds ? 0 : 1);
}

TEST(SystemdFds, TheyComeWithTheirNamesCloseOnExecAndOnce) {
  EXPECT_EXIT(
      {
        ::dup2(STDIN_FILENO, 3);
        ::dup2(STDIN_FILENO, 4);
        SetListen(std::to_string(::getpid()), "2", "gvisor.socket:c");
        auto received = ReceivedFds();
        bool holds = received && received->size() == 2;
        holds = holds && (*received)[0].fd.get() == 3 && (*received)[0].name == "gvisor.socket";
        holds = holds && (*received)[1].fd.get() == 4 && (*received)[1].name == "c";
        holds = holds && (::fcntl(3, F_GETFD) & FD_CLOEXEC) != 0;
        holds = holds && std::getenv("LISTEN_FDS") == nullptr &&
                std::getenv("LISTEN_PID") == nullptr && std::getenv("LISTEN_FDNAMES") == nullptr;
        const auto again = ReceivedFds();
        EndWith(holds && again && again->empty());
      },
      ExitedWithCode(0), "");
}

TEST(SystemdFds, ThoseOfAnotherProcessAreLeftAlone) {
  EXPECT_EXIT(
      {
        ::dup2(STDIN_FILENO, 3);
        SetListen(std::to_string(::getppid()), "1", "gvisor.socket");
        const auto received = ReceivedFds();
        EndWith(received && received->empty() && std::getenv("LISTEN_FDS") == nullptr);
      },
      ExitedWithCode(0), "");
}

TEST(SystemdFds, NamesMayBeMissing) {
  EXPECT_EXIT(
      {
        ::dup2(STDIN_FILENO, 3);
        ::dup2(STDIN_FILENO, 4);
        SetListen(std::to_string(::getpid()), "2", "first");
        const auto received = ReceivedFds();
        EndWith(received && received->size() == 2 && (*received)[1].name.empty());
      },
      ExitedWithCode(0), "");
}

TEST(SystemdFds, WhatContradictsItselfIsAnError) {
  EXPECT_EXIT(
      {
        ::dup2(STDIN_FILENO, 3);
        ::close(4);
        SetListen(std::to_string(::getpid()), "2", "a:b");
        const auto closed = ReceivedFds();
        SetListen(std::to_string(::getpid()), "-1", "");
        const auto negative = ReceivedFds();
        SetListen("me", "1", "");
        const auto nobody = ReceivedFds();
        EndWith(!closed && !negative && !nobody);
      },
      ExitedWithCode(0), "");
}

TEST(Systemd, TheWatchdogsIntervalIsForThisProcessOnly) {
  ::unsetenv("WATCHDOG_PID");
  ::unsetenv("WATCHDOG_USEC");
  EXPECT_EQ(WatchdogUsec(), std::nullopt);
  ::setenv("WATCHDOG_USEC", "3000000", 1);
  EXPECT_EQ(WatchdogUsec(), std::chrono::seconds(3));
  ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
  EXPECT_EQ(WatchdogUsec(), std::chrono::seconds(3));
  ::setenv("WATCHDOG_PID", "1", 1);
  EXPECT_EQ(WatchdogUsec(), std::nullopt);
  ::unsetenv("WATCHDOG_PID");
  ::setenv("WATCHDOG_USEC", "soon", 1);
  EXPECT_EQ(WatchdogUsec(), std::nullopt);
  ::unsetenv("WATCHDOG_USEC");
}

}  // namespace
}  // namespace gyrfalcon
