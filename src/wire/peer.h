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

// The path of the runsc that the process runs, for asking the same version about its sandbox; ""
// where we should not run it: its name has no "runsc", the path leads to another file here (another
// mount namespace, replaced, deleted), or somebody else than root may change the file or a folder
// on the way to it.
std::string TrustedRunsc(pid_t pid);

// The second half of that: the absolute `path` is a file that root alone can change, folders
// included.
bool IsRootsAlone(const std::string& path);

}  // namespace gyrfalcon
