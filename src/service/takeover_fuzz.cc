// What is read of a takeover's message, written again, is byte for byte what was read. The first
// byte of the input is the number of descriptors, and the header is mended so that the body is
// reached.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "service/takeover_message.h"

namespace gyrfalcon {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckMessage(std::string_view bytes, size_t descriptors) {
  const auto message = DecodeTakeover(bytes, descriptors);
  if (!message) {
    Require(!message.error().message.empty());
    return;
  }
  Require(EncodeTakeover(*message) == bytes);
}

void PutNumber(std::string& out, size_t at, uint32_t number) {
  for (size_t i = 0; i < 4; ++i) out[at + i] = static_cast<char>(number >> (8 * i) & 0xff);
}

// Its magic, version, length and checksum made good.
std::string Mended(std::string_view bytes) {
  constexpr size_t kHeaderBytes = 16;
  std::string message(bytes);
  if (message.size() < kHeaderBytes) message.resize(kHeaderBytes);
  const std::string good = EncodeTakeover(TakeoverEnd{});
  message.replace(0, 6, good, 0, 6);
  const std::string_view body = std::string_view(message).substr(kHeaderBytes);
  uint32_t sum = 2166136261u;
  for (const char byte : body) sum = (sum ^ static_cast<uint8_t>(byte)) * 16777619u;
  PutNumber(message, 8, static_cast<uint32_t>(body.size()));
  PutNumber(message, 12, sum);
  return message;
}

void Check(std::string_view input) {
  if (input.empty()) return;
  const size_t descriptors = static_cast<uint8_t>(input[0]);
  const std::string_view bytes = input.substr(1);
  CheckMessage(bytes, descriptors);
  CheckMessage(Mended(bytes), descriptors);
  const auto peer = DecodePeer(bytes);
  if (peer) Require(EncodePeer(*peer) == bytes);
}

}  // namespace
}  // namespace gyrfalcon

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  gyrfalcon::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
