// Terminals: gVisor does not tell a process's controlling one.
#pragma once

#include <cstdint>
#include <string_view>

namespace gyrfalcon {

// The device number of /dev/pts/0, which also stands for a terminal of unknown number.
inline constexpr uint32_t kSomeTerminal = 136u << 8;

// The device number of the terminal that a descriptor with this path and st_mode refers to; 0: it
// is none, or not to be known as one. That of standard input is the best sign of the controlling
// terminal. A terminal given from outside the sandbox shows as "host:[N]".
uint32_t TerminalOf(std::string_view path, uint32_t mode);

}  // namespace gyrfalcon
