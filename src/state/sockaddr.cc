#include "state/sockaddr.h"

#include <cstring>
#include <span>

#include <sys/socket.h>

namespace gyrfalcon {
namespace {

std::optional<Endpoint> ParseEndpoint(std::string_view raw, size_t address_offset,
                                      size_t address_size) {
  if (raw.size() < address_offset + address_size) return std::nullopt;
  Endpoint endpoint;
  const auto bytes = std::as_bytes(std::span(raw));
  endpoint.address = *IpAddress::FromBytes(bytes.subspan(address_offset, address_size));
  // sin_port and sin6_port stand at the same place, in network byte order.
  endpoint.port =
      static_cast<uint16_t>(static_cast<unsigned>(bytes[2]) << 8 | static_cast<unsigned>(bytes[3]));
  return endpoint;
}

}  // namespace

std::optional<SocketAddress> ParseSockaddr(std::string_view raw) {
  SocketAddress out;
  if (raw.size() < sizeof out.family) return std::nullopt;
  // The family is in the sandbox's byte order; both architectures are little-endian.
  out.family = static_cast<uint16_t>(static_cast<uint8_t>(raw[0]) |
                                     static_cast<unsigned>(static_cast<uint8_t>(raw[1])) << 8);
  if (out.family == AF_INET) {
    out.endpoint = ParseEndpoint(raw, 4, 4);
  } else if (out.family == AF_INET6) {
    out.endpoint = ParseEndpoint(raw, 8, 16);
  } else if (out.family == AF_UNIX) {
    std::string_view path = raw.substr(sizeof out.family);
    out.is_abstract = path.size() > 1 && path[0] == '\0' && path[1] != '\0';
    if (out.is_abstract) path.remove_prefix(1);
    out.unix_path = path.substr(0, path.find('\0'));
  }
  return out;
}

}  // namespace gyrfalcon
