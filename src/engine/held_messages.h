// A sandbox's messages that wait in memory, in their order, until the host has said which container
// they are of: what a rule asks of its image must be known at its first exec.
//
// Only the bytes that were received are kept, with what the source said of each. While they wait
// nothing of them is in the sandbox's state, so whoever looks at that sees the time before them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/counter.h"
#include "engine/alert_bucket.h"
#include "wire/record.h"

namespace gyrfalcon {

// A Sentry may invent container ids; a pod begins with far fewer.
inline constexpr size_t kLookupsAtOnce = 64;
inline constexpr BucketSize kLookupsPerSandbox = {.burst = kLookupsAtOnce,
                                                  .refill_ns = 250'000'000};

// Belongs to one worker.
class HeldMessages {
 public:
  // `due_ns`: when they are taken up at the latest, by the pipeline's clock.
  HeldMessages(std::string_view container, int64_t due_ns)
      : container_(container), due_ns_(due_ns) {}

  void Append(const Record& record) {
    bytes_.insert(bytes_.end(), record.frame.begin(), record.frame.end());
    frames_.push_back({.receive_time_ns = record.receive_time_ns,
                       .size = record.frame.size(),
                       .kind = record.kind,
                       .truncated = record.truncated,
                       .turn_cut = record.turn_cut});
  }
  // For another pipeline, with a clock of its own.
  void SetDue(int64_t due_ns) { due_ns_ = due_ns; }
  // In their order; a record's frame is valid during its call.
  template <class Take>
  void ForEach(ConnectionId connection, const Take& take) const {
    size_t at = 0;
    for (const Frame& frame : frames_) {
      Record record;
      record.kind = frame.kind;
      record.connection = connection;
      record.receive_time_ns = frame.receive_time_ns;
      record.frame = std::span(bytes_).subspan(at, frame.size);
      record.truncated = frame.truncated;
      record.turn_cut = frame.turn_cut;
      at += frame.size;
      take(record);
    }
  }

  const std::string& container() const { return container_; }
  int64_t due_ns() const { return due_ns_; }
  size_t count() const { return frames_.size(); }
  // What they take, roughly.
  size_t bytes() const { return bytes_.size() + frames_.size() * sizeof(Frame); }

 private:
  struct Frame {
    int64_t receive_time_ns;
    size_t size;
    RecordKind kind;
    bool truncated;
    bool turn_cut;
  };

  const std::string container_;  // whose answer they wait for
  int64_t due_ns_;
  std::vector<std::byte> bytes_;
  std::vector<Frame> frames_;
};

}  // namespace gyrfalcon
