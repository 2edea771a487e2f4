// What a field can be at one moment: a small value that views memory of somebody else.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/ip_address.h"

namespace gyrfalcon {

enum class ValueKind : uint8_t { kMissing, kBool, kInt, kUint, kDouble, kText, kIp, kList };

// Cheap to copy. Text, ip and items point into the happening, the sandbox's state or the Scratch
// that the extractor was given; all of them live until the next happening is taken up.
class Value {
 public:
  Value() = default;  // missing: the field has no value now
  static Value Bool(bool value) { return Value(ValueKind::kBool, static_cast<uint64_t>(value)); }
  static Value Int(int64_t value) { return Value(ValueKind::kInt, static_cast<uint64_t>(value)); }
  static Value Uint(uint64_t value) { return Value(ValueKind::kUint, value); }
  static Value Double(double value) {
    Value out(ValueKind::kDouble, 0);
    out.double_ = value;
    return out;
  }
  static Value Text(std::string_view text) {
    Value out(ValueKind::kText, text.size());
    out.text_ = text.data();
    return out;
  }
  static Value Ip(const IpAddress& address) {
    Value out(ValueKind::kIp, 0);
    out.ip_ = &address;
    return out;
  }
  // A list, or the two sides of a connection, or a line of ancestors: FieldDef::flags tell which.
  static Value List(std::span<const Value> items) {
    Value out(ValueKind::kList, items.size());
    out.items_ = items.data();
    return out;
  }

  ValueKind kind() const { return kind_; }
  bool missing() const { return kind_ == ValueKind::kMissing; }
  bool boolean() const { return bits_ != 0; }
  int64_t integer() const { return static_cast<int64_t>(bits_); }
  uint64_t unsigned_integer() const { return bits_; }
  double real() const { return double_; }
  std::string_view text() const { return {text_, static_cast<size_t>(bits_)}; }
  const IpAddress& ip() const { return *ip_; }
  std::span<const Value> items() const { return {items_, static_cast<size_t>(bits_)}; }

 private:
  Value(ValueKind kind, uint64_t bits) : bits_(bits), kind_(kind) {}

  union {
    const char* text_ = nullptr;
    const IpAddress* ip_;
    const Value* items_;
    double double_;
  };
  uint64_t bits_ = 0;  // the number itself, or the length of what the pointer views
  ValueKind kind_ = ValueKind::kMissing;
};

}  // namespace gyrfalcon
