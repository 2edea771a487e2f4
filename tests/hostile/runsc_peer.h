// A connection as runsc makes it: by a process whose command line names the sandbox.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace gyrfalcon {

// Runs this program anew as `runsc create ID`, which connects, shakes hands and hands it back.
Result<UniqueFd> ConnectAsRunsc(const std::string& socket_path, const std::string& id);

// That program's main, where it has been run so; else false.
bool WasRunAsRunsc();

}  // namespace gyrfalcon
