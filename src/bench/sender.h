// A process that plays sandboxes: it loops captures over SEQPACKET connections, one blocking writev
// a message as the Sentry does, so that nothing is dropped and its processor time is not ours.
//
// It has two sets of connections, one to each of two listeners, and sends over one of them at a
// time. Each connection has its own place in the captures and goes on from there.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "base/unique_fd.h"

namespace gyrfalcon {

struct SenderOptions {
  std::vector<std::string> captures;
  std::array<std::string, 2> sockets;  // paths; "": that set has no connections
  size_t connections = 1;              // of each set
};

// What was sent by one Send.
struct Sent {
  uint64_t messages = 0;
  int64_t elapsed_ns = 0;  // from the first message until the last one was received
  int64_t cpu_ns = 0;      // of the sending process
  uint64_t loops = 0;      // whole ones that each connection of the set has made so far
};

// How long to send: until `at_least` has passed and each connection has made `loops` loops since
// the beginning, but not longer than `at_most`.
struct SendBounds {
  std::chrono::nanoseconds at_least{0};
  uint64_t loops = 0;
  std::chrono::nanoseconds at_most{0};
  double messages_per_s = 0;  // of all connections together; 0: as fast as they are taken
};

class SenderProcess {
 public:
  // Forks, so call it while this process has one thread. The child ends with this object, or with
  // this process.
  static Result<SenderProcess> Start(const SenderOptions& options);
  SenderProcess(SenderProcess&& other) noexcept;
  SenderProcess& operator=(SenderProcess&&) = delete;
  ~SenderProcess();

  // Waits until the captures are read, and fails as Traffic::Load does. Warnings are for a person.
  Result<std::vector<std::string>> Loaded();
  // Connects all and shakes hands; the listeners are there by now.
  Result<void> Connect();
  // Sends over the connections of `set`, 0 or 1, and waits until all of it was received.
  Result<Sent> Send(size_t set, SendBounds bounds);

 private:
  SenderProcess(pid_t child, UniqueFd control) : child_(child), control_(std::move(control)) {}

  pid_t child_;
  UniqueFd control_;
};

}  // namespace gyrfalcon
