#include "runsc/sink_peers.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <fmt/format.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "base/unique_fd.h"

namespace gyrfalcon {
namespace {

using Inodes = absl::flat_hash_set<uint32_t>;

constexpr size_t kSocketsMax = 64 * 1024;  // of one process
constexpr uint8_t kEstablished = 1;        // TCP_ESTABLISHED, for Unix sockets too

bool NamesSandbox(const std::string& folder, const std::string& sandbox_id) {
  constexpr size_t kBytesMax = 64 * 1024;
  std::ifstream file(folder + "/cmdline", std::ios::binary);
  std::string words(kBytesMax, '\0');
  file.read(words.data(), static_cast<std::streamsize>(words.size()));
  words.resize(static_cast<size_t>(file.gcount()));
  const auto arguments = Split(words, '\0');
  return std::ranges::find(arguments, sandbox_id) != arguments.end();
}

Result<Inodes> SocketsOf(const std::string& folder) {
  constexpr std::string_view kSocket = "socket:[";
  Inodes inodes;
  std::error_code error;
  std::filesystem::directory_iterator fds(folder + "/fd", error);
  while (!error && fds != std::filesystem::directory_iterator() && inodes.size() < kSocketsMax) {
    std::error_code closed;  // meanwhile
    const std::string target = std::filesystem::read_symlink(fds->path(), closed).string();
    uint32_t inode = 0;
    if (!closed && target.starts_with(kSocket)) {
      std::from_chars(target.data() + kSocket.size(), target.data() + target.size(), inode);
      inodes.insert(inode);
    }
    fds.increment(error);
  }
  if (error) return Fail(Fault::kEnvironment, folder + "/fd: " + error.message());
  return inodes;
}

// An abstract name begins with a NUL; a path ends at one.
std::string NameOf(std::string_view bytes) {
  if (bytes.starts_with('\0')) return "@" + std::string(bytes.substr(1));
  return std::string(bytes.substr(0, bytes.find('\0')));
}

// One entry of the kernel's answer; nullopt where it is cut short.
std::optional<std::pair<uint32_t, UnixSocket>> ReadEntry(std::string_view bytes) {
  unix_diag_msg head{};
  if (bytes.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, bytes.data(), sizeof head);
  UnixSocket socket{.seqpacket = head.udiag_type == SOCK_SEQPACKET, .name = {}, .peer = 0};
  bytes.remove_prefix(std::min(bytes.size(), size_t{NLMSG_ALIGN(sizeof head)}));
  rtattr attribute{};
  while (bytes.size() >= sizeof attribute) {
    std::memcpy(&attribute, bytes.data(), sizeof attribute);
    if (attribute.rta_len < sizeof attribute || attribute.rta_len > bytes.size()) break;
    const std::string_view value =
        bytes.substr(sizeof attribute, attribute.rta_len - sizeof attribute);
    if (attribute.rta_type == UNIX_DIAG_NAME) socket.name = NameOf(value);
    if (attribute.rta_type == UNIX_DIAG_PEER && value.size() == sizeof socket.peer) {
      std::memcpy(&socket.peer, value.data(), sizeof socket.peer);
    }
    bytes.remove_prefix(std::min(bytes.size(), size_t{RTA_ALIGN(attribute.rta_len)}));
  }
  return std::pair(head.udiag_ino, std::move(socket));
}

// The messages of one datagram; true at the last one.
Result<bool> ReadAnswer(std::string_view bytes, UnixSockets& sockets) {
  nlmsghdr head{};
  while (bytes.size() >= sizeof head) {
    std::memcpy(&head, bytes.data(), sizeof head);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > bytes.size()) break;
    if (head.nlmsg_type == NLMSG_DONE) return true;
    if (head.nlmsg_type == NLMSG_ERROR) {
      return Fail(Fault::kEnvironment, "the kernel does not list its Unix sockets");
    }
    if (auto entry = ReadEntry(bytes.substr(sizeof head, head.nlmsg_len - sizeof head))) {
      sockets.insert(std::move(*entry));
    }
    bytes.remove_prefix(std::min(bytes.size(), size_t{NLMSG_ALIGN(head.nlmsg_len)}));
  }
  return false;
}

std::unexpected<Error> FailOfErrno(const char* what) {
  return Fail(Fault::kEnvironment, fmt::format("{}: {}", what, ErrnoText(errno)));
}

// Our own kind of listener binds under a name with '~' behind it, and renames (wire/listener.h).
std::string AsConfigured(std::string name) {
  std::error_code error;
  if (name.ends_with('~') && !std::filesystem::exists(name, error)) name.pop_back();
  return name;
}

}  // namespace

Result<UnixSockets> ListUnixSockets() {
  const UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink) return FailOfErrno("sock_diag");
  struct {
    nlmsghdr head;
    unix_diag_req body;
  } request{};
  request.head.nlmsg_len = sizeof request;
  request.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.sdiag_family = AF_UNIX;
  request.body.udiag_states = 1U << kEstablished;
  request.body.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER;
  if (send(netlink.get(), &request, sizeof request, 0) < 0) return FailOfErrno("sock_diag");
  UnixSockets sockets;
  std::array<char, 64 * 1024> piece{};
  for (;;) {
    const ssize_t got = recv(netlink.get(), piece.data(), piece.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return FailOfErrno("sock_diag");
    const auto done = ReadAnswer({piece.data(), static_cast<size_t>(got)}, sockets);
    if (!done) return std::unexpected(done.error());
    if (*done) return sockets;
  }
}

Result<std::vector<std::string>> SinkPeers(int64_t pid, const std::string& sandbox_id,
                                           const UnixSockets& all) {
  const std::string folder = fmt::format("/proc/{}", pid);
  if (pid <= 0 || !NamesSandbox(folder, sandbox_id)) {
    return Fail(Fault::kEnvironment, fmt::format("pid {} is not the sandbox's here", pid));
  }
  const auto own = SocketsOf(folder);
  if (!own) return std::unexpected(own.error());
  bool seen = false;
  std::vector<std::string> peers;
  for (const uint32_t inode : *own) {
    const auto found = all.find(inode);
    if (found == all.end()) continue;
    seen = true;
    const auto peer = all.find(found->second.peer);
    if (!found->second.seqpacket || peer == all.end() || peer->second.name.empty()) continue;
    peers.push_back(AsConfigured(peer->second.name));
  }
  // Every Sentry has some connected socket; where none is listed they are in another namespace.
  if (!seen) return Fail(Fault::kEnvironment, "the sandbox's sockets are not visible here");
  std::ranges::sort(peers);
  return peers;
}

}  // namespace gyrfalcon
