// Asks the kernel and /proc about the process at the other end of a Unix socket.
#pragma once

#include <optional>
#include <string>

#include <sys/types.h>

#include "wire/connection.h"

namespace gyrfalcon {

inline constexpr size_t kCommandLineBytesMax = 64 * 1024;

// pid, uid and gid as they were when the peer connected; nullopt when `fd` is no connected Unix
// socket.
std::optional<Peer> PeerCredentials(int fd);

// See Peer::command_line. The process may be gone, and its pid another's by now: best effort.
std::string ReadCommandLine(pid_t pid);

}  // namespace gyrfalcon
