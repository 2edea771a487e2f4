// Sees to it that what the spool's writer has committed reaches the disk, on a thread of its own: a
// slow disk holds up no alert.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>

namespace gyrfalcon {

class SpoolSyncer {
 public:
  // `interval_ms`: at most so long after a commit it is on the disk, when the disk takes it.
  SpoolSyncer(std::string path, int interval_ms);
  ~SpoolSyncer();
  SpoolSyncer(const SpoolSyncer&) = delete;
  SpoolSyncer& operator=(const SpoolSyncer&) = delete;

  // Any thread: something was committed.
  void Note() { dirty_.store(true, std::memory_order_relaxed); }

 private:
  void Run();
  void Sync();

  const std::string path_;
  const int interval_ms_;
  int64_t checkpoint_ns_ = 0;
  bool since_checkpoint_ = false;
  std::atomic<bool> dirty_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gyrfalcon
