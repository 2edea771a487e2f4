// Names of bits and constants as Falco prints them, and Falco's own numbers for them, which
// evt.rawarg compares. Facts from Falco's event table.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gyrfalcon {

// What a number of an event's argument is made of.
enum class Vocabulary : uint8_t {
  kOpenFlags,
  kFdFlags,  // of pipe2, dup3 and the like: open's without an access mode
  kCloneFlags,
  kProtection,
  kMapFlags,
  kModeBits,
  kMknodModes,
  kExeFlags,
  kMemfdFlags,
  kUmountFlags,
  kUnlinkFlags,
  kLinkFlags,
  kRenameFlags,
  kChownAtFlags,
  kMountFlags,
  kLockOperations,
  kMlockallFlags,
  kMlock2Flags,
  kSpliceFlags,
  kFinitFlags,
  kCloseRangeFlags,
  kAccessModes,
  kFcntlCommands,
  kPtraceRequests,
  kSocketDomains,
  kResources,
  kWhences,
  kBpfCommands,
  kPrctlOptions,
  kShutdownWays,
  kCount,
};

// Falco's number for the kernel's: what evt.rawarg gives.
uint32_t FalcoNumber(Vocabulary vocabulary, uint64_t kernel_number);
// The names of Falco's number, joined by "|" in Falco's order; nothing when it has none.
void AppendNames(Vocabulary vocabulary, uint32_t falco_number, std::string& out);

// "ENOENT"; "" for an unknown number.
std::string_view ErrnoName(int64_t error_number);
// The same for what a system call returned: "ENOENT" for -2, "" for what is no error.
std::string_view ErrnoOfReturn(int64_t return_value);
// "SIGKILL"; "" for a number that has no name.
std::string SignalName(int64_t signal);

}  // namespace gyrfalcon
