// Processes (thread groups) of one sandbox.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>

#include "base/ref.h"
#include "state/arena.h"
#include "state/fd_table.h"
#include "state/process_facts.h"
#include "state/remembered.h"

namespace gyrfalcon {

struct Process : ArenaObject<Process>, ProcessFacts {
  explicit Process(Arena& owner)
      : ArenaObject(owner),
        ProcessFacts(owner.resource()),
        remembered(owner.resource()),
        command_line_(owner.resource()) {}

  // Falco's proc.cmdline: the name that the program started under, then its arguments. A process
  // that renames itself later changes proc.name, not this. Kept until the image changes.
  std::string_view CommandLine() const;
  void ForgetCommandLine() { command_line_.clear(); }

  // Length of the longest line of descendants there has been, which bounds the line of ancestors
  // above.
  uint32_t line_below = 0;
  // The leader whose place an exec from another thread took has not told its exit yet.
  bool leader_exit_pending = false;
  Ref<Process> parent;  // the process that made it; outlives its own exit while children live
  Ref<FdTable> fds;     // always set; shared with a process made with CLONE_FILES
  // Concluded from the binary's path: the next name told is the right one.
  bool started_as_guess = false;
  uint32_t live_threads = 0;
  uint32_t losses = 0;  // what the sandbox's count of losses was when the process was made
  // Changes whenever anything does that a field of the level `process` shows, descriptors aside.
  uint32_t version = 0;
  mutable Remembered remembered;
  // The last copy that was made of the facts; empty: none.
  Ref<PastProcess> past;
  bool exited = false;
  // First seen without an exec: one is made up as soon as it has spoken and its name is known.
  bool owes_synthetic_exec = false;

 private:
  mutable std::pmr::string command_line_;
};

}  // namespace gyrfalcon
