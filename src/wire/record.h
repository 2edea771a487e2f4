// What flows into the pipeline: one connection's opening, its messages in order, its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "wire/connection.h"

namespace gyrfalcon {

enum class RecordKind : uint8_t {
  kOpened,  // first of a connection
  kFrame,   // one message, header included, as it came
  kClosed,  // last of a connection: everything that it sent has been yielded
};

struct Record {
  RecordKind kind = RecordKind::kFrame;
  ConnectionId connection;
  int64_t receive_time_ns = 0;  // CLOCK_REALTIME; 0 in replay: time is then the event's own
  // kFrame only, otherwise empty. A view: the source's bytes, until its next Next.
  std::span<const std::byte> frame;
  bool truncated = false;      // the message was larger than the buffer: `frame` is its beginning
  uint16_t more_received = 0;  // of this connection, by the same call: the next records' frames
  bool turn_cut = false;       // the last of a turn that found its connection's queue full
  std::shared_ptr<const Peer> peer;  // kOpened only; none in replay
};

enum class SourceStatus : uint8_t {
  kRecord,  // the record was filled
  kIdle,    // nothing until the timeout or a wake. The record is empty.
  kEnd,     // nothing ever again. The record is empty.
};

// Where records come from: sockets, captures, memory.
//
// Who needs a message's bytes beyond the next Next copies them. Next is for one thread at a time.
class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  virtual SourceStatus Next(Record& record) = 0;
};

}  // namespace gyrfalcon
