// Asks runsc again and again which sandboxes run, hands those that are not traced to whoever
// attaches them, and raises an alert for each that is not watched nevertheless. A thread of its
// own: runsc takes its time, and no event waits for it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "alerts/builtin.h"
#include "base/unique_fd.h"
#include "engine/connection_observer.h"
#include "engine/watch.h"
#include "runsc/sink_peers.h"

namespace gyrfalcon {

struct WatchOptions {
  std::string runsc;  // "": nothing is asked
  // Asked in any case, beside those of sandboxes that connect.
  std::vector<std::string> roots;
  bool usual_roots = false;  // and those of runsc/roots.h
  std::string session_file;  // for the mend that an alert names
  std::string socket_path;   // that we listen at
  int interval_ms = 10'000;
  int reconcile_interval_ms = 30'000;
  int patience_ms = 5'000;  // with each call of runsc
  int grace_ms = 30'000;
  BuiltinSettings builtins{};
};

class WatchThread final : public ConnectionObserver {
 public:
  using OnAlert = std::function<void(Alert)>;
  // What is wrong with asking itself; once, until asking works again.
  using OnProblem = std::function<void(const Error&)>;

  // Has all that are not traced now, below every root that is known; must not wait.
  using OnUntraced = std::function<void(std::vector<UntracedSandbox>)>;

  // All run on the watch's thread.
  WatchThread(WatchOptions options, OnAlert on_alert, OnProblem on_problem,
              OnUntraced on_untraced = {});
  ~WatchThread() override;  // as Stop
  // No alert is raised after it returns. Does not wait for a runsc that runs: it is killed.
  void Stop();

  // From now on untraced sandboxes are told, at once and every reconcile_interval_ms. Any thread.
  void StartReconciling();

  // Of the connections that live, those whose place is known; any thread. None without a runsc.
  std::vector<SandboxPlace> Connected();

  void OnOpened(uint64_t connection, const SandboxPlace& place, bool from_start) override;
  void OnSpoke(uint64_t connection) override;
  void OnNamed(uint64_t connection, std::string_view container) override;
  void OnEnded(uint64_t connection) override;

 private:
  void Run();
  void TakeUpChanges();
  std::vector<std::string> Roots();
  bool IsReconcileDue();
  void Ask(const std::string& root, std::vector<UntracedSandbox>* untraced);
  Result<std::vector<ListedContainer>> List(const RunscCall& call);
  SessionLook LookAt(const RunscCall& call, const WatchFinding& finding,
                     const UnixSockets* sockets) const;
  void Settle(const RunscCall& call, const std::vector<WatchFinding>& findings);
  // Whether it is still so after a look that took its time.
  bool HoldsYet(const RunscCall& call, const WatchFinding& finding);
  void Raise(const WatchFinding& finding, Builtin builtin, const SessionLook& look);
  bool stopping();

  const WatchOptions options_;
  const OnAlert on_alert_;
  const OnProblem on_problem_;
  const OnUntraced on_untraced_;
  SandboxWatch watch_;                              // watch's thread
  absl::flat_hash_set<std::string> failing_;        // roots; watch's thread
  absl::flat_hash_set<std::string> failing_again_;  // those whose second list does; the same
  const UniqueFd stop_fd_;                          // becomes readable at Stop
  std::mutex mutex_;                                // guards what follows
  std::condition_variable wake_;
  absl::flat_hash_map<uint64_t, WatchedConnection> connections_;  // that live
  absl::flat_hash_map<uint64_t, WatchedConnection> changed_;      // not taken up yet
  std::optional<int64_t> reconcile_at_ns_;                        // steady clock
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gyrfalcon
