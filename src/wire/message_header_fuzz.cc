// A read message lies within the datagram, and re-framing it gives the same message; a handshake
// that is accepted has a version of at least 1.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "wire/handshake_message.h"
#include "wire/message_header.h"

namespace gyrfalcon {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckMessage(std::span<const std::byte> datagram) {
  const auto message = ReadMessage(datagram);
  if (!message) {
    Require(!FramingErrorText(message.error()).empty());
    return;
  }
  Require(message->payload.data() + message->payload.size() == datagram.data() + datagram.size());
  const size_t header_size = datagram.size() - message->payload.size();
  Require(header_size >= kHeaderBytes);
  Require(header_size ==
          (std::to_integer<size_t>(datagram[0]) | std::to_integer<size_t>(datagram[1]) << 8));
  Require(message->type ==
          (std::to_integer<unsigned>(datagram[2]) | std::to_integer<unsigned>(datagram[3]) << 8));
}

void CheckHandshake(std::span<const std::byte> message) {
  const auto version = ParseHandshake(message);
  if (!version) return;
  Require(*version >= 1);
  Require(message.size() <= kHandshakeBytesMax);
}

}  // namespace
}  // namespace gyrfalcon

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  gyrfalcon::CheckMessage(bytes);
  gyrfalcon::CheckHandshake(bytes);
  return 0;
}
