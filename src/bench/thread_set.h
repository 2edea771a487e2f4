// Threads of this process, and what they have used so far.
#pragma once

#include <cstdint>
#include <vector>

#include <sys/types.h>

namespace gyrfalcon {

class ThreadSet {
 public:
  // Those that run at this moment.
  static ThreadSet Running();
  ThreadSet Without(const ThreadSet& others) const;

  size_t size() const noexcept { return thread_ids_.size(); }
  // Sums. A thread that has ended counts for nothing.
  int64_t cpu_ns() const noexcept;
  uint64_t allocations() const noexcept;  // see base/allocation_count.h

 private:
  std::vector<pid_t> thread_ids_;  // sorted
};

}  // namespace gyrfalcon
