// What this process uses of its machine, as the kernel says.
#pragma once

#include <cstdint>

namespace gyrfalcon {

struct ProcessFigures {
  double cpu_seconds = 0;  // user and system, all threads
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_fds = 0;
};

// What can't be read (no /proc) is 0.
ProcessFigures ReadProcessFigures();

}  // namespace gyrfalcon
