// What flows into the pipeline: one connection's opening, its messages in order, its end.
#pragma once

#include <cstdint>
#include <memory>

#include "wire/connection.h"
#include "wire/frame.h"

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
  FrameRef frame;               // kFrame only, otherwise empty
  bool truncated = false;       // the message was larger than the buffer: `frame` is its beginning
  bool turn_cut = false;        // the last of a turn that found its connection's queue full
  std::shared_ptr<const Peer> peer;  // kOpened only; none in replay
};

enum class SourceStatus : uint8_t {
  kRecord,  // the record was filled
  // Nothing until the timeout or a wake; or the memory bound is reached: then nothing more is read
  // until frames that somebody holds are let go. The record is empty.
  kIdle,
  kEnd,  // nothing ever again. The record is empty.
};

// Where records come from: sockets, captures, memory.
//
// Next overwrites the caller's `record`, which lets go of the frame it held; copy record.frame to
// hold it longer. The frame is the caller's and may outlive the source. Next is for one thread at a
// time.
class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  virtual SourceStatus Next(Record& record) = 0;
};

}  // namespace gyrfalcon
