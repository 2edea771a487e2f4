#include "points/render.h"

#include "points/wire_reader.h"

namespace gyrfalcon {
namespace {

std::expected<void, DecodeError> Visit(std::string_view bytes, const MessageSpec& spec,
                                       FieldVisitor& visitor);

// A field of which the spec is known.
void VisitField(WireReader& reader, const FieldSpec& field, FieldVisitor& visitor) {
  if (field.kind <= WireKind::kBool) {
    const uint64_t bits = reader.Number();
    if (reader.result()) visitor.OnNumber(field, AsNumber(bits, field.kind));
    return;
  }
  const std::string_view bytes = reader.Bytes();
  if (!reader.result()) return;
  if (field.nested == nullptr) {
    visitor.OnText(field, bytes);
    return;
  }
  visitor.OnMessageBegin(field);
  const auto nested = Visit(bytes, *field.nested, visitor);  // specs nest three deep
  if (nested) visitor.OnMessageEnd();
  reader.Check(nested);
}

std::expected<void, DecodeError> Visit(std::string_view bytes, const MessageSpec& spec,
                                       FieldVisitor& visitor) {
  WireReader reader(bytes);
  while (reader.Next()) {
    if (const FieldSpec* field = spec.Find(reader.number())) {
      VisitField(reader, *field, visitor);
    } else {
      visitor.OnUnknown(reader.number());
      reader.Skip();
    }
  }
  return reader.result();
}

}  // namespace

std::expected<void, DecodeError> VisitFields(uint16_t type, std::span<const std::byte> payload,
                                             FieldVisitor& visitor) {
  const MessageSpec* spec = FindMessage(type);
  if (spec == nullptr) return std::unexpected(DecodeError::kUnknownType);
  return Visit({reinterpret_cast<const char*>(payload.data()), payload.size()}, *spec, visitor);
}

}  // namespace gyrfalcon
