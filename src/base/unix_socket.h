// Unix sockets by their paths.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/result.h"

namespace gyrfalcon {

// Fails where the path does not fit.
Result<sockaddr_un> UnixAddress(const std::string& path);

// As the system calls want it.
inline const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// These ask who listens there, on a socket of that type (SOCK_STREAM, ...). They connect and go: a
// client that has said nothing.
//
// 0: somebody does; else connect()'s errno.
int TryToConnect(const std::string& path, int type);
bool IsListenedAt(const std::string& path, int type);
// The process that began to; 0: none has, its queue is full, or it is of another PID namespace.
pid_t ListenerPid(const std::string& path, int type);

// Who is at the other end, as it was when it connected or began to listen; nullopt where the socket
// is none of a connection's.
std::optional<ucred> PeerOf(int socket);

// Binds, with mode 0600, and listens; replaces what a process that has ended left at `path`. The
// result is the file's inode, by which its owner knows at the end whether it still is its own.
// Fault::kEnvironment, and nothing is replaced, where somebody listens there: two daemons whose
// sockets lie in one folder.
Result<uint64_t> ListenAlone(int socket, int type, const std::string& path, int backlog);

}  // namespace gyrfalcon
