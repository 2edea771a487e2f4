#include "base/signals.h"

#include <initializer_list>
#include <thread>

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

bool IsBlocked(int signal) {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return ::sigismember(&mask, signal) == 1;
}

TEST(SignalsBlocked, AThreadTakesOnlyThoseThatEndABrokenProcess) {
  std::thread thread;
  {
    const SignalsBlocked blocked;
    thread = std::thread([] {
      for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGPIPE}) {
        EXPECT_TRUE(IsBlocked(signal)) << signal;
      }
      for (const int signal : {SIGABRT, SIGSEGV, SIGBUS}) EXPECT_FALSE(IsBlocked(signal)) << signal;
    });
  }
  thread.join();
  EXPECT_FALSE(IsBlocked(SIGTERM));
}

}  // namespace
}  // namespace gyrfalcon
