// Raw sockaddr bytes, as connect, bind, accept and listen carry them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "state/fd_table.h"

namespace gyrfalcon {

struct SocketAddress {
  uint16_t family = 0;               // AF_*
  std::optional<Endpoint> endpoint;  // AF_INET, AF_INET6
  // AF_UNIX: the path up to its NUL; of an abstract name what follows its leading NUL, up to the
  // next one. Views the raw bytes.
  std::string_view unix_path;
  bool is_abstract = false;
};

// nullopt when too short to have a family. Bytes beyond what the family uses are ignored: gVisor
// sends up to 110 of a Unix address, with garbage behind the NUL.
std::optional<SocketAddress> ParseSockaddr(std::string_view raw);

}  // namespace gyrfalcon
