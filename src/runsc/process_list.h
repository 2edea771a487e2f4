// Which processes a sandbox has, as its Sentry knows them: `runsc --root=R trace procfs ID`.
//
// The dump is the line "PROCFS DUMP", then a line of JSON for each process, with empty lines
// between. It has no container ids, and says of exited processes nothing. A process is its pid
// (that of the sandbox's root PID namespace) with its clone_ts: what messages call
// thread_group_id and thread_group_start_time_ns. Old runsc finds no sandbox in another network
// namespace than its own; its call fails then.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runsc/sandbox_list.h"
#include "state/process_snapshot.h"

namespace gyrfalcon {

struct ProcessList {
  std::vector<ProcessSnapshot> processes;
  size_t malformed = 0;  // lines left out: too long, no JSON, a field missing or of a wrong type
  bool cut = false;      // there was more than the limits below allow
};

inline constexpr size_t kProcessEntriesMax = 16 * 1024;
// A line: what a large environment and the maps of a large program need.
inline constexpr size_t kProcessLineBytesMax = size_t{2} << 20;
// Arguments, variables and descriptors of all entries together.
inline constexpr size_t kProcessItemsMax = 256 * 1024;

// One line of the dump. pid, clone_ts and comm must be there; of the others the Sentry leaves out
// what is empty, but what is there must be of its type.
Result<ProcessSnapshot> ParseProcess(std::string_view json);

// The whole dump. An error where it does not begin as one.
Result<ProcessList> ParseProcessList(std::string_view text);

// Runs runsc: waits.
Result<ProcessList> ListProcesses(const RunscCall& call, const std::string& sandbox_id);

}  // namespace gyrfalcon
