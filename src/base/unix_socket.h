// Unix sockets by their paths.
#pragma once

#include <cstdint>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>

#include "base/result.h"

namespace gyrfalcon {

// Fails where the path does not fit.
Result<sockaddr_un> UnixAddress(const std::string& path);

// As the system calls want it.
inline const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// Whether somebody listens there, on a socket of that type (SOCK_STREAM, ...). It connects and
// goes: a client that has said nothing.
bool IsListenedAt(const std::string& path, int type);

// Binds, with mode 0600, and listens; replaces what a process that has ended left at `path`. The
// result is the file's inode, by which its owner knows at the end whether it still is its own.
// Fault::kEnvironment, and nothing is replaced, where somebody listens there: two daemons whose
// sockets lie in one folder.
Result<uint64_t> ListenAlone(int socket, int type, const std::string& path, int backlog);

}  // namespace gyrfalcon
