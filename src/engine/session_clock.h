// A connection's time, or that of all connections of a worker, for what is told once in a while. A
// sandbox chooses the times in its messages, so they must not decide how often it is spoken of.
#pragma once

#include <cstdint>

namespace gyrfalcon {

// Only goes forward. Nanoseconds since the first message. Belongs to one worker.
class SessionClock {
 public:
  // Live: when a message was received, or nothing was. A step back is a message that waited in our
  // own batch, or, if it is a large one, the host's clock set back; ours stands still for it.
  void Receive(int64_t receive_time_ns) {
    constexpr int64_t kSetBackNs = 1'000'000'000;
    if (last_ns_ != 0 && receive_time_ns > last_ns_) now_ns_ += receive_time_ns - last_ns_;
    if (receive_time_ns > last_ns_ || last_ns_ - receive_time_ns > kSetBackNs) {
      last_ns_ = receive_time_ns;
    }
  }
  // In replay, where nothing is received: the highest time that any message had. A recording that
  // lies about time is told of late, at its end at the latest.
  void Replay(int64_t event_time_ns) {
    if (event_time_ns <= last_ns_) return;
    if (last_ns_ != 0) now_ns_ += event_time_ns - last_ns_;
    last_ns_ = event_time_ns;
  }
  int64_t now_ns() const { return now_ns_; }
  // As it is saved (state/saved_bytes.h).
  template <class Visit>
  static void VisitFields(Visit& visit, SessionClock& clock) {
    visit("now_ns", clock.now_ns_);
    visit("last_ns", clock.last_ns_);
  }

 private:
  int64_t now_ns_ = 0;
  int64_t last_ns_ = 0;  // 0: none yet
};

}  // namespace gyrfalcon
