// Tells of rejected clients on a thread of its own: whoever is told may write a log, which may
// block, and no sandbox's start may wait for that.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "wire/handshake_rejection.h"

namespace gyrfalcon {

class RejectionReports {
 public:
  // That wait to be told, and that are told in a second; the others are only counted.
  static constexpr size_t kWaitingMax = 256;
  static constexpr size_t kPerSecondMax = 50;

  using OnRejected = std::function<void(const HandshakeRejected&)>;

  // `on_rejected` runs on the thread; empty: there is none.
  explicit RejectionReports(OnRejected on_rejected);
  ~RejectionReports();  // as Stop

  // Any thread; does not wait.
  void Put(HandshakeRejected rejected);
  // What waits is told first.
  void Stop();

 private:
  void Run();
  bool TakesOneMore();

  const OnRejected on_rejected_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<HandshakeRejected> waiting_;
  uint64_t untold_ = 0;  // since the last that was taken
  size_t in_this_second_ = 0;
  int64_t second_began_ns_ = 0;  // steady clock
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gyrfalcon
