// Who keeps connections beyond this process, such as systemd's store of descriptors. It hears of
// each twice: before the client is answered, and when it has been read to its end.
#pragma once

#include "wire/connection.h"

namespace gyrfalcon {

class ConnectionKeeper {
 public:
  virtual ~ConnectionKeeper() = default;
  // Handshake thread; `fd` stays the caller's. Must not wait for longer than a few milliseconds: a
  // container's start waits for what comes next.
  virtual void OnAdmitted(int fd, ConnectionId id, const Peer& peer) = 0;
  // The handshake's answer is on its way.
  virtual void OnAnswered(ConnectionId id) = 0;
  // Any thread. Its peer has gone and nothing is left to be read, or it could not be answered.
  virtual void OnEnded(ConnectionId id) = 0;
};

}  // namespace gyrfalcon
