// Why a client was closed without an answer.
#pragma once

#include <cstdint>
#include <string_view>

#include "wire/connection.h"

namespace gyrfalcon {

enum class HandshakeRejection : uint8_t {
  kUserNotAllowed,
  kTooLong,
  kMalformed,
  kVersionZero,
  kTimeout,
  kClosedEarly,  // hung up without a word, as a probe of the socket does
  kEvicted,      // the oldest silent one, closed to make room
  kAnswerFailed,
  kCount,
};

// One phrase for a person, e.g. "sent no handshake within the deadline".
std::string_view HandshakeRejectionText(HandshakeRejection reason) noexcept;

struct HandshakeRejected {
  Peer peer;
  HandshakeRejection reason = HandshakeRejection::kTimeout;
  uint64_t untold_before = 0;  // rejected since the one told before, and only counted
};

}  // namespace gyrfalcon
