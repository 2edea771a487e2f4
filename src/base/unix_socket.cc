#include "base/unix_socket.h"

#include <cerrno>
#include <cstring>

#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace gyrfalcon {
namespace {

// Where there is none, errno says why.
UniqueFd ConnectTo(const std::string& path, int type) {
  const auto address = UnixAddress(path);
  if (!address) {
    errno = ENAMETOOLONG;
    return {};
  }
  UniqueFd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::connect(fd.get(), Generic(*address), sizeof *address) == 0) return fd;
  const int failed = errno;
  fd.reset();
  errno = failed;
  return fd;
}

}  // namespace

Result<sockaddr_un> UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Fail(Fault::kEnvironment, path + ": too long for a socket's path (107 bytes)");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

int TryToConnect(const std::string& path, int type) {
  if (ConnectTo(path, type)) return 0;
  // EAGAIN: it listens, and has more clients than it can take at once.
  return errno == EAGAIN ? 0 : errno;
}

bool IsListenedAt(const std::string& path, int type) {
  return TryToConnect(path, type) == 0;
}

std::optional<ucred> PeerOf(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  return peer;
}

pid_t ListenerPid(const std::string& path, int type) {
  const UniqueFd fd = ConnectTo(path, type);
  const auto peer = fd ? PeerOf(fd.get()) : std::nullopt;
  return peer ? peer->pid : 0;
}

Result<uint64_t> ListenAlone(int socket, int type, const std::string& path, int backlog) {
  const auto address = UnixAddress(path);
  if (!address) return std::unexpected(address.error());
  if (IsListenedAt(path, type)) {
    return Fail(
        Fault::kEnvironment,
        "cannot listen on " + path +
            ": another daemon does; give each a socket (gvisor.socket) in a folder of its own");
  }
  ::unlink(path.c_str());
  struct stat status{};
  if (::fchmod(socket, 0600) != 0 || ::bind(socket, Generic(*address), sizeof *address) != 0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::lstat(path.c_str(), &status) != 0 ||
      ::listen(socket, backlog) != 0) {
    return Fail(Fault::kEnvironment, "cannot listen on " + path + ": " + ErrnoText(errno) +
                                         "; check the folder's owner and mode");
  }
  return status.st_ino;
}

}  // namespace gyrfalcon
