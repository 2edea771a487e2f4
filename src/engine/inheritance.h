// What an engine leaves to the one that goes on with its sandboxes, in this process or in the next.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/unique_fd.h"
#include "engine/counters.h"
#include "engine/snapshot_file.h"
#include "wire/connection.h"
#include "wire/listener.h"

namespace gyrfalcon {

struct Inheritance {
  // Listens all the time: clients wait in its queue. nullopt: there is none yet.
  std::optional<Listener> listener;
  std::vector<UniqueFd> silent;  // accepted, their handshake not read yet
  // With their peers, in the order in which they were accepted. What they have sent since is in
  // their queues.
  std::vector<AcceptedConnection> connections;
  ConnectionId next_connection{1};
  int64_t stopped_ns = 0;  // steady clock; since when nothing has been read. 0: not known
  Totals totals;           // counted before, where the process is the same
  // What is known of the sandboxes behind them, by the connection's id; must be there until the
  // next engine has started. nullptr: nothing is.
  const SnapshotFile* state = nullptr;
};

}  // namespace gyrfalcon
