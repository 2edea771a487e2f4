// Where in a payload the time stands that the sandbox gave it: for programs that send a recorded
// message anew.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace gyrfalcon {

struct ByteRange {
  size_t offset = 0;  // from the payload's beginning
  size_t size = 0;
};

// The varint of ContextData.time_ns in the payload of a message of that type; nullopt where there
// is none, or the payload can't be read that far. Distrusts the payload.
std::optional<ByteRange> FindContextTime(uint16_t type,
                                         std::span<const std::byte> payload) noexcept;

}  // namespace gyrfalcon
