// When to sleep a moment before waiting for messages. Whoever waits is woken by the sender, and
// that is half of what a message costs a sandbox: so where messages come in a stream, the receiver
// lets some gather instead, and finds them without having been woken. A lone message is never held
// up.
#pragma once

#include <cstdint>

namespace gyrfalcon {

class StreamPause {
 public:
  // Messages that come this close to each other are a stream.
  static constexpr int64_t kStreamNs = 200'000;
  // Far below what fills a queue of 277 messages at 11 µs each. The kernel's timer adds its slack,
  // 50 µs.
  static constexpr int64_t kPauseNs = 100'000;

  // How long the last wait took until messages came.
  void NoteWait(int64_t waited_ns) { last_wait_ns_ = waited_ns; }
  // Whether to sleep before the next.
  bool is_due() const { return last_wait_ns_ < kStreamNs; }

 private:
  int64_t last_wait_ns_ = kStreamNs;
};

}  // namespace gyrfalcon
