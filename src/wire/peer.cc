#include "wire/peer.h"

#include <array>
#include <climits>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.h"
#include "base/unix_socket.h"

namespace gyrfalcon {

std::optional<Peer> PeerCredentials(int fd) {
  const auto peer = PeerOf(fd);
  if (!peer) return std::nullopt;
  return Peer{
      .pid = peer->pid, .uid = peer->uid, .gid = peer->gid, .command_line = {}, .runsc = {}};
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

bool IsRootsAlone(const std::string& path) {
  if (!path.starts_with('/')) return false;
  for (std::string part = path; !part.empty(); part.resize(part.rfind('/'))) {
    struct stat status{};
    if (::lstat(part.c_str(), &status) != 0) return false;
    const bool right_kind =
        part.size() == path.size() ? S_ISREG(status.st_mode) : S_ISDIR(status.st_mode);
    const bool changed_by_others = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    if (!right_kind || status.st_uid != 0 || changed_by_others) return false;
  }
  return true;
}

std::string TrustedRunsc(pid_t pid) {
  if (pid <= 0) return {};
  const std::string link = "/proc/" + std::to_string(pid) + "/exe";
  std::array<char, PATH_MAX> target{};
  const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
  if (size <= 0 || static_cast<size_t>(size) >= target.size()) return {};
  std::string path(target.data(), static_cast<size_t>(size));
  if (path.find("runsc", path.rfind('/') + 1) == std::string::npos) return {};
  struct stat running{};
  struct stat here{};
  if (!IsRootsAlone(path) || ::stat(link.c_str(), &running) != 0 ||
      ::stat(path.c_str(), &here) != 0) {
    return {};
  }
  const bool is_same = running.st_dev == here.st_dev && running.st_ino == here.st_ino;
  return is_same ? path : std::string();
}

}  // namespace gyrfalcon
