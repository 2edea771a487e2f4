#include "wire/message_header.h"

#include <array>

namespace gyrfalcon {

namespace {

constexpr std::array<std::string_view, static_cast<size_t>(FramingError::kCount)> kTexts = {
    "shorter than the 8 bytes of a header",
    "declares a header of less than 8 bytes",
    "declares a header that ends beyond the message",
};

template <class Int>
Int ReadLittleEndian(std::span<const std::byte> bytes, size_t offset) noexcept {
  Int value = 0;
  for (size_t i = sizeof(Int); i-- > 0;) {
    value = static_cast<Int>((value << 8) | std::to_integer<Int>(bytes[offset + i]));
  }
  return value;
}

}  // namespace

std::string_view FramingErrorText(FramingError error) noexcept {
  const auto index = static_cast<size_t>(error);
  return index < kTexts.size() ? kTexts[index] : "unknown framing error";
}

std::expected<MessageView, FramingError> ReadMessage(std::span<const std::byte> datagram) noexcept {
  if (datagram.size() < kHeaderBytes) return std::unexpected(FramingError::kTooShort);
  const auto header_size = ReadLittleEndian<uint16_t>(datagram, 0);
  if (header_size < kHeaderBytes) return std::unexpected(FramingError::kHeaderSizeTooSmall);
  if (header_size > datagram.size()) return std::unexpected(FramingError::kHeaderSizeBeyondMessage);
  return MessageView{.type = ReadLittleEndian<uint16_t>(datagram, 2),
                     .dropped_count = ReadLittleEndian<uint32_t>(datagram, 4),
                     .payload = datagram.subspan(header_size)};
}

}  // namespace gyrfalcon
