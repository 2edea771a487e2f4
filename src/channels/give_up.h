// Ends what a channel waits for from another thread.
#pragma once

#include <chrono>

#include "base/unique_fd.h"

namespace gyrfalcon {

enum class Waited { kReady, kTimeout, kGivenUp };

class GiveUpSignal {
 public:
  GiveUpSignal();

  void Raise();  // any thread; for good
  bool raised() const;
  // Until `fd` (-1: none) is ready for `events` of poll, or has an error or an end.
  Waited WaitFor(int fd, short events, std::chrono::nanoseconds patience) const;

 private:
  UniqueFd event_;
};

}  // namespace gyrfalcon
