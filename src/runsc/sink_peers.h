// Where a sandbox's events go, as the kernel tells it: runsc's own `trace list` has a sink's name
// and its count of drops only, whoever listens to it.
//
// A sink is a connected SEQPACKET socket of the Sentry. Its descriptors are read from /proc, and
// the address at the other end from the kernel's list of Unix sockets (sock_diag(7)), which holds
// those of the network namespace that gyrfalcon and runsc were started in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

// The sockets' paths ("@…": abstract), sorted; empty: it is connected to nobody. `pid`: of the
// sandbox, as runsc lists it; it must be a process whose arguments name `sandbox_id`, for another
// PID namespace has other numbers. Errors (kEnvironment) where this can't be seen from here. Takes
// time with the number of sockets on the host; does not wait. Any thread.
Result<std::vector<std::string>> SinkPeers(int64_t pid, const std::string& sandbox_id);

}  // namespace gyrfalcon
