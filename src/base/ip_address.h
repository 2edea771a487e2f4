// IPv4 and IPv6 addresses and networks as values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gyrfalcon {

struct IpAddress {
  std::array<uint8_t, 16> bytes{};  // network byte order; an IPv4 address fills the first four
  bool is_v6 = false;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;

  // From 4 or 16 raw bytes in network order; nullopt for any other length.
  static std::optional<IpAddress> FromBytes(std::span<const std::byte> raw);
  static std::optional<IpAddress> Parse(std::string_view text);
  void AppendTo(std::string& out) const;
  bool IsUnspecified() const;  // 0.0.0.0 or ::
};

// An address with a prefix length: "10.0.0.0/8".
struct IpNetwork {
  IpAddress address;
  uint8_t prefix_bits = 0;

  bool Contains(const IpAddress& candidate) const;
};

}  // namespace gyrfalcon
