#include "bench/thread_set.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <filesystem>
#include <iterator>
#include <string>

#include "base/allocation_count.h"

namespace gyrfalcon {
namespace {

// The processor clock of any thread of this process, as pthread_getcpuclockid makes it from a
// pthread_t (Linux's ABI: the id inverted, three bits for "a thread's, by the scheduler").
clockid_t CpuClockOf(pid_t thread_id) {
  constexpr unsigned kThreadSchedulerClock = 6;
  return static_cast<clockid_t>((~static_cast<unsigned>(thread_id) << 3) | kThreadSchedulerClock);
}

}  // namespace

ThreadSet ThreadSet::Running() {
  ThreadSet set;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", error)) {
    const std::string name = entry.path().filename();
    pid_t thread_id = 0;
    std::from_chars(name.data(), name.data() + name.size(), thread_id);
    if (thread_id > 0) set.thread_ids_.push_back(thread_id);
  }
  std::ranges::sort(set.thread_ids_);
  return set;
}

ThreadSet ThreadSet::Without(const ThreadSet& others) const {
  ThreadSet set;
  std::ranges::set_difference(thread_ids_, others.thread_ids_, std::back_inserter(set.thread_ids_));
  return set;
}

int64_t ThreadSet::cpu_ns() const noexcept {
  int64_t sum = 0;
  for (const pid_t thread_id : thread_ids_) {
    timespec used{};
    if (clock_gettime(CpuClockOf(thread_id), &used) != 0) continue;
    sum += used.tv_sec * 1'000'000'000 + used.tv_nsec;
  }
  return sum;
}

uint64_t ThreadSet::allocations() const noexcept {
  uint64_t sum = 0;
  for (const pid_t thread_id : thread_ids_) sum += AllocationsOf(thread_id);
  return sum;
}

}  // namespace gyrfalcon
