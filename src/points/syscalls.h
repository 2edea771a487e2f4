// Names of system calls by number, for raw points and for the catalogue of points.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace gyrfalcon {

// Not on the wire: the host's own, or what `--arch` says of a capture.
enum class Arch : uint8_t { kX86_64, kAarch64 };

#if defined(__aarch64__)
inline constexpr Arch kHostArch = Arch::kAarch64;
#else
inline constexpr Arch kHostArch = Arch::kX86_64;
#endif

// Empty for a number that the architecture does not have.
std::string_view SyscallName(Arch arch, uint64_t number);

}  // namespace gyrfalcon
