// A sandbox that a test plays: its connection, and what it sends. Its container is "c".
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "points/test_message.h"

namespace gyrfalcon::testing {

// A connection over which hands are shaken, the caller's to close; -1 where nobody listens or
// answers.
inline int ConnectSandbox(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  const sockaddr_un address = UnixAddress(path).value();
  std::array<char, 64> answer{};
  if (::connect(fd, Generic(address), sizeof address) == 0 &&
      ::send(fd, "\x08\x01", 2, MSG_NOSIGNAL) == 2 &&
      ::recv(fd, answer.data(), answer.size(), 0) > 0) {
    return fd;
  }
  ::close(fd);
  return -1;
}

// Whether the kernel has taken it whole.
inline bool SendDatagram(int fd, const std::string& datagram) {
  return ::send(fd, datagram.data(), datagram.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(datagram.size());
}

// An openat that has given descriptor 3.
inline std::string OpenDatagram(const Message& context, std::string_view path) {
  return Datagram(
      MessageType::kOpen,
      Message().Nested(1, context).Nested(2, Message().Number(1, 3)).Number(3, 257).Text(6, path));
}

// By a thread of which no other message tells.
inline Message ContextOfThread(int32_t tid) {
  return Message().Number(1, 1).Number(2, tid).Text(6, "c");
}

// Process 1, "parent", has made process 2, "child". Only Family() says more of them than a number.
inline Message ContextInFamily(int64_t process) {
  return Message()
      .Number(1, 1)
      .Number(2, process)
      .Number(3, 500 + process)
      .Number(4, process)
      .Number(5, 500 + process)
      .Text(6, "c");
}

inline std::vector<std::string> Family() {
  const Message parent = ContextInFamily(1);
  return {Datagram(MessageType::kSentryExec, Message().Nested(1, parent).Text(2, "/bin/parent")),
          Datagram(MessageType::kSentryClone,
                   Message().Nested(1, parent).Number(3, 2).Number(4, 2).Number(5, 502)),
          Datagram(MessageType::kSentryExec,
                   Message().Nested(1, ContextInFamily(2)).Text(2, "/bin/child"))};
}

}  // namespace gyrfalcon::testing
