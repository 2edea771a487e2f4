#include "wire/peer.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unique_fd.h"

namespace gyrfalcon {

std::optional<Peer> PeerCredentials(int fd) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return std::nullopt;
  return Peer{
      .pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid, .command_line = {}};
}

std::string ReadCommandLine(pid_t pid) {
  if (pid <= 0) return {};
  const std::string path = "/proc/" + std::to_string(pid) + "/cmdline";
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return {};
  std::string line;
  constexpr size_t kPiece = 4096;
  while (line.size() < kCommandLineBytesMax) {
    const size_t had = line.size();
    line.resize(had + kPiece);
    const ssize_t got = ::read(file.get(), line.data() + had, kPiece);
    line.resize(had + static_cast<size_t>(got > 0 ? got : 0));
    if (got <= 0) break;
  }
  static_assert(kCommandLineBytesMax % kPiece == 0);
  if (line.size() > kCommandLineBytesMax) line.resize(kCommandLineBytesMax);
  if (line.ends_with('\0')) line.pop_back();  // the last argument's own terminator
  return line;
}

}  // namespace gyrfalcon
