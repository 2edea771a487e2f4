#include <array>

#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/log.h"
#include "service/instance.h"

namespace gyrfalcon {
namespace {

constexpr int kNoDeadline = -1;

// Until that descriptor's other end is gone, or the time is over (false), or a signal says to stop
// (true).
bool WaitForSignal(const UniqueFd& signals, int other, int timeout_ms) {
  for (;;) {
    std::array<pollfd, 2> waiting = {{{signals.get(), POLLIN, 0}, {other, POLLRDHUP, 0}}};
    if (poll(waiting.data(), waiting.size(), timeout_ms) < 0) continue;
    if (waiting[0].revents == 0) return false;
    signalfd_siginfo info{};
    if (read(signals.get(), &info, sizeof info) != sizeof info) continue;
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) return true;
  }
}

}  // namespace

Result<void> Daemon::TakeNumber() {
  if (flags_.instance.empty()) return {};
  const auto number = NumberInstance(socket_path_, flags_.instance);
  if (!number) return std::unexpected(number.error());
  instance_ = *number;
  return {};
}

Daemon::Turn Daemon::AwaitTurn() const {
  if (instance_ == 0) return Turn::kNow;
  constexpr int kSuccessorMs = 1'000;
  constexpr int kStepMs = 50;
  const UniqueFd signals = BlockSignals();
  bool waited = has_handed_over_;
  // Where one was there a moment ago, who takes over from it needs a moment.
  int patience_ms = waited ? kSuccessorMs : 0;
  for (;;) {
    const auto newer = FindNewerInstance({.socket_path = socket_path_, .instance = instance_});
    if (!newer) spdlog::warn("is a newer instance there? {}", newer.error().message);
    const bool is_there = newer && *newer;
    if (!is_there && patience_ms <= 0) return waited ? Turn::kLater : Turn::kNow;
    if (is_there) {
      spdlog::info("standing by: a newer instance listens on {}", socket_path_);
      if (WaitForSignal(signals, newer->get(), kNoDeadline)) return Turn::kStopped;
      spdlog::info("the newer instance does not listen any more");
      waited = true;
      patience_ms = kSuccessorMs;
    }
    if (WaitForSignal(signals, -1, kStepMs)) return Turn::kStopped;
    patience_ms -= kStepMs;
  }
}

void Daemon::KeepWaiting(TakeoverClient client) {
  constexpr size_t kStandingByMax = 16;
  std::erase_if(standing_by_, &TakeoverClient::HasHungUp);
  if (standing_by_.size() == kStandingByMax) standing_by_.erase(standing_by_.begin());
  standing_by_.push_back(std::move(client));
  spdlog::info("older instances that stand by: {}", standing_by_.size());
}

void Daemon::ReleaseMemory() {
  engine_.reset();
  dispatcher_.reset();
  malloc_trim(0);
}

}  // namespace gyrfalcon
