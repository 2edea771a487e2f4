#include "channels/give_up.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include <poll.h>
#include <sys/eventfd.h>

namespace gyrfalcon {

GiveUpSignal::GiveUpSignal() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void GiveUpSignal::Raise() {
  eventfd_write(event_.get(), 1);
}

bool GiveUpSignal::raised() const {
  pollfd event{event_.get(), POLLIN, 0};
  return poll(&event, 1, 0) > 0;
}

Waited GiveUpSignal::WaitFor(int fd, short events, std::chrono::nanoseconds patience) const {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + patience;
  for (;;) {
    const std::chrono::nanoseconds left =
        std::max<std::chrono::nanoseconds>(end - Clock::now(), std::chrono::nanoseconds(0));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    const timespec timeout{.tv_sec = seconds.count(), .tv_nsec = (left - seconds).count()};
    std::array<pollfd, 2> waiting = {{{event_.get(), POLLIN, 0}, {fd, events, 0}}};
    const int ready = ppoll(waiting.data(), waiting.size(), &timeout, nullptr);
    if (ready < 0 && errno == EINTR) continue;
    if (waiting[0].revents != 0) return Waited::kGivenUp;
    if (ready > 0) return Waited::kReady;
    return Waited::kTimeout;
  }
}

}  // namespace gyrfalcon
