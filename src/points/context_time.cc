#include "points/context_time.h"

#include "points/event.h"
#include "points/wire_reader.h"

namespace gyrfalcon {
namespace {

std::optional<ByteRange> FindTime(std::string_view context, const char* payload) {
  WireReader reader(context);
  while (reader.Next()) {
    if (reader.number() != static_cast<uint32_t>(ContextField::kTime)) {
      reader.Skip();
      continue;
    }
    const char* begin = reader.rest().data();
    reader.Number();
    if (!reader.result()) break;
    return ByteRange{static_cast<size_t>(begin - payload),
                     static_cast<size_t>(reader.rest().data() - begin)};
  }
  return std::nullopt;
}

}  // namespace

std::optional<ByteRange> FindContextTime(uint16_t type,
                                         std::span<const std::byte> payload) noexcept {
  const MessageSpec* spec = FindMessage(type);
  if (spec == nullptr) return std::nullopt;
  const char* begin = reinterpret_cast<const char*>(payload.data());
  WireReader reader({begin, payload.size()});
  while (reader.Next()) {
    const FieldSpec* field = spec->Find(reader.number());
    if (field == nullptr || field->kind != WireKind::kContext) {
      reader.Skip();
    } else if (auto found = FindTime(reader.Bytes(), begin)) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace gyrfalcon
