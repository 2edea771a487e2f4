#include "store/alert_codec.h"

#include <bit>
#include <cstring>

namespace gyrfalcon {
namespace {

// A byte of version, then the members in order: numbers as varints, times and reals as eight bytes,
// texts and lists behind their length.
constexpr uint8_t kVersion = 1;

enum class FieldKind : uint8_t { kNone, kFalse, kTrue, kInt, kUint, kDouble, kText };

class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  void Byte(uint8_t value) { out_ += static_cast<char>(value); }
  void Number(uint64_t value) {
    while (value >= 0x80) {
      Byte(static_cast<uint8_t>(value) | 0x80);
      value >>= 7;
    }
    Byte(static_cast<uint8_t>(value));
  }
  void Eight(uint64_t value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    out_.append(bytes, sizeof bytes);
  }
  void Text(std::string_view text) {
    Number(text.size());
    out_ += text;
  }

  void operator()(std::monostate) { Kind(FieldKind::kNone); }
  void operator()(bool value) { Kind(value ? FieldKind::kTrue : FieldKind::kFalse); }
  void operator()(int64_t value) {
    Kind(FieldKind::kInt);
    Eight(std::bit_cast<uint64_t>(value));
  }
  void operator()(uint64_t value) {
    Kind(FieldKind::kUint);
    Number(value);
  }
  void operator()(double value) {
    Kind(FieldKind::kDouble);
    Eight(std::bit_cast<uint64_t>(value));
  }
  void operator()(const std::string& value) {
    Kind(FieldKind::kText);
    Text(value);
  }

 private:
  void Kind(FieldKind kind) { Byte(static_cast<uint8_t>(kind)); }
  std::string& out_;
};

// After the first thing that is wrong, everything is: `ok` tells at the end.
class Decoder {
 public:
  explicit Decoder(std::string_view rest) : rest_(rest) {}

  uint8_t Byte() {
    if (rest_.empty()) return Bad();
    const auto value = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  uint64_t Number() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = Byte();
      if (shift == 63 && byte > 1) return Bad();
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    return Bad();
  }
  uint64_t Eight() {
    uint64_t value = 0;
    if (rest_.size() < sizeof value) return Bad();
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::string Text() {
    const uint64_t size = Number();
    if (size > rest_.size()) return std::string(Bad(), ' ');
    std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return text;
  }
  // Each item has at least one byte.
  size_t Count() {
    const uint64_t count = Number();
    return count > rest_.size() ? Bad() : static_cast<size_t>(count);
  }
  AlertField Field() {
    AlertField field{Text(), {}};
    switch (static_cast<FieldKind>(Byte())) {
      case FieldKind::kNone:
        break;
      case FieldKind::kFalse:
        field.value = false;
        break;
      case FieldKind::kTrue:
        field.value = true;
        break;
      case FieldKind::kInt:
        field.value = std::bit_cast<int64_t>(Eight());
        break;
      case FieldKind::kUint:
        field.value = Number();
        break;
      case FieldKind::kDouble:
        field.value = std::bit_cast<double>(Eight());
        break;
      case FieldKind::kText:
        field.value = Text();
        break;
      default:
        Bad();
    }
    return field;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

 private:
  uint8_t Bad() {
    ok_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

void EncodeAlert(const Alert& alert, std::string& out) {
  out.clear();
  Encoder encoder(out);
  encoder.Byte(kVersion);
  encoder.Byte(static_cast<uint8_t>(alert.priority));
  encoder.Eight(std::bit_cast<uint64_t>(alert.time_ns));
  encoder.Text(alert.rule);
  encoder.Text(alert.source);
  encoder.Text(alert.sandbox);
  encoder.Text(alert.message);
  encoder.Number(alert.tags.size());
  for (const std::string& tag : alert.tags) encoder.Text(tag);
  encoder.Number(alert.fields.size());
  for (const AlertField& field : alert.fields) {
    encoder.Text(field.name);
    std::visit(encoder, field.value);
  }
}

Result<Alert> DecodeAlert(std::string_view bytes) {
  Decoder decoder(bytes);
  if (decoder.Byte() != kVersion) return Fail(Fault::kInput, "an alert of an unknown form");
  const uint8_t priority = decoder.Byte();
  Alert alert{.rule = {},
              .priority = static_cast<Priority>(priority),
              .source = {},
              .tags = {},
              .time_ns = std::bit_cast<int64_t>(decoder.Eight()),
              .message = {},
              .fields = {}};
  alert.rule = decoder.Text();
  alert.source = decoder.Text();
  alert.sandbox = decoder.Text();
  alert.message = decoder.Text();
  for (size_t left = decoder.Count(); left > 0 && decoder.ok(); --left) {
    alert.tags.push_back(decoder.Text());
  }
  for (size_t left = decoder.Count(); left > 0 && decoder.ok(); --left) {
    alert.fields.push_back(decoder.Field());
  }
  if (!decoder.ok() || !decoder.at_end() || priority > static_cast<uint8_t>(Priority::kDebug)) {
    return Fail(Fault::kInput, "a damaged alert");
  }
  return alert;
}

}  // namespace gyrfalcon
