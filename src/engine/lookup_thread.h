// A thread that finds things out which take time (files, other programs), so that no event waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace gyrfalcon {

class LookupThread {
 public:
  using Clock = std::chrono::steady_clock;
  // Runs on this thread. False: not to be known yet.
  using Question = std::function<bool()>;
  struct Options {
    int tries = 1;
    int wait_ms = 0;            // between two tries of one question
    size_t waiting_max = 4096;  // questions; a further one is refused
  };

  explicit LookupThread(Options options) : options_(options), thread_([this] { Run(); }) {}
  ~LookupThread() { Stop(); }
  // No question runs after it returns. Those that wait are forgotten.
  void Stop();

  // Any thread; does not wait. In the order in which they are due. False when too many wait.
  bool Ask(Question question, Clock::time_point due = Clock::now());

 private:
  struct Waiting {
    Question question;
    int tries_left;
  };

  void Run();

  const Options options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::multimap<Clock::time_point, Waiting> waiting_;  // under mutex_; by when they are due
  bool stopping_ = false;                              // under mutex_
  std::thread thread_;
};

}  // namespace gyrfalcon
