// Sends and receives a takeover's messages, each with its descriptors.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "service/takeover_message.h"

namespace gyrfalcon {

struct TakeoverDatagram {
  TakeoverMessage message;
  std::vector<UniqueFd> fds;  // close-on-exec
};

// Both fail (Fault::kEnvironment) when the other end is gone, or nothing moves for `patience_ms`.
Result<void> SendTakeover(int socket, const TakeoverMessage& message, std::span<const int> fds,
                          int patience_ms);
// Fails also for what is no message, or a refusal, which is its text.
Result<TakeoverDatagram> ReceiveTakeover(int socket, int patience_ms);

// The same, where only one kind of message makes sense.
template <class Message>
Result<Message> ExpectTakeover(int socket, int patience_ms) {
  auto datagram = ReceiveTakeover(socket, patience_ms);
  if (!datagram) return std::unexpected(datagram.error());
  if (auto* message = std::get_if<Message>(&datagram->message)) return std::move(*message);
  return Fail(Fault::kEnvironment, "the other process says something out of turn");
}

}  // namespace gyrfalcon
