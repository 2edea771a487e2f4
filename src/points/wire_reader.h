// Reads protobuf's wire format where it lies, field by field. What is wrong ends the reading and is
// told at its end: nothing is thrown, so that a bad message costs no more than a good one.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <expected>
#include <string_view>

#include "points/event.h"

namespace gyrfalcon {

static_assert(std::endian::native == std::endian::little, "WireReader takes eight bytes at once");

// A varint as a field of this kind takes it; uint64 as its bits.
inline int64_t AsNumber(uint64_t bits, WireKind kind) {
  switch (kind) {
    case WireKind::kInt32:
      return static_cast<int32_t>(bits);
    case WireKind::kUint32:
      return static_cast<uint32_t>(bits);
    case WireKind::kBool:
      return bits != 0 ? 1 : 0;
    default:
      return static_cast<int64_t>(bits);
  }
}

// `while (reader.Next())` visits the fields; for each, one of Number, Bytes and Skip is called.
// Once anything was wrong, Next is false, and values are 0 or empty.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes)
      : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool Next() {
    if (at_ == end_) return false;
    const auto key = static_cast<uint32_t>(TakeVarint());
    number_ = key >> 3;
    type_ = key & 7;
    const bool is_valid = number_ - 1 < kReservedFirst - 1 || number_ > kReservedLast;
    if (!is_valid || (kTypes >> type_ & 1) == 0) Fail(DecodeError::kMalformed);
    return error_ == kNone;
  }

  // The next field where its tag is one that the message's table has; nullptr: Next tells.
  const FieldSpec* NextOf(const MessageSpec& spec) {
    if (at_ == end_) return nullptr;
    const auto tag = static_cast<unsigned char>(*at_);
    const FieldSpec* field = spec.FindByTag(tag);
    if (field == nullptr) return nullptr;
    ++at_;
    number_ = tag >> 3;
    type_ = tag & 7;
    return field;
  }

  uint32_t number() const { return number_; }
  // What is left, the field at hand without its tag.
  std::string_view rest() const { return {at_, left()}; }

  // kWrongWireType where the field is none.
  uint64_t Number() {
    if (type_ == kVarint) return TakeVarint();
    Fail(DecodeError::kWrongWireType);
    return 0;
  }
  // A text, bytes or a message. kWrongWireType where the field is none.
  std::string_view Bytes() {
    if (type_ == kBytes) return Take(TakeVarint());
    Fail(DecodeError::kWrongWireType);
    return {};
  }
  void Skip() {
    switch (type_) {
      case kVarint:
        TakeVarint();
        return;
      case kBytes:
        Take(TakeVarint());
        return;
      default:
        Take(type_ == kFixed64 ? 8 : 4);
    }
  }

  // The first error counts.
  void Fail(DecodeError error) {
    if (error_ == kNone) error_ = error;
    at_ = end_;
  }
  // What came of reading a nested message.
  void Check(const std::expected<void, DecodeError>& nested) {
    if (!nested) Fail(nested.error());
  }
  std::expected<void, DecodeError> result() const {
    if (error_ != kNone) return std::unexpected(error_);
    return {};
  }

 private:
  enum Type : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  static constexpr uint32_t kTypes = 1u << kVarint | 1u << kFixed64 | 1u << kBytes | 1u << kFixed32;
  static constexpr uint32_t kReservedFirst = 19'000;
  static constexpr uint32_t kReservedLast = 19'999;

  // `size` 0: there is none.
  struct Varint {
    uint64_t value = 0;
    size_t size = 0;
  };

  size_t left() const { return static_cast<size_t>(end_ - at_); }

  std::string_view Take(uint64_t size) {
    if (size > left()) {
      Fail(DecodeError::kMalformed);
      return {};
    }
    const std::string_view taken(at_, static_cast<size_t>(size));
    at_ += size;
    return taken;
  }

  uint64_t TakeVarint() {
    if (at_ != end_ && static_cast<signed char>(*at_) >= 0) return static_cast<uint64_t>(*at_++);
    const Varint varint = left() >= kVarintSizeMax ? ReadLong(at_) : ReadToEnd({at_, left()});
    if (varint.size == 0) {
      Fail(DecodeError::kMalformed);
      return 0;
    }
    at_ += varint.size;
    return varint.value;
  }

  // Joins the eight groups of seven bits.
  static uint64_t Join(uint64_t groups) {
    groups &= 0x7f7f7f7f7f7f7f7f;
    groups = (groups & 0x007f007f007f007f) | (groups & 0x7f007f007f007f00) >> 1;
    groups = (groups & 0x00003fff00003fff) | (groups & 0x3fff00003fff0000) >> 2;
    return (groups & 0x000000000fffffff) | (groups & 0x0fffffff00000000) >> 4;
  }

  // With room for the longest. gVisor's times have nine bytes.
  static Varint ReadLong(const char* at) {
    uint64_t groups = 0;
    std::memcpy(&groups, at, sizeof(groups));
    const uint64_t ends = ~groups & 0x8080808080808080;
    if (ends != 0) {
      const uint64_t until_first_end = ends ^ (ends - 1);
      return {Join(groups & until_first_end), static_cast<size_t>(std::countr_zero(ends)) / 8 + 1};
    }
    const auto ninth = static_cast<unsigned char>(at[8]);
    const auto tenth = static_cast<unsigned char>(at[9]);
    const uint64_t value = Join(groups) | uint64_t{ninth & 0x7fu} << 56;
    if (ninth < 0x80) return {value, 9};
    if (tenth < 0x80) return {value | uint64_t{tenth & 1u} << 63, kVarintSizeMax};
    return {};
  }

  static Varint ReadToEnd(std::string_view bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size(); ++i) {
      const auto byte = static_cast<unsigned char>(bytes[i]);
      value |= uint64_t{byte & 0x7fu} << (7 * i);
      if (byte < 0x80) return {value, i + 1};
    }
    return {};
  }

  static constexpr size_t kVarintSizeMax = 10;
  static constexpr DecodeError kNone = DecodeError::kCount;

  const char* at_;
  const char* end_;
  uint32_t number_ = 0;
  uint32_t type_ = 0;
  DecodeError error_ = kNone;
};

}  // namespace gyrfalcon
