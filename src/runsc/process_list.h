// Which processes a sandbox has, as its Sentry knows them: `runsc --root=R trace procfs ID`.
//
// The dump is the line "PROCFS DUMP", then a line of JSON for each process, with empty lines
// between. It has no container ids, and says of exited processes nothing. A process is its pid
// (that of the sandbox's root PID namespace) with its clone_ts: what messages call
// thread_group_id and thread_group_start_time_ns. Old runsc finds no sandbox in another network
// namespace than its own; its call fails then.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "base/result.h"
#include "runsc/sandbox_list.h"
#include "state/process_snapshot.h"

namespace gyrfalcon {

// Of which processes a dump is to tell. Others, which a hostile program can make many and large,
// take nothing from the ones that are waited for.
struct WantedProcesses {
  bool all = false;  // the others too, as far as there is room
  absl::flat_hash_set<int32_t> tgids;
};

struct ProcessList {
  std::vector<ProcessSnapshot> processes;  // wanted ones
  size_t malformed = 0;  // lines left out: too long, no JSON, a field missing or of a wrong type
  size_t trimmed = 0;    // entries of which only what tells the program was kept
  bool cut = false;      // entries were left out, for there were too many
  std::optional<Error> ended_early;  // runsc failed, or was ended, after this much

  // Who is wanted and not here is not in the dump either.
  bool whole() const { return malformed == 0 && !cut && !ended_early; }
};

inline constexpr size_t kProcessEntriesMax = 16 * 1024;  // of those that nobody waits for
// A line: what large arguments, a large environment and the maps of a large program need.
inline constexpr size_t kProcessLineBytesMax = size_t{4} << 20;
// What all entries together take in memory; those beyond are trimmed: to the first arguments and
// the standard descriptors.
inline constexpr size_t kProcessListBytesMax = size_t{32} << 20;
inline constexpr size_t kTrimmedArgumentsMax = 64;
inline constexpr size_t kTrimmedTextBytesMax = 4096;  // of one text

// One line of the dump. pid, clone_ts and comm must be there; of the others the Sentry leaves out
// what is empty, but what is there must be of its type.
Result<ProcessSnapshot> ParseProcess(std::string_view json);

// Takes a dump in pieces of any size; holds one line of it.
class ProcessListReader {
 public:
  explicit ProcessListReader(WantedProcesses wanted) : wanted_(std::move(wanted)) {}
  void Feed(std::string_view piece);
  // After the last piece, once. An error where it did not begin as a dump.
  Result<ProcessList> Finish();

 private:
  void TakeLine(std::string_view line);
  void Keep(ProcessSnapshot process);

  const WantedProcesses wanted_;
  ProcessList list_;
  std::string line_;       // as much as has come of it
  bool skipping_ = false;  // the rest of a line that is too long
  bool begun_ = false;     // the heading has come
  bool no_dump_ = false;
  size_t others_ = 0;  // entries that nobody waits for
  size_t bytes_ = 0;
};

Result<ProcessList> ParseProcessList(std::string_view text, WantedProcesses wanted);

// Runs runsc: waits. An error where not a single process was told.
Result<ProcessList> ListProcesses(const RunscCall& call, const std::string& sandbox_id,
                                  WantedProcesses wanted);

}  // namespace gyrfalcon
