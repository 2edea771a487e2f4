// The least that anybody can do who listens to sandboxes: messages are received as SocketSource
// does it, by the same ReceiveBatch in turns of the same length, and thrown away. What the pipeline
// costs is held against this.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "wire/handshake.h"
#include "wire/listener.h"
#include "wire/socket_source.h"

namespace gyrfalcon {

class DiscardLoop {
 public:
  // Listens when this returns; connections are spread over the workers as Engine does it.
  static Result<std::unique_ptr<DiscardLoop>> Start(std::string socket_path, size_t workers,
                                                    const SocketSourceOptions& options);
  ~DiscardLoop();  // ends all threads

  uint64_t messages() const noexcept;
  uint64_t receives() const noexcept;  // system calls that got something

 private:
  struct Worker;

  explicit DiscardLoop(Listener listener);

  Listener listener_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<HandshakeService> handshakes_;
};

}  // namespace gyrfalcon
