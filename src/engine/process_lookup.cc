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

bool ProcessLookup::Ask(const SandboxPlace& place, std::shared_ptr<const SharedWanted> wanted,
                        Answer answer) {
  if (!can_ask(place)) return false;
  const std::string sandbox = place.state_root + '\0' + place.sandbox_id;
  Clock::time_point due;
  if (!Plan(sandbox, due)) return false;
  const bool taken = thread_.Ask(
      [this, place, sandbox, wanted = std::move(wanted), answer = std::move(answer)] {
        WantedProcesses now_wanted = wanted->Get();
        if (now_wanted.all || !now_wanted.tgids.empty()) {
          Look(place, sandbox, std::move(now_wanted), answer);
        } else {
          GiveBack(sandbox);
          answer({.list = nullptr, .spared = true});
        }
        return true;
      },
      due);
  if (!taken) GiveBack(sandbox);
  return taken;
}

namespace {

constexpr std::chrono::minutes kMinute{1};

}  // namespace

ProcessLookup::Clock::time_point ProcessLookup::Budget::Next(Clock::time_point now,
                                                             size_t calls_per_minute) {
  if (now >= minute_began + kMinute) {
    minute_began = now;
    calls = 0;
  }
  if (calls >= calls_per_minute) {
    minute_began += kMinute;
    calls = 0;
  }
  ++calls;
  return std::max(now, minute_began);
}

// When the call may be made; false: too many sandboxes.
bool ProcessLookup::Plan(const std::string& sandbox, Clock::time_point& due) {
  const auto now = Clock::now();
  const std::scoped_lock lock(mutex_);
  if (past_.size() >= options_.sandboxes_max && !past_.contains(sandbox)) {
    absl::erase_if(past_, [&](const auto& entry) {
      return now >= entry.second.budget.minute_began + kMinute && now >= entry.second.not_before;
    });
    if (past_.size() >= options_.sandboxes_max) return false;
  }
  Past& past = past_[sandbox];
  due = std::max({now + options_.delay, past.not_before,
                  past.budget.Next(now, options_.calls_per_minute),
                  of_all_.Next(now, options_.calls_per_minute_of_all)});
  past.not_before = due + options_.pause;
  return true;
}

void ProcessLookup::GiveBack(const std::string& sandbox) {
  const std::scoped_lock lock(mutex_);
  of_all_.GiveBack();
  if (const auto past = past_.find(sandbox); past != past_.end()) past->second.budget.GiveBack();
}

bool ProcessLookup::NoteOutcome(const std::string& sandbox, bool failed) {
  const std::scoped_lock lock(mutex_);
  Past& past = past_[sandbox];
  auto pause = options_.pause;
  if (failed) {
    constexpr unsigned kDoublingsMax = 16;
    pause = std::min(options_.pause_after_failure * (1u << std::min(past.failures, kDoublingsMax)),
                     options_.pause_after_failure_max);
  }
  past.not_before = std::max(past.not_before, Clock::now() + pause);
  const bool is_first = failed && past.failures == 0;
  past.failures = failed ? past.failures + 1 : 0;
  return is_first;
}

void ProcessLookup::Look(const SandboxPlace& place, const std::string& sandbox,
                         WantedProcesses wanted, const Answer& answer) {
  ChildLimits limits = options_.child;
  limits.stop_fd = stop_fd_.get();
  const bool by_own = options_.prefer_connecting && !place.runsc.empty();
  const std::string& program = by_own ? place.runsc : options_.runsc;
  auto list =
      ListProcesses({program, place.state_root, limits}, place.sandbox_id, std::move(wanted));
  const Error* error = nullptr;
  if (!list) {
    error = &list.error();
  } else if (list->ended_early) {
    error = &*list->ended_early;
  }
  if (NoteOutcome(sandbox, error != nullptr)) {
    Error told = *error;
    told.message =
        "sandbox " + place.sandbox_id + " below " + place.state_root + ": " + told.message;
    on_problem_(told);
  }
  answer({.list = list ? std::make_shared<const ProcessList>(std::move(*list)) : nullptr});
}

}  // namespace gyrfalcon
