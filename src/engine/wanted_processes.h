// Of which processes a question to runsc is, as long as it waits for its turn: the worker keeps it
// up to date, for more processes may begin meanwhile, and those that have ended need no question.
#pragma once

#include <mutex>
#include <utility>

#include "runsc/process_list.h"

namespace gyrfalcon {

// Any thread.
class SharedWanted {
 public:
  explicit SharedWanted(WantedProcesses wanted) : wanted_(std::move(wanted)) {}
  void Set(WantedProcesses wanted) {
    const std::scoped_lock lock(mutex_);
    wanted_ = std::move(wanted);
  }
  WantedProcesses Get() const {
    const std::scoped_lock lock(mutex_);
    return wanted_;
  }

 private:
  mutable std::mutex mutex_;
  WantedProcesses wanted_;  // under mutex_; nobody: runsc is not asked
};

}  // namespace gyrfalcon
