#include "runsc_peer.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon.h"

namespace gyrfalcon {
namespace {

constexpr int kGivenFd = 3;
constexpr const char* kSocketVariable = "GYRFALCON_HOSTILE_SOCKET";

// One byte with a descriptor, either way.
struct FdMessage {
  char byte = 'f';
  iovec part{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{.msg_name = nullptr,
                .msg_namelen = 0,
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = control.data(),
                .msg_controllen = control.size(),
                .msg_flags = 0};
};

void SendFd(int to, int fd) {
  FdMessage message;
  cmsghdr* control = CMSG_FIRSTHDR(&message.header);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(control), &fd, sizeof fd);
  ::sendmsg(to, &message.header, MSG_NOSIGNAL);
}

UniqueFd TakeFd(int from) {
  FdMessage message;
  if (::recvmsg(from, &message.header, MSG_CMSG_CLOEXEC) <= 0) return {};
  const cmsghdr* control = CMSG_FIRSTHDR(&message.header);
  if (control == nullptr || control->cmsg_type != SCM_RIGHTS) return {};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(control), sizeof fd);
  return UniqueFd(fd);
}

[[noreturn]] void ExecAsRunsc(const std::string& socket_path, std::string id, int channel) {
  ::dup2(channel, kGivenFd);
  ::setenv(kSocketVariable, socket_path.c_str(), 1);
  std::string name = "runsc";
  std::string root = "--root=/nonexistent";
  std::string command = "create";
  std::array<char*, 5> args = {name.data(), root.data(), command.data(), id.data(), nullptr};
  ::execv("/proc/self/exe", args.data());
  ::_exit(127);
}

}  // namespace

Result<UniqueFd> ConnectAsRunsc(const std::string& socket_path, const std::string& id) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return Fail(Fault::kEnvironment, "no socket pair: " + ErrnoText(errno));
  }
  const UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return Fail(Fault::kEnvironment, "no child: " + ErrnoText(errno));
  if (child == 0) ExecAsRunsc(socket_path, id, theirs.get());
  theirs.reset();
  UniqueFd fd = TakeFd(ours.get());
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (!fd) return Fail(Fault::kEnvironment, "cannot connect to " + socket_path + " as runsc");
  return fd;
}

bool WasRunAsRunsc() {
  const char* socket_path = std::getenv(kSocketVariable);
  if (socket_path == nullptr) return false;
  if (const auto fd = ConnectSandbox(socket_path)) SendFd(kGivenFd, fd->get());
  return true;
}

}  // namespace gyrfalcon
