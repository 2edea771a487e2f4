#include "points/render.h"

#include "points/wire_field.h"

namespace gyrfalcon {
namespace {

void Visit(std::string_view bytes, const MessageSpec& spec, FieldVisitor& visitor) {
  protozero::pbf_reader reader(bytes.data(), bytes.size());
  while (reader.next()) {
    const FieldSpec* field = spec.Find(reader.tag());
    if (field == nullptr) {
      visitor.OnUnknown(reader.tag());
      reader.skip();
      continue;
    }
    ExpectWireType(reader, *field);
    if (field->kind <= WireKind::kBool) {
      visitor.OnNumber(*field, ReadNumber(reader, field->kind));
    } else if (field->nested != nullptr) {
      visitor.OnMessageBegin(*field);
      Visit(AsText(reader.get_view()), *field->nested, visitor);  // specs nest three deep
      visitor.OnMessageEnd();
    } else {
      visitor.OnText(*field, AsText(reader.get_view()));
    }
  }
}

}  // namespace

std::expected<void, DecodeError> VisitFields(uint16_t type, std::span<const std::byte> payload,
                                             FieldVisitor& visitor) {
  const MessageSpec* spec = FindMessage(type);
  if (spec == nullptr) return std::unexpected(DecodeError::kUnknownType);
  return CatchDecodeErrors([&] {
    Visit({reinterpret_cast<const char*>(payload.data()), payload.size()}, *spec, visitor);
  });
}

}  // namespace gyrfalcon
