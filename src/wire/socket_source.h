// The connections of one worker as a Source: one thread, many sandboxes, no one of which can starve
// the others or make this process grow.
//
// Next is for the worker's thread; Add, Stop and counters() for any. The senders are distrusted:
// sizes, rates and their end may be anything. What is not read stays in the kernel's queue, which
// the sender pays for.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "wire/connection.h"
#include "wire/connection_keeper.h"
#include "wire/counters.h"
#include "wire/receive_batch.h"
#include "wire/record.h"
#include "wire/stream_pause.h"

namespace gyrfalcon {

struct SocketSourceOptions {
  // Larger messages are cut and flagged. The default is the largest that Linux's default send
  // buffer (net.core.wmem_default) lets through. At most ReceiveBatch::kMessageBytesMax.
  size_t message_bytes_max = 212'992;
  // How many messages of one connection are read before the next connection has its turn.
  size_t messages_per_turn = 256;
  ConnectionKeeper* keeper = nullptr;  // outlives the source; nullptr: nobody
  // At a stop, how long connections whose peer is still there are read in all; those whose peer has
  // gone are read to their end.
  int stop_patience_ms = 10'000;
};

class SocketSource : public Source {
 public:
  // What is read of each at a stop: more than a default send buffer can hold (277), but a sender
  // that keeps sending can't keep a stop from ending. One that has gone adds nothing, and what it
  // left is bounded by its send buffer.
  static constexpr size_t kStopMessagesMax = 4'096;

  // Fails (Fault::kEnvironment) when the process is out of file descriptors.
  static Result<std::unique_ptr<SocketSource>> Create(SocketSourceOptions options);
  ~SocketSource() override;

  // Takes the connection over; its kOpened comes before its first frame. After the end it is closed
  // when this object goes.
  void Add(AcceptedConnection connection);

  // For another source to go on with, on the worker's thread and between batches only. False for
  // one that has ended, or that this has not opened yet.
  bool CanRelease(ConnectionId id) const;
  std::optional<AcceptedConnection> Release(ConnectionId id);
  // Goes on with it, without another kOpened. Worker's thread only, or before there is one.
  void Adopt(AcceptedConnection connection) { Open(std::move(connection)); }
  // Everything that was received has been yielded.
  bool between_batches() const noexcept { return next_ == received_; }

  // Any thread: a Next that waits yields kIdle.
  void Wake();

  // Next then yields what can be read at this moment from every connection, then kEnd: all of one
  // whose peer has gone, at most 4,096 messages of one whose peer is still there, which gets no
  // kClosed.
  void Stop();

  // Any thread. Next then yields what it has received, the openings and ends that it knows of, and
  // kEnd: everything else stays in the queues, for who gets the connections next.
  void StopReading();
  // All connections, once that kEnd has come; their order is that of their opening.
  std::vector<AcceptedConnection> ReleaseAll();
  // Next yields again, once its connections have been adopted anew.
  void ReadOn() noexcept;

  // How long Next waits before kIdle; -1 (as at first) is for ever. Worker's thread only.
  void set_idle_timeout_ms(int timeout_ms) noexcept { idle_timeout_ms_ = timeout_ms; }

  SourceStatus Next(Record& record) override;

  // How long Next has waited in all. Worker's thread only.
  int64_t waited_ns() const noexcept { return waited_ns_; }
  // How full the fullest queue was that a turn has found since the last call: 0 to 1. Worker's
  // thread only.
  double TakePeakFill() noexcept;
  const WireCounters& counters() const noexcept { return counters_; }

 private:
  struct Connection {
    UniqueFd fd;
    ConnectionId id;
    std::shared_ptr<const Peer> peer;
    size_t left_in_turn = 0;
    size_t queued_bytes = 0;  // what its queue was charged for the messages of this turn
    bool ended = false;       // read to its end: close when its last frame has been yielded
    bool to_its_end = false;  // its peer has gone: this turn takes what is left
    bool failed = false;      // the last receive did, for want of memory if it did not end it
  };

  explicit SocketSource(SocketSourceOptions options);
  Result<void> SetUp();

  bool TakeReady(Record& record);
  void YieldFrame(Record& record);
  void YieldClosed(Record& record);
  bool NextTurn();
  void ReadTurn();
  size_t TurnLength() const;
  void NoteCutByStop();
  bool GoesOnToItsEnd();
  size_t Receive(size_t count);
  void CountBatch();
  bool IsQueueFull() const;
  size_t CountBeforeEnd(size_t count);
  SourceStatus Wait();
  bool DrainForStop();
  void TakeAdded();
  void Open(AcceptedConnection added);

  const SocketSourceOptions options_;
  // As many of the smallest messages as a turn takes; a little less than a default queue holds.
  const size_t full_queue_bytes_;
  WireCounters counters_;
  ReceiveBatch batch_;  // where the frames of records lie

  UniqueFd epoll_;
  UniqueFd wake_;
  std::unordered_map<uint64_t, Connection> connections_;  // by ConnectionId
  std::deque<AcceptedConnection> opened_;                 // kOpened not yielded yet
  std::vector<uint64_t> turns_;                           // whose turn is next, from the back
  Connection* current_ = nullptr;                         // whose turn it is
  size_t received_ = 0;                                   // messages of current_ in the batch
  size_t next_ = 0;                                       // of those, to be yielded next
  bool turn_cut_ = false;                                 // with the last of them
  int64_t received_time_ns_ = 0;
  StreamPause pause_;
  int64_t waited_ns_ = 0;
  size_t peak_queued_bytes_ = 0;  // of any turn's queued_bytes
  int idle_timeout_ms_ = -1;
  bool stopping_ = false;
  bool releasing_ = false;
  int64_t stop_until_ns_ = 0;  // steady clock
  bool drain_listed_ = false;
  bool ended_ = false;

  std::atomic<bool> release_asked_ = false;
  std::mutex mutex_;  // guards what follows
  std::vector<AcceptedConnection> added_;
  bool stop_asked_ = false;
};

}  // namespace gyrfalcon
