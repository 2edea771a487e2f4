// Which sandbox a connection speaks for, as far as the peer tells before its first message.
#pragma once

#include <string>
#include <string_view>

namespace gyrfalcon {

// The container id in the command line of the runsc that connected (arguments joined by NUL): the
// last argument of `create`, `run`, `restore` and `trace create`. Empty when there is none (`runsc
// do` makes one up), or the command line was not readable. A hint: runsc runs as root, but says
// what it likes.
std::string SandboxIdFromCommandLine(std::string_view command_line);

}  // namespace gyrfalcon
