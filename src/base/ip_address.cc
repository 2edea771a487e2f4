#include "base/ip_address.h"

#include <algorithm>
#include <cstring>

#include <arpa/inet.h>

namespace gyrfalcon {

std::optional<IpAddress> IpAddress::FromBytes(std::span<const std::byte> raw) {
  if (raw.size() != 4 && raw.size() != 16) return std::nullopt;
  IpAddress address;
  address.is_v6 = raw.size() == 16;
  std::memcpy(address.bytes.data(), raw.data(), raw.size());
  return address;
}

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  char buffer[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof buffer) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  IpAddress address;
  address.is_v6 = text.find(':') != std::string_view::npos;
  if (inet_pton(address.is_v6 ? AF_INET6 : AF_INET, buffer, address.bytes.data()) != 1) {
    return std::nullopt;
  }
  return address;
}

void IpAddress::AppendTo(std::string& out) const {
  char buffer[INET6_ADDRSTRLEN];
  if (inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes.data(), buffer, sizeof buffer) != nullptr) {
    out += buffer;
  }
}

bool IpAddress::IsUnspecified() const {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

bool IpNetwork::Contains(const IpAddress& candidate) const {
  if (candidate.is_v6 != address.is_v6) return false;
  const size_t whole_bytes = prefix_bits / 8;
  const unsigned rest_bits = prefix_bits % 8;
  if (!std::equal(address.bytes.begin(),
                  address.bytes.begin() + static_cast<std::ptrdiff_t>(whole_bytes),
                  candidate.bytes.begin())) {
    return false;
  }
  if (rest_bits == 0) return true;
  const unsigned mask = 0xffu << (8 - rest_bits);
  return ((address.bytes[whole_bytes] ^ candidate.bytes[whole_bytes]) & mask) == 0;
}

}  // namespace gyrfalcon
