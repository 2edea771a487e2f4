#include "base/unix_socket.h"

#include <cerrno>
#include <cstring>

#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace gyrfalcon {
namespace {

bool Answers(const sockaddr_un& address, int type) {
  const UniqueFd probe(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return false;
  // EAGAIN: it listens, and has more clients than it can take at once.
  return ::connect(probe.get(), Generic(address), sizeof address) == 0 || errno == EAGAIN;
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

bool IsListenedAt(const std::string& path, int type) {
  const auto address = UnixAddress(path);
  return address && Answers(*address, type);
}

Result<uint64_t> ListenAlone(int socket, int type, const std::string& path, int backlog) {
  const auto address = UnixAddress(path);
  if (!address) return std::unexpected(address.error());
  if (Answers(*address, type)) {
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
