// Finds the names of containers' users, on a thread of its own: files are read, so no event waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "metadata/rootfs.h"

namespace gyrfalcon {

// Where a pipeline asks for them.
class UserLookup {
 public:
  using Answer = std::function<void(std::shared_ptr<const UserTable>)>;

  virtual ~UserLookup() = default;
  // Does not wait. `answer` runs on another thread, later or never: never where the files are out
  // of reach. Whoever asks is alive until the lookup has been stopped. False when too many wait.
  virtual bool Ask(SandboxPlace place, std::string container_id, Answer answer) = 0;
};

class UserLookupThread final : public UserLookup {
 public:
  // runsc writes its state file while the container starts, and says nothing when it has: what is
  // not there yet is looked for again.
  struct Options {
    int tries = 10;
    int wait_ms = 200;          // between two tries of one question
    size_t waiting_max = 4096;  // questions; a further one is refused
  };

  explicit UserLookupThread(Options options);
  UserLookupThread() : UserLookupThread(Options{}) {}
  ~UserLookupThread() override;  // as Stop
  // No answer runs after it returns.
  void Stop();

  bool Ask(SandboxPlace place, std::string container_id, Answer answer) override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Question {
    SandboxPlace place;
    std::string container_id;
    Answer answer;
    int tries_left;
    Clock::time_point not_before;
  };

  void Run();

  const Options options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Question> questions_;  // under mutex_; first by not_before
  bool stopping_ = false;           // under mutex_
  std::thread thread_;
};

}  // namespace gyrfalcon
