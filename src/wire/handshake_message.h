// The first message each way: gVisor's protobuf Handshake {uint32 version = 1}.
//
// The client's comes from anybody who may connect, and is distrusted. Any version from 1 up is
// fine: the answer says which one is spoken (1), and later clients speak that. Unknown fields are
// skipped, as protobuf asks. Thread-compatible, allocates nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

namespace gyrfalcon {

inline constexpr uint32_t kWireVersion = 1;
inline constexpr size_t kHandshakeBytesMax = 10'240;  // gVisor's own limit

enum class HandshakeFault : uint8_t {
  kTooLong,     // more than kHandshakeBytesMax
  kMalformed,   // not a protobuf message
  kVersionZero  // no version, or version 0
};

// The client's version, at least 1.
std::expected<uint32_t, HandshakeFault> ParseHandshake(std::span<const std::byte> message) noexcept;

// What a listener answers, and what a client of this project sends: version kWireVersion.
std::array<std::byte, 2> EncodeHandshake() noexcept;

}  // namespace gyrfalcon
