// System calls by name: their numbers on both architectures, the trace points that tell of them,
// and what gVisor makes of them. For what people write by name: policies, `policy check`.
//
// Whether gVisor implements a call was tried: each one made in a sandbox of Debian's runsc
// (0.0~20221219) and of the current one, and compared with gVisor's own table
// (pkg/sentry/syscalls/linux/linux64.go). tests/e2e/policy_test.sh tries them again.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "points/schema.h"
#include "points/syscalls.h"

namespace gyrfalcon {

// A call whose number is not below this has no point at all, not even a raw one: `runsc trace
// metadata` of both runscs ends at syscall/sysno/441.
inline constexpr uint64_t kRawPointsEnd = 442;

enum class SyscallSupport : uint8_t {
  kYes,
  kNewerOnly,    // Debian's runsc of December 2022 answers with an error, the current one does not
  kSwitchedOff,  // the current runsc has a flag for it that is off by default; the older one has it
  kNever,        // the call always fails: that it was tried is all that can be seen
};
// For people: why, one sentence part without a full stop; "" for kYes.
std::string_view Describe(SyscallSupport support);

struct SyscallInfo {
  std::string_view name;
  int16_t x86_64 = -1;  // its number; -1: the architecture has no such call
  int16_t aarch64 = -1;
  const PointDef* point = nullptr;  // schematised; nullptr: raw at most
  SyscallSupport support = SyscallSupport::kYes;
  bool hot = false;  // made more than a thousand times a second by ordinary programs
  std::string_view
      raw_hides;  // what its numbers do not tell: "the path", …; "": nothing that is known

  int16_t number(Arch arch) const { return arch == Arch::kX86_64 ? x86_64 : aarch64; }
};

// By name, of both architectures.
std::span<const SyscallInfo> SyscallCatalog();
// nullptr: there is no such system call.
const SyscallInfo* FindSyscall(std::string_view name);

// For a name that is no system call: the call that is meant. What the C library makes of its own
// functions and of older or other systems' calls first, else the nearest name; "" for neither.
std::string_view SyscallMeantBy(std::string_view name);

// The points that tell of a call, sides included: the schematised ones, else the raw ones of the
// architecture; then those of the Sentry that are caused by it (sentry/clone by fork). Empty where
// nothing tells of it.
std::vector<std::string> PointsOfSyscall(const SyscallInfo& call, Arch arch = kHostArch);

bool IsRawPoint(std::string_view point);

// What a message costs the sandboxed program: measured with the current runsc's two platforms
// (docs/policy.md).
inline constexpr std::string_view kMessageCost =
    "11 to 13 µs with systrap, 20 to 25 µs with ptrace";

// The other way round: each of these names asks for the point. Several for what one kernel function
// does under more than one name (clone, clone3, fork, vfork). Empty for no point of gVisor's.
std::vector<std::string_view> SyscallsOfPoint(std::string_view point);

}  // namespace gyrfalcon
