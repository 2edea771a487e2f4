// The place of an alert in the spool, in order: which start of the daemon, then which alert of it.
#pragma once

#include <cstdint>

namespace gyrfalcon {

inline constexpr int kSequenceBits = 40;

// Boots are numbered from 1, in the order of their starts; sequence 0 is before the first alert.
constexpr int64_t MakePosition(int64_t boot, uint64_t sequence) {
  return boot << kSequenceBits | static_cast<int64_t>(sequence);
}
constexpr int64_t BootOf(int64_t position) {
  return position >> kSequenceBits;
}
constexpr uint64_t SequenceOf(int64_t position) {
  return static_cast<uint64_t>(position) & ((uint64_t{1} << kSequenceBits) - 1);
}

}  // namespace gyrfalcon
