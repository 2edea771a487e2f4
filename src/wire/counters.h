// What happens at the wire, as a table for metrics, summaries and docs.
#pragma once

#include <array>

#include "base/counter.h"

namespace gyrfalcon {

enum class WireCounter : uint8_t {
  kConnectionsAccepted,
  kHandshakesRejected,
  kHandshakeTimeouts,
  kHandshakesEvicted,
  kProbes,
  kAcceptErrors,
  kConnectionsClosed,
  kFrames,
  kFrameBytes,
  kFramesTruncated,
  kReceiveErrors,
  kDrainCutShort,
  kTurnsCut,
  kStreamPauses,
  kCount,
};

inline constexpr auto kWireCounterRows = std::to_array<CounterRow>({
    {"connections_accepted", Severity::kInfo, "Connections whose handshake was answered."},
    {"handshakes_rejected", Severity::kDataLoss,
     "Clients closed for a bad handshake, or because their user may not connect."},
    {"handshake_timeouts", Severity::kDataLoss,
     "Clients closed because no handshake came within the deadline."},
    {"handshakes_evicted", Severity::kDataLoss,
     "Silent clients closed early to make room for new ones."},
    {"probes", Severity::kInfo,
     "Clients that hung up without a word, as a probe of the socket does, and our own probes."},
    {"accept_errors", Severity::kDataLoss,
     "Clients that could not be accepted, mostly for want of file descriptors."},
    {"connections_closed", Severity::kInfo, "Accepted connections that ended."},
    {"frames", Severity::kInfo, "Messages received."},
    {"frame_bytes", Severity::kInfo, "Bytes of messages received."},
    {"frames_truncated", Severity::kDataLoss,
     "Messages larger than the receive buffer, of which only the beginning was kept."},
    {"receive_errors", Severity::kDataLoss, "Connections on which receiving failed."},
    {"drain_cut_short", Severity::kDataLoss,
     "Connections that still had messages to read when a stop had read enough of them."},
    {"turns_cut", Severity::kInfo,
     "Times a connection's queue was found full: its sandbox sent faster than it was read."},
    {"stream_pauses", Severity::kInfo,
     "Times messages of a stream were let gather for a moment, which spares sandboxes the waking."},
});
static_assert(kWireCounterRows.size() == static_cast<size_t>(WireCounter::kCount));

// Added to by the thread that owns it, read by any.
using WireCounters = AtomicCounters<WireCounter>;

}  // namespace gyrfalcon
