#include "service/takeover_channel.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>

namespace gyrfalcon {
namespace {

std::unexpected<Error> Broken(std::string what) {
  return Fail(Fault::kEnvironment, std::move(what));
}

Result<void> WaitFor(int socket, short events, int patience_ms) {
  pollfd waiting{.fd = socket, .events = events, .revents = 0};
  const int ready = ::poll(&waiting, 1, patience_ms);
  if (ready > 0) return {};
  if (ready < 0) return Broken("cannot wait for the other process: " + ErrnoText(errno));
  return Broken("the other process did not answer within " + std::to_string(patience_ms) + " ms");
}

using Control = std::array<char, CMSG_SPACE(sizeof(int) * kTakeoverFdsMax)>;

std::vector<UniqueFd> TakeFds(msghdr& header) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

Result<void> SendTakeover(int socket, const TakeoverMessage& message, std::span<const int> fds,
                          int patience_ms) {
  if (auto ready = WaitFor(socket, POLLOUT, patience_ms); !ready) return ready;
  std::string bytes = EncodeTakeover(message);
  iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
  alignas(cmsghdr) Control control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  // A datagram may need more room than is there when poll says that there is some.
  timeval patience{.tv_sec = patience_ms / 1'000, .tv_usec = patience_ms % 1'000 * 1'000};
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const ssize_t sent = ::sendmsg(socket, &header, MSG_NOSIGNAL);
  if (sent == static_cast<ssize_t>(bytes.size())) return {};
  if (sent < 0 && errno == ETOOMANYREFS) {
    return Broken(
        "too many descriptors on their way: raise the limit of open files (LimitNOFILE=), or run "
        "as "
        "root");
  }
  return Broken("the other process can't be told: " + ErrnoText(errno));
}

Result<TakeoverDatagram> ReceiveTakeover(int socket, int patience_ms) {
  if (auto ready = WaitFor(socket, POLLIN, patience_ms); !ready) {
    return std::unexpected(ready.error());
  }
  std::string bytes(kTakeoverMessageBytesMax, '\0');
  iovec part{.iov_base = bytes.data(), .iov_len = bytes.size()};
  alignas(cmsghdr) Control control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got < 0) return Broken("the other process can't be heard: " + ErrnoText(errno));
  std::vector<UniqueFd> fds = TakeFds(header);
  if (got == 0) return Broken("the other process has hung up");
  if ((header.msg_flags & MSG_CTRUNC) != 0) {
    return Broken(
        "not all descriptors arrived: raise the limit of open files (ulimit -n) to that of the "
        "process that runs");
  }
  if ((header.msg_flags & MSG_TRUNC) != 0) return Broken("a message of a takeover is too long");
  bytes.resize(static_cast<size_t>(got));
  auto message = DecodeTakeover(bytes, fds.size());
  if (!message) return std::unexpected(message.error());
  if (const auto* refusal = std::get_if<TakeoverRefusal>(&*message)) {
    return Broken("the process that runs does not hand over: " + refusal->why);
  }
  return TakeoverDatagram{std::move(*message), std::move(fds)};
}

}  // namespace gyrfalcon
