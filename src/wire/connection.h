// Who is at the other end of a connection.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>

#include <sys/types.h>

#include "base/unique_fd.h"

namespace gyrfalcon {

// Names one connection (one sandbox at a time) for the life of the process; never used again.
struct ConnectionId {
  uint64_t value = 0;
  auto operator<=>(const ConnectionId&) const = default;
};

// What the kernel and /proc say about the process that connected: runsc, not the sandbox it speaks
// for.
struct Peer {
  pid_t pid = 0;  // 0 when the peer lives in another PID namespace
  uid_t uid = 0;
  gid_t gid = 0;
  // Arguments joined by NUL as in /proc/PID/cmdline, cut at 64 KiB; empty when it can't be read
  // (pid 0, or the process is gone). The peer's own words: good for a hint, not for a decision.
  std::string command_line{};
  // Its program, see TrustedRunsc in wire/peer.h; "": none that we would run.
  std::string runsc{};
};

// A connection whose handshake is done; the next thing to read from `fd` (non-blocking) is a
// message.
struct AcceptedConnection {
  UniqueFd fd;
  ConnectionId id;
  std::shared_ptr<const Peer> peer;
};

}  // namespace gyrfalcon
