// Who wants to know of connections, not of what they say. Called on workers' threads, a few times
// in the life of a connection; must not wait.
#pragma once

#include <cstdint>
#include <string_view>

#include "metadata/rootfs.h"

namespace gyrfalcon {

class ConnectionObserver {
 public:
  virtual ~ConnectionObserver() = default;
  // `place`: not known() where the peer's command line does not tell. `from_start`: the sandbox
  // begins with this connection.
  virtual void OnOpened(uint64_t connection, const SandboxPlace& place, bool from_start) = 0;
  // Its first message has come.
  virtual void OnSpoke(uint64_t connection) = 0;
  // The first container named by a connection whose place is not known.
  virtual void OnNamed(uint64_t connection, std::string_view container) = 0;
  virtual void OnEnded(uint64_t connection) = 0;
};

}  // namespace gyrfalcon
