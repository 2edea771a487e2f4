#include "engine/user_lookup.h"

#include <utility>

namespace gyrfalcon {

UserLookupThread::UserLookupThread(Options options)
    : options_(options), thread_([this] { Run(); }) {}

UserLookupThread::~UserLookupThread() {
  Stop();
}

void UserLookupThread::Stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool UserLookupThread::Ask(SandboxPlace place, std::string container_id, Answer answer) {
  if (!place.known() || !IsContainerId(container_id)) return true;  // never to be found
  {
    const std::scoped_lock lock(mutex_);
    if (questions_.size() >= options_.waiting_max) return false;
    // In front: those that wait for their next try are not due before it.
    questions_.push_front({.place = std::move(place),
                           .container_id = std::move(container_id),
                           .answer = std::move(answer),
                           .tries_left = options_.tries,
                           .not_before = Clock::time_point{}});
  }
  wake_.notify_one();
  return true;
}

void UserLookupThread::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (questions_.empty()) {
      wake_.wait(lock);
      continue;
    }
    if (Clock::now() < questions_.front().not_before) {
      wake_.wait_until(lock, questions_.front().not_before);
      continue;
    }
    Question question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    const auto users = LoadUserTable(question.place, question.container_id);
    if (users) question.answer(*users);
    lock.lock();
    if (!users && --question.tries_left > 0) {
      question.not_before = Clock::now() + std::chrono::milliseconds(options_.wait_ms);
      questions_.push_back(std::move(question));
    }
  }
}

}  // namespace gyrfalcon
