// Which sandbox a connection speaks for, as far as the peer tells before its first message.
#pragma once

#include <string>
#include <string_view>

#include "metadata/rootfs.h"

namespace gyrfalcon {

// From the command line of the runsc that connected (arguments joined by NUL): the container id,
// which is the last argument of `create`, `run`, `restore` and `trace create`, and runsc's --root
// (its default where it is not told, /var/run as /run), since an id is unique below one root only.
// Empty when there is no id (`runsc do` makes one up),
// or the command line was not readable.
std::string SandboxKeyFromCommandLine(std::string_view command_line);

// The same with where runsc keeps its state, and with the bundle where that is told; not known()
// when there is no id or the state's folder is told by a relative path.
SandboxPlace SandboxPlaceFromCommandLine(std::string_view command_line);

// Whether the connection was made where its sandbox begins (`create`, `run`, `do`): such a one has
// its start to tell. One that is attached or restored has not.
bool BeginsSandbox(std::string_view command_line);
// Whether it was made where its sandbox goes on from a checkpoint (`restore`).
bool RestoresSandbox(std::string_view command_line);

}  // namespace gyrfalcon
