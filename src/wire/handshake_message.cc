#include "wire/handshake_message.h"

#include <optional>

namespace gyrfalcon {

namespace {

constexpr uint64_t kVersionField = 1;
static_assert(kWireVersion < 0x80, "EncodeHandshake writes the version as a varint of one byte");

enum WireType : uint64_t { kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5 };

// Consumes what it reads from the front of a message.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> rest) noexcept : rest_(rest) {}

  bool empty() const noexcept { return rest_.empty(); }

  std::optional<uint64_t> Varint() noexcept {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = std::to_integer<uint64_t>(rest_.front());
      rest_ = rest_.subspan(1);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }

  bool Skip(uint64_t bytes) noexcept {
    if (bytes > rest_.size()) return false;
    rest_ = rest_.subspan(static_cast<size_t>(bytes));
    return true;
  }

 private:
  std::span<const std::byte> rest_;
};

// Groups (wire types 3 and 4) are refused: proto3 has none.
bool SkipValue(Cursor& cursor, uint64_t wire_type) noexcept {
  switch (wire_type) {
    case kVarint:
      return cursor.Varint().has_value();
    case kFixed64:
      return cursor.Skip(8);
    case kFixed32:
      return cursor.Skip(4);
    case kLengthDelimited: {
      const auto length = cursor.Varint();
      return length && cursor.Skip(*length);
    }
    default:
      return false;
  }
}

}  // namespace

std::expected<uint32_t, HandshakeFault> ParseHandshake(
    std::span<const std::byte> message) noexcept {
  if (message.size() > kHandshakeBytesMax) return std::unexpected(HandshakeFault::kTooLong);
  Cursor cursor(message);
  uint32_t version = 0;
  while (!cursor.empty()) {
    const auto tag = cursor.Varint();
    if (!tag || (*tag >> 3) == 0) return std::unexpected(HandshakeFault::kMalformed);
    const uint64_t wire_type = *tag & 7;
    if ((*tag >> 3) == kVersionField && wire_type == kVarint) {
      const auto value = cursor.Varint();
      if (!value) return std::unexpected(HandshakeFault::kMalformed);
      version = static_cast<uint32_t>(*value);  // protobuf cuts a uint32 to its low 32 bits
    } else if (!SkipValue(cursor, wire_type)) {
      return std::unexpected(HandshakeFault::kMalformed);
    }
  }
  if (version == 0) return std::unexpected(HandshakeFault::kVersionZero);
  return version;
}

std::array<std::byte, 2> EncodeHandshake() noexcept {
  return {std::byte{kVersionField << 3 | kVarint}, std::byte{kWireVersion}};
}

}  // namespace gyrfalcon
