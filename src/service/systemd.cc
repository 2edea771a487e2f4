#include "service/systemd.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/environment.h"

namespace gyrfalcon {
namespace {

constexpr int kFirstFd = 3;               // SD_LISTEN_FDS_START
constexpr int kReceivedFdsMax = 1 << 20;  // more than any limit of open files
constexpr timeval kPatience{.tv_sec = 5, .tv_usec = 0};

std::optional<int64_t> ParseNumber(std::string_view text) noexcept {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

struct NotifyAddress {
  sockaddr_un address{};
  socklen_t length = 0;
};

// A path, or '@' and an abstract name.
Result<NotifyAddress> ParseNotifySocket(std::string_view name) {
  NotifyAddress result;
  const bool is_abstract = name.front() == '@';
  if ((name.front() != '/' && !is_abstract) || name.size() >= sizeof result.address.sun_path) {
    return Fail(Fault::kEnvironment,
                "NOTIFY_SOCKET=" + std::string(name) + " is no Unix socket's address");
  }
  result.address.sun_family = AF_UNIX;
  std::memcpy(result.address.sun_path, name.data(), name.size());
  if (is_abstract) result.address.sun_path[0] = '\0';
  const size_t used = offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 0 : 1);
  result.length = static_cast<socklen_t>(used);
  return result;
}

std::unexpected<Error> NotToldErrno(int error_number) {
  return Fail(Fault::kEnvironment, "systemd could not be told: " + ErrnoText(error_number));
}

Result<std::vector<ReceivedFd>> TakeFds(int count, std::string_view names) {
  std::vector<ReceivedFd> received;
  for (int fd = kFirstFd; fd < kFirstFd + count; ++fd) {
    const int flags = ::fcntl(fd, F_GETFD);
    if (flags < 0 || ::fcntl(fd, F_SETFD, flags | FD_CLOEXEC) != 0) {
      return Fail(Fault::kEnvironment, "systemd names " + std::to_string(count) +
                                           " descriptors by LISTEN_FDS, but " + std::to_string(fd) +
                                           " is not open: " + ErrnoText(errno));
    }
    const size_t colon = names.find(':');
    received.push_back({UniqueFd(fd), std::string(names.substr(0, colon))});
    names = colon == std::string_view::npos ? std::string_view() : names.substr(colon + 1);
  }
  return received;
}

}  // namespace

bool IsNotified() {
  return !Environment("NOTIFY_SOCKET").empty();
}

Result<void> Notify(std::string_view text) {
  return NotifyWithFds(text, {});
}

Result<void> NotifyWithFds(std::string_view text, std::span<const int> fds) {
  const std::string_view name = Environment("NOTIFY_SOCKET");
  if (name.empty()) return {};
  if (fds.size() > kNotifyFdsMax) return NotToldErrno(E2BIG);
  const auto to = ParseNotifySocket(name);
  if (!to) return std::unexpected(to.error());
  NotifyAddress address = *to;
  const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return NotToldErrno(errno);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);

  iovec part{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kNotifyFdsMax)> control{};
  msghdr message{};
  message.msg_name = &address.address;
  message.msg_namelen = address.length;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return NotToldErrno(errno);
  return {};
}

std::string ReloadingText() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t usec = int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
  return "RELOADING=1\nMONOTONIC_USEC=" + std::to_string(usec);
}

Result<std::vector<ReceivedFd>> ReceivedFds() {
  const std::string pid(Environment("LISTEN_PID"));
  const std::string fds(Environment("LISTEN_FDS"));
  const std::string names(Environment("LISTEN_FDNAMES"));
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  if (pid.empty() || fds.empty()) return std::vector<ReceivedFd>();
  const auto for_pid = ParseNumber(pid);
  const auto count = ParseNumber(fds);
  if (!for_pid || !count || *count < 0 || *count > kReceivedFdsMax) {
    return Fail(Fault::kEnvironment,
                "LISTEN_PID=" + pid + " and LISTEN_FDS=" + fds + " are not what systemd sets");
  }
  if (*for_pid != ::getpid()) return std::vector<ReceivedFd>();
  return TakeFds(static_cast<int>(*count), names);
}

std::optional<std::chrono::microseconds> WatchdogUsec() {
  const std::string_view pid = Environment("WATCHDOG_PID");
  if (!pid.empty() && ParseNumber(pid) != int64_t{::getpid()}) return std::nullopt;
  const auto usec = ParseNumber(Environment("WATCHDOG_USEC"));
  if (!usec || *usec <= 0) return std::nullopt;
  return std::chrono::microseconds(*usec);
}

}  // namespace gyrfalcon
