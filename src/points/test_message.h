// Makes payloads for tests, field by field, right or wrong.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <protozero/pbf_writer.hpp>

#include "points/event.h"
#include "points/schema.h"

namespace gyrfalcon::testing {

inline std::span<const std::byte> AsBytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// A nested or whole message: Message().Number(1, 5).Text(2, "x").bytes()
class Message {
 public:
  Message& Number(uint32_t field, int64_t value) {
    protozero::pbf_writer(bytes_).add_int64(field, value);
    return *this;
  }
  Message& Text(uint32_t field, std::string_view text) {
    protozero::pbf_writer(bytes_).add_bytes(field, text.data(), text.size());
    return *this;
  }
  Message& Nested(uint32_t field, const Message& nested) { return Text(field, nested.bytes()); }
  Message& Fixed32(uint32_t field, uint32_t value) {
    protozero::pbf_writer(bytes_).add_fixed32(field, value);
    return *this;
  }
  Message& Raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// A message as a sandbox sends it: behind its header, which names its type and counts what the
// sandbox has dropped.
inline std::string Datagram(uint16_t type, const Message& message, uint32_t dropped = 0) {
  std::string out{8, 0, static_cast<char>(type & 0xff), static_cast<char>(type >> 8)};
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(dropped >> shift & 0xff);
  return out + message.bytes();
}

inline std::string Datagram(MessageType type, const Message& message, uint32_t dropped = 0) {
  return Datagram(static_cast<uint16_t>(type), message, dropped);
}

}  // namespace gyrfalcon::testing
