// What a sandbox may make us remember. The sandbox is hostile: everything that grows has a limit
// here, and every limit that is hit is counted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/counter.h"

namespace gyrfalcon {

struct SandboxLimits {
  size_t processes_max = 32 * 1024;
  size_t threads_max = 32 * 1024;
  size_t containers_max = 1024;
  size_t fds_per_process_max = 4096;
  size_t ancestors_max = 128;                // length of a line of ancestors that is kept
  size_t text_bytes_max = 4096;              // a path, a cwd
  size_t id_bytes_max = 256;                 // a container's id
  size_t argv_bytes_max = 256 * 1024;        // gVisor can't send more than about 213 kB
  size_t unjudged_raws_max = 32;             // raw messages of which it is not known what they mean
  size_t written_files_max = 16 * 1024;      // paths remembered as opened for writing
  size_t awaiting_snapshot_max = 1024;       // processes of which a snapshot may tell more
  size_t processes_seeded_max = 2048;        // learnt from a snapshot
  size_t changes_since_question_max = 4096;  // noted while a snapshot is on its way
  // All of a sandbox's state but its tables of ids, which the numbers above bound. From three
  // quarters on, threads that have been silent for longest are forgotten, with their processes;
  // where that does not help, arguments, environments and fds are not kept. At the whole, the state
  // is forgotten and begins anew.
  size_t sandbox_bytes_max = 64u << 20;
};

enum class StateCounter : uint8_t {
  kProcessesRefused,
  kThreadsRefused,
  kContainersRefused,
  kFdsRefused,
  kAncestorsCut,
  kTextsCut,
  kMemoryRefused,
  kThreadsForgotten,
  kStateForgotten,
  kWrittenFilesForgotten,
  kRawsRefused,
  kUnknownSyscall,
  kUnknownThreadExits,
  kImpossible,
  kProcessesFirstSeen,
  kProcessesCompleted,
  kProcessesNotCompleted,
  kProcessesSeeded,
  kSnapshotsCut,
  kIdsRecycled,
  kPathsChanged,
  kPathsCorrected,
  kCount,
};

extern const std::array<CounterRow, static_cast<size_t>(StateCounter::kCount)> kStateCounterRows;

using StateCounters = Counters<StateCounter>;

}  // namespace gyrfalcon
