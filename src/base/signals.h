// Which signals the threads of this process take.
#pragma once

#include <csignal>

namespace gyrfalcon {

// While it lives, threads are started that take no signals: those are for the thread that asked for
// them. All but those that end a process which is broken, such as the SIGABRT of systemd's
// watchdog: that comes with a SIGCONT to a process that was stopped, and a thread that blocked it
// would go on for as long as another one is not scheduled, and take up what dies with it.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept;
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace gyrfalcon
