// The two clocks, in nanoseconds: of the day, which anybody may set, and a steady one.
#pragma once

#include <chrono>
#include <cstdint>

namespace gyrfalcon {

// Since the epoch.
inline int64_t RealTimeNs() noexcept {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

inline int64_t SteadyNs() noexcept {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace gyrfalcon
