// Whether a runsc really takes a session config: a sandbox is run with it, and heard.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

// Runs `runsc ARGS… do true`, without a network, with that session config sent to a socket of its
// own: the messages that came. Takes up to 30 s. Errors (kEnvironment): it did not start, with what
// runsc said; it did not connect; it connected and sent nothing, which means that runsc did not
// understand the config.
Result<uint64_t> ProveSession(const std::string& runsc, const std::vector<std::string>& args,
                              const std::string& session);

}  // namespace gyrfalcon
