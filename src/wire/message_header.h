// Splits one datagram of a sandbox into its header and payload.
//
// gVisor writes each message with a little-endian header of 8 bytes: u16 header size, u16 message
// type, u32 count of messages dropped so far (wraps at 2^32). A later gVisor may make the header
// longer; the payload begins where the header says that it ends. Which types exist is not this
// folder's business.
//
// Distrusts everything: the sender may be a compromised Sentry. Thread-compatible, allocates
// nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

namespace gyrfalcon {

inline constexpr size_t kHeaderBytes = 8;

// `payload` views into the datagram that was read, and dies with it.
struct MessageView {
  uint16_t type;
  uint32_t dropped_count;
  std::span<const std::byte> payload;
};

enum class FramingError : uint8_t {
  kTooShort,
  kHeaderSizeTooSmall,
  kHeaderSizeBeyondMessage,
  kCount,
};

// One phrase for a person, e.g. "shorter than the 8 bytes of a header".
std::string_view FramingErrorText(FramingError error) noexcept;

std::expected<MessageView, FramingError> ReadMessage(std::span<const std::byte> datagram) noexcept;

}  // namespace gyrfalcon
