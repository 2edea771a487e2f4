// The address of a Unix socket, from its path.
#pragma once

#include <cstring>
#include <string>

#include <sys/socket.h>
#include <sys/un.h>

#include "base/result.h"

namespace gyrfalcon {

// Fails where the path does not fit.
inline Result<sockaddr_un> UnixAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Fail(Fault::kEnvironment, path + ": too long for a socket's path (107 bytes)");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// As the system calls want it.
inline const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace gyrfalcon
