#include "state/limits.h"

namespace gyrfalcon {

const std::array<CounterRow, static_cast<size_t>(StateCounter::kCount)> kStateCounterRows = {{
    {"processes_refused", Severity::kDataLoss,
     "Processes not remembered: the sandbox has too many."},
    {"threads_refused", Severity::kDataLoss, "Threads not remembered: the sandbox has too many."},
    {"containers_refused", Severity::kDataLoss,
     "Containers not remembered: the sandbox has too many."},
    {"fds_refused", Severity::kDataLoss,
     "File descriptors not remembered: the process has too many."},
    {"ancestors_cut", Severity::kInfo,
     "Lines of ancestors that were cut because they are too long."},
    {"texts_cut", Severity::kDataLoss, "Paths, arguments or environments cut to their limit."},
    {"memory_refused", Severity::kDataLoss,
     "Things not remembered: the sandbox's state has reached its share of memory."},
    {"threads_forgotten", Severity::kDataLoss,
     "Threads, with their processes, that were forgotten because the sandbox's state had reached "
     "its share of memory: those that had been silent for longest."},
    {"state_forgotten", Severity::kDataLoss,
     "Times a sandbox's whole state was forgotten because it had outgrown its share of memory."},
    {"written_files_forgotten", Severity::kDataLoss,
     "Files opened for writing that were forgotten, the oldest first: the sandbox has too many."},
    {"raws_refused", Severity::kInfo,
     "Raw messages that were not judged: too many wait until it is known whether their session has "
     "schematised ones beside them, or enough of the same call were told."},
    {"unknown_syscalls", Severity::kInfo,
     "Messages whose system call number means nothing on this architecture."},
    {"unknown_thread_exits", Severity::kInfo, "Exits of threads that were never seen."},
    {"impossible", Severity::kInfo,
     "Messages of what can't be, taken up without it: negative ids and descriptors, a child that "
     "is older than its parent, makes itself or is its own ancestor, a container that starts "
     "twice."},
    {"processes_first_seen", Severity::kInfo,
     "Processes first seen without a start: exec sessions, attached late, or a lost message."},
    {"processes_completed", Severity::kInfo,
     "Of those, the ones of which `runsc trace procfs` told program, arguments and terminal."},
    {"processes_not_completed", Severity::kInfo,
     "Of those, the ones of which it told nothing: they had ended, were another program by then, "
     "or runsc could not tell."},
    {"processes_seeded", Severity::kInfo,
     "Processes learnt from `runsc trace procfs` when a sandbox was attached late."},
    {"snapshots_cut", Severity::kInfo,
     "Times something that `runsc trace procfs` told was left out: too many processes, or too "
     "little memory left for them."},
    {"ids_recycled", Severity::kInfo,
     "Thread ids that came back, made anew or with another start time, before their exit was "
     "seen."},
    {"paths_changed", Severity::kInfo,
     "System calls whose path or address was another one at the exit than at the enter."},
    {"paths_corrected", Severity::kInfo,
     "Opened files whose own path turned out to be another than the one passed."},
}};

}  // namespace gyrfalcon
