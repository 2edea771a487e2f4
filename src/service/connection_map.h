// Who the connections in systemd's store are: a memfd with one place for each, that is stored
// beside them. A connection's name in the store is the number of its place.
//
// A place is written while this process may be killed, so what is read back is checked: a record
// that is not whole, or of another connection, is none.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"
#include "wire/connection.h"

namespace gyrfalcon {

class ConnectionMap {
 public:
  struct Entry {
    uint64_t cookie = 0;  // the kernel's name of the socket, SO_COOKIE
    ConnectionId id;
    Peer peer;
    bool answered = false;  // the handshake's answer was sent
  };

  // Fails (Fault::kEnvironment) where the kernel gives no memfd.
  static Result<ConnectionMap> Create();
  // What a process before us has left.
  static Result<ConnectionMap> Open(UniqueFd fd);

  int fd() const noexcept { return fd_.get(); }
  // Best effort: what can't be written is a record less.
  void Put(uint32_t place, const Entry& entry);
  void MarkAnswered(uint32_t place);
  void Clear(uint32_t place);
  std::optional<Entry> Get(uint32_t place) const;

 private:
  explicit ConnectionMap(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

// Distinct among all sockets since the machine started; 0: no socket.
uint64_t SocketCookie(int fd);

}  // namespace gyrfalcon
