// What a daemon counts, asked over its control socket.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"

namespace gyrfalcon {

// By counter. `socket_path` is the daemon's, for sandboxes.
Result<std::map<std::string, uint64_t>> AskCounters(const std::string& socket_path);

}  // namespace gyrfalcon
