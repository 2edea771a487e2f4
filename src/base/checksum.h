// A checksum of 64 bits against torn and flipped bytes; no protection from who wants to forge one.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace gyrfalcon {

// Eight bytes at a time. Every step is a bijection of the sum so far, so bytes that differ in one
// word only never have the same sum. The same on all machines of one byte order.
inline uint64_t Checksum(std::string_view bytes, uint64_t seed = 0) noexcept {
  constexpr uint64_t kMultiplier = 0x9e37'79b9'7f4a'7c15;
  const auto mix = [](uint64_t sum, uint64_t word) {
    return std::rotl(sum ^ (word * kMultiplier), 29) * 0xbf58'476d'1ce4'e5b9;
  };
  uint64_t sum = seed ^ (bytes.size() * kMultiplier);
  uint64_t word = 0;
  while (bytes.size() >= sizeof word) {
    std::memcpy(&word, bytes.data(), sizeof word);
    sum = mix(sum, word);
    bytes.remove_prefix(sizeof word);
  }
  word = 0;
  if (!bytes.empty()) std::memcpy(&word, bytes.data(), bytes.size());
  sum = mix(sum, word);
  sum ^= sum >> 32;
  return sum * kMultiplier;
}

}  // namespace gyrfalcon
