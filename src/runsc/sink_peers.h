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

#include <absl/container/flat_hash_map.h>

#include "base/result.h"

namespace gyrfalcon {

struct UnixSocket {
  bool seqpacket = false;
  std::string name;   // "@…": abstract; "": none
  uint32_t peer = 0;  // inode
};
using UnixSockets = absl::flat_hash_map<uint32_t, UnixSocket>;  // by inode

// All connected ones of this network namespace. Takes time with their number; does not wait.
Result<UnixSockets> ListUnixSockets();

// The sockets' paths ("@…": abstract), sorted; empty: it is connected to nobody. `pid`: of the
// sandbox, as runsc lists it; it must be a process whose arguments name `sandbox_id`, for another
// PID namespace has other numbers. `all` was listed a moment ago. Errors (kEnvironment) where
// this can't be seen from here. Does not wait. Any thread.
Result<std::vector<std::string>> SinkPeers(int64_t pid, const std::string& sandbox_id,
                                           const UnixSockets& all);

}  // namespace gyrfalcon
