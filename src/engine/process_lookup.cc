#include "engine/process_lookup.h"

#include <algorithm>
#include <utility>

#include <sys/eventfd.h>

namespace gyrfalcon {

ProcessLookup::ProcessLookup(ProcessLookupOptions options, OnProblem on_problem)
    : options_(std::move(options)),
      on_problem_(std::move(on_problem)),
      stop_fd_(eventfd(0, EFD_CLOEXEC)),
      thread_({.tries = 1, .wait_ms = 0, .waiting_max = options_.waiting_max}) {}

void ProcessLookup::Stop() {
  eventfd_write(stop_fd_.get(), 1);
  thread_.Stop();
}

bool ProcessLookup::Ask(const SandboxPlace& place, Answer answer) {
  if (!can_ask(place)) return false;
  std::string sandbox = place.state_root + '\0' + place.sandbox_id;
  Clock::time_point due;
  if (!Plan(sandbox, due)) return false;
  return thread_.Ask(
      [this, place, sandbox = std::move(sandbox), answer = std::move(answer)] {
        Look(place, sandbox, answer);
        return true;
      },
      due);
}

// When the next call may be made; false: not soon.
bool ProcessLookup::Plan(const std::string& sandbox, Clock::time_point& due) {
  constexpr std::chrono::minutes kMinute{1};
  const auto now = Clock::now();
  const std::scoped_lock lock(mutex_);
  if (past_.size() >= options_.sandboxes_max && !past_.contains(sandbox)) {
    absl::erase_if(past_, [&](const auto& entry) {
      return now >= entry.second.minute_began + kMinute && now >= entry.second.not_before;
    });
    if (past_.size() >= options_.sandboxes_max) return false;
  }
  Past& past = past_[sandbox];
  if (now >= past.minute_began + kMinute || past.calls == 0) {
    past.minute_began = now;
    past.calls = 0;
  }
  if (past.calls >= options_.calls_per_minute) return false;
  if (past.failed && now < past.not_before) return false;
  ++past.calls;
  due = std::max(now, past.not_before);
  past.not_before = due + options_.pause;
  return true;
}

void ProcessLookup::Look(const SandboxPlace& place, const std::string& sandbox,
                         const Answer& answer) {
  ChildLimits limits = options_.child;
  limits.stop_fd = stop_fd_.get();
  auto list = ListProcesses({options_.runsc, place.state_root, limits}, place.sandbox_id);
  {
    const std::scoped_lock lock(mutex_);
    Past& past = past_[sandbox];
    past.failed = !list;
    const auto pause = list ? options_.pause : options_.pause_after_failure;
    past.not_before = std::max(past.not_before, Clock::now() + pause);
  }
  if (!list) {
    if (failing_.insert(place.state_root).second) on_problem_(list.error());
    answer(nullptr);
    return;
  }
  failing_.erase(place.state_root);
  answer(std::make_shared<const ProcessList>(std::move(*list)));
}

}  // namespace gyrfalcon
