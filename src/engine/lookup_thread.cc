#include "engine/lookup_thread.h"

#include <utility>

namespace gyrfalcon {

void LookupThread::Stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool LookupThread::Ask(Question question, Clock::time_point due) {
  {
    const std::scoped_lock lock(mutex_);
    if (waiting_.size() >= options_.waiting_max) return false;
    waiting_.emplace(due, Waiting{std::move(question), options_.tries});
  }
  wake_.notify_one();
  return true;
}

void LookupThread::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (waiting_.empty()) {
      wake_.wait(lock);
      continue;
    }
    const auto first = waiting_.begin();
    if (const auto due = first->first; Clock::now() < due) {
      wake_.wait_until(lock, due);
      continue;
    }
    Waiting waiting = std::move(first->second);
    waiting_.erase(first);
    lock.unlock();
    const bool answered = waiting.question();
    lock.lock();
    if (!answered && --waiting.tries_left > 0) {
      waiting_.emplace(Clock::now() + std::chrono::milliseconds(options_.wait_ms),
                       std::move(waiting));
    }
  }
}

}  // namespace gyrfalcon
