// The first byte is the message type, the rest its payload. Whatever comes: no crash, decode and
// render agree on whether it is well-formed, and every view lies inside the payload.
#include <cstdlib>

#include "points/event.h"
#include "points/render.h"

namespace {

class Ignore final : public gyrfalcon::FieldVisitor {
 public:
  void OnNumber(const gyrfalcon::FieldSpec&, int64_t) override {}
  void OnText(const gyrfalcon::FieldSpec&, std::string_view) override {}
  void OnMessageBegin(const gyrfalcon::FieldSpec&) override {}
  void OnMessageEnd() override {}
  void OnUnknown(uint32_t) override {}
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  if (size == 0) return 0;
  const std::span<const std::byte> payload(reinterpret_cast<const std::byte*>(data + 1), size - 1);
  const auto* first = reinterpret_cast<const char*>(payload.data());
  static Event event;
  const auto decoded = Decode(data[0], payload, event);
  Ignore ignore;
  const auto visited = VisitFields(data[0], payload, ignore);
  const bool limit_hit = !decoded && decoded.error() == DecodeError::kTooLong;
  if (!limit_hit && decoded.has_value() != visited.has_value()) std::abort();
  if (!decoded) return 0;
  const auto check = [&](std::string_view view) {
    if (!view.empty() &&
        (view.data() < first || view.data() + view.size() > first + payload.size())) {
      std::abort();
    }
  };
  for (const FieldSpec& field : FindMessage(data[0])->fields) {
    if (field.slot == Slot::kNone || !event.has(field.slot)) continue;
    if (field.kind == WireKind::kTexts) event.list(field.slot).ForEach(check);
    if (field.kind == WireKind::kText) check(event.text(field.slot));
    if (field.slot == Slot::kStdin) DecodeFdInfo(event.text(field.slot));
    if (field.slot == Slot::kBinaryCtime) DecodeTimespecNs(event.text(field.slot));
  }
  check(event.context().container_id);
  return 0;
}
