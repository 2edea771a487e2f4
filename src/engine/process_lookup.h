// Asks runsc which processes a sandbox has, on a thread of its own: `runsc trace procfs` takes a
// tenth of a second and may hang, so no event waits for it.
//
// Who runs in a sandbox decides how often this is asked for, so it is bounded: one call runs at a
// time, with a pause between two for the same sandbox, a number of them in a minute, for it and for
// all together, and none for a while after one has failed (a Sentry that does not answer would have
// every call take as long as it may). A question that comes too early waits for its turn; none is
// refused for that. Runsc is not called when nobody is waited for any more by then.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <absl/container/flat_hash_map.h>

#include "base/hash.h"
#include "base/unique_fd.h"
#include "engine/lookup_thread.h"
#include "engine/wanted_processes.h"
#include "metadata/rootfs.h"
#include "runsc/process_list.h"

namespace gyrfalcon {

struct ProcessLookupOptions {
  std::string runsc;  // "": nobody is asked
  // The runsc that connected goes before it where it is known: it has the sandbox's version.
  bool prefer_connecting = false;
  // Between a question and its call: what ends before costs none (health probes).
  std::chrono::milliseconds delay{200};
  // Of one sandbox:
  std::chrono::milliseconds pause{1'000};  // between two calls
  size_t calls_per_minute = 20;
  std::chrono::milliseconds pause_after_failure{5'000};  // doubled by each further one, up to
  std::chrono::milliseconds pause_after_failure_max{60'000};
  // Of all:
  size_t calls_per_minute_of_all = 300;
  size_t sandboxes_max = 16 * 1024;  // asked about within the last minute
  size_t waiting_max = 16 * 1024;
  // The output is read as it comes, and not kept.
  ChildLimits child{.patience = std::chrono::milliseconds{5'000},
                    .output_bytes_max = size_t{256} << 20};
};

struct ProcessAnswer {
  std::shared_ptr<const ProcessList> list;  // nullptr: runsc could not tell, or was not asked
  bool spared = false;                      // it was not: nobody was waited for any more
};

class ProcessLookup {
 public:
  using Answer = std::function<void(ProcessAnswer)>;
  // What is wrong with asking; once for each sandbox, until asking works there again.
  using OnProblem = std::function<void(const Error&)>;

  // `on_problem` runs on the lookup's thread.
  ProcessLookup(ProcessLookupOptions options, OnProblem on_problem);
  ~ProcessLookup() { Stop(); }
  // No answer runs after it returns; a call that runs is ended.
  void Stop();

  bool can_ask(const SandboxPlace& place) const { return !options_.runsc.empty() && place.known(); }
  // Any thread; does not wait. `answer` runs once on another thread, unless Stop comes first; who
  // asks is alive until then. `wanted` is read when it is the question's turn. False: too many wait
  // or were asked about, or nobody can be asked.
  bool Ask(const SandboxPlace& place, std::shared_ptr<const SharedWanted> wanted, Answer answer);

 private:
  using Clock = LookupThread::Clock;
  // Calls made and planned.
  struct Budget {
    Clock::time_point minute_began;
    size_t calls = 0;  // in that minute, which may lie ahead

    Clock::time_point Next(Clock::time_point now, size_t calls_per_minute);
    void GiveBack() { calls -= calls > 0 ? 1 : 0; }
  };
  // How often a sandbox was asked about.
  struct Past {
    Budget budget;
    Clock::time_point not_before;
    unsigned failures = 0;  // the last ones, without a success between them
  };

  bool Plan(const std::string& sandbox, Clock::time_point& due);
  void GiveBack(const std::string& sandbox);
  void Look(const SandboxPlace& place, const std::string& sandbox, WantedProcesses wanted,
            const Answer& answer);
  // True: the first failure after a success.
  bool NoteOutcome(const std::string& sandbox, bool failed);

  const ProcessLookupOptions options_;
  const OnProblem on_problem_;
  const UniqueFd stop_fd_;                                            // becomes readable at Stop
  std::mutex mutex_;                                                  // guards what follows
  absl::flat_hash_map<std::string, Past, TextHash, TextEqual> past_;  // by root and id
  Budget of_all_;
  LookupThread thread_;  // last: ends before what it uses
};

}  // namespace gyrfalcon
