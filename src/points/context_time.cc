#include "points/context_time.h"

#include "points/event.h"
#include "points/wire_field.h"

namespace gyrfalcon {
namespace {

std::optional<ByteRange> FindTime(std::string_view context, const char* payload) {
  protozero::pbf_reader reader(context.data(), context.size());
  while (reader.next()) {
    if (reader.tag() != static_cast<uint32_t>(ContextField::kTime)) {
      reader.skip();
      continue;
    }
    Expect(reader, protozero::pbf_wire_type::varint);
    const char* begin = reader.data().data();
    reader.skip();
    return ByteRange{static_cast<size_t>(begin - payload),
                     static_cast<size_t>(reader.data().data() - begin)};
  }
  return std::nullopt;
}

}  // namespace

std::optional<ByteRange> FindContextTime(uint16_t type,
                                         std::span<const std::byte> payload) noexcept {
  const MessageSpec* spec = FindMessage(type);
  if (spec == nullptr || payload.empty()) return std::nullopt;
  const char* begin = reinterpret_cast<const char*>(payload.data());
  std::optional<ByteRange> found;
  const auto walked = CatchDecodeErrors([&] {
    protozero::pbf_reader reader(begin, payload.size());
    while (!found && reader.next()) {
      const FieldSpec* field = spec->Find(reader.tag());
      if (field == nullptr || field->kind != WireKind::kContext) {
        reader.skip();
        continue;
      }
      ExpectWireType(reader, *field);
      found = FindTime(AsText(reader.get_view()), begin);
    }
  });
  return walked ? found : std::nullopt;
}

}  // namespace gyrfalcon
