// Asks runsc which processes a sandbox has, on a thread of its own: `runsc trace procfs` takes a
// tenth of a second and may hang, so no event waits for it.
//
// Who runs in a sandbox decides how often this is asked for, so it is bounded: one call runs at a
// time, with a pause between two for the same sandbox, a number of them in a minute, and none for a
// while after one has failed (a Sentry that does not answer would have every call take as long as
// it may).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "base/hash.h"
#include "base/unique_fd.h"
#include "engine/lookup_thread.h"
#include "metadata/rootfs.h"
#include "runsc/process_list.h"

namespace gyrfalcon {

struct ProcessLookupOptions {
  std::string runsc;  // "": nobody is asked
  // Of one sandbox:
  std::chrono::milliseconds pause{1'000};  // between two calls
  size_t calls_per_minute = 20;
  std::chrono::milliseconds pause_after_failure{60'000};
  // Of all:
  size_t sandboxes_max = 16 * 1024;  // asked about within the last minute
  size_t waiting_max = 1024;
  ChildLimits child{.patience = std::chrono::milliseconds{3'000},
                    .output_bytes_max = size_t{16} << 20};
};

class ProcessLookup {
 public:
  // nullptr: runsc could not tell.
  using Answer = std::function<void(std::shared_ptr<const ProcessList>)>;
  // What is wrong with asking; once for each root, until asking works there again.
  using OnProblem = std::function<void(const Error&)>;

  // `on_problem` runs on the lookup's thread.
  ProcessLookup(ProcessLookupOptions options, OnProblem on_problem);
  ~ProcessLookup() { Stop(); }
  // No answer runs after it returns; a call that runs is ended.
  void Stop();

  bool can_ask(const SandboxPlace& place) const { return !options_.runsc.empty() && place.known(); }
  // Any thread; does not wait. `answer` runs once on another thread, unless Stop comes first; who
  // asks is alive until then. False: refused by one of the limits, or nobody can be asked.
  bool Ask(const SandboxPlace& place, Answer answer);

 private:
  using Clock = LookupThread::Clock;
  // How often a sandbox was asked about.
  struct Past {
    Clock::time_point minute_began;
    size_t calls = 0;  // in that minute
    Clock::time_point not_before;
    bool failed = false;  // the last one
  };

  bool Plan(const std::string& sandbox, Clock::time_point& due);
  void Look(const SandboxPlace& place, const std::string& sandbox, const Answer& answer);

  const ProcessLookupOptions options_;
  const OnProblem on_problem_;
  const UniqueFd stop_fd_;                                            // becomes readable at Stop
  absl::flat_hash_set<std::string> failing_;                          // roots; lookup's thread
  std::mutex mutex_;                                                  // guards what follows
  absl::flat_hash_map<std::string, Past, TextHash, TextEqual> past_;  // by root and id
  LookupThread thread_;  // last: ends before what it uses
};

}  // namespace gyrfalcon
