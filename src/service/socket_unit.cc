#include "service/socket_unit.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <sys/stat.h>

namespace gyrfalcon {
namespace {

bool IsOfSocketUnit(const ReceivedFd& received) {
  return received.name == kSocketUnitFdName || received.name.ends_with(".socket");
}

// The same name, or two names of one file, as by /var/run, which is a link.
bool IsSameFile(const std::string& one, const std::string& other) {
  std::error_code error;
  const auto one_path = std::filesystem::absolute(one, error).lexically_normal();
  const auto other_path = std::filesystem::absolute(other, error).lexically_normal();
  if (one_path == other_path) return true;
  // Not std::filesystem::equivalent: to the library at hand two sockets are never that.
  struct stat one_status{};
  struct stat other_status{};
  return ::stat(one.c_str(), &one_status) == 0 && ::stat(other.c_str(), &other_status) == 0 &&
         one_status.st_dev == other_status.st_dev && one_status.st_ino == other_status.st_ino;
}

}  // namespace

Result<std::optional<Listener>> TakeListener(std::vector<ReceivedFd>& received,
                                             const std::string& socket_path) {
  const auto found = std::ranges::find_if(received, IsOfSocketUnit);
  if (found == received.end()) return std::nullopt;
  UniqueFd fd = std::move(found->fd);
  received.erase(found);
  if (std::ranges::any_of(received, IsOfSocketUnit)) {
    return Fail(Fault::kEnvironment,
                "systemd hands over more than one socket; leave one ListenSequentialPacket= in "
                "the socket unit");
  }
  auto listener = Listener::Adopt(std::move(fd));
  if (!listener) return std::unexpected(listener.error());
  const std::string path = listener->path();
  if (!IsSameFile(path, socket_path)) {
    return Fail(Fault::kEnvironment,
                "systemd's socket unit listens on " + path + ", but the config says " +
                    socket_path + "; set ListenSequentialPacket=" + socket_path +
                    " in the socket unit (systemctl edit gyrfalcon.socket), or gvisor.socket: " +
                    path + " in the config");
  }
  return std::move(*listener);
}

std::string SocketFileProblem(const Listener& listener) {
  const std::string& path = listener.path();
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) return "";
  return "the file of the socket " + path +
         " is gone, so no sandbox finds it; run systemctl restart gyrfalcon.socket";
}

}  // namespace gyrfalcon
