// A message's fields one by one, in the order in which they lie on the wire, for `dump`.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string_view>

#include "points/event.h"
#include "points/schema.h"

namespace gyrfalcon {

// Told each field of a message. Views die with the payload.
class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;
  virtual void OnNumber(const FieldSpec& field, int64_t value) = 0;  // uint64 as its bits
  virtual void OnText(const FieldSpec& field,
                      std::string_view text) = 0;  // kText, kBytes, one of kTexts
  virtual void OnMessageBegin(const FieldSpec& field) = 0;
  virtual void OnMessageEnd() = 0;
  virtual void OnUnknown(uint32_t field_number) = 0;  // newer gVisor
};

// Fields before a defect are told; the error is Decode's.
std::expected<void, DecodeError> VisitFields(uint16_t type, std::span<const std::byte> payload,
                                             FieldVisitor& visitor);

}  // namespace gyrfalcon
