// Gives sandboxes that run a session, on a thread of its own, by `trace create`: to those that are
// ours the session config anew after its file has changed, and to those that are not traced the one
// that there is. The state of ours is kept, it moves to the connection that each makes then; what
// they do between the two sessions is not seen, and told as a window.
#pragma once

#include <chrono>
#include <condition_variable>
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
#include "engine/counters.h"
#include "engine/reconcile.h"
#include "engine/sandbox_sessions.h"
#include "metadata/rootfs.h"

namespace gyrfalcon {

struct SessionUpdate {
  std::vector<AttachReport> reports;  // ours that were found
  std::vector<std::string> problems;  // roots or sandboxes that could not be looked at
  bool is_second = false;             // see SessionUpdaterOptions::second_round
};

// What came of one round of attaching what was not traced.
struct ReconcileReport {
  struct Attached {
    AttachReport report;
    AttachReason reason = AttachReason::kUntraced;
  };
  std::vector<Attached> attached;      // those that failed only where the trouble is new
  std::vector<SandboxLeftAlone> left;  // likewise
};

struct SessionUpdaterOptions {
  std::string runsc;               // "": nothing is updated
  bool prefer_own_runsc = false;   // see SandboxesAsked
  std::vector<std::string> roots;  // asked in any case, beside those of sandboxes that connect
  std::string session_file;
  // The file is of our own making: sandboxes that started with another one keep that.
  bool updates_attached_only = false;
  bool takes_over = false;  // see Reconciler
  BuiltinSettings builtins{};
  std::string socket_path;  // that we listen at
  // One that was just starting has read the file before it changed, and is listed after it: so is
  // one that failed, they are tried once more.
  std::chrono::milliseconds second_round{5'000};
  std::chrono::milliseconds patience{5'000};  // with each call of runsc
  // All but on_detached run on the updater's thread.
  std::function<void(const SessionUpdate&)> on_update{};
  std::function<void(const ReconcileReport&)> on_reconciled{};
  std::function<void(Alert)> on_alert{};  // `gyrfalcon: events lost`
  std::function<void(const std::vector<AttachReport>&)> on_detached{};
};

class SessionUpdater {
 public:
  // `connected`: the sandboxes that are connected at this moment; any thread.
  SessionUpdater(SessionUpdaterOptions options,
                 std::function<std::vector<SandboxPlace>()> connected);
  ~SessionUpdater() { Stop(); }
  // A call of runsc that runs is ended.
  void Stop();

  // The file has been replaced. Any thread; does not wait. A change during an update is one more
  // update after it.
  void Update();
  // Attaches these. Any thread; does not wait. A newer list takes the place of one that waits.
  void Reconcile(std::vector<UntracedSandbox> untraced);
  // Ends the sessions of the sandboxes that are connected, and tells on_detached; waits. Only after
  // Stop.
  void DetachConnected() const;

  Counters<EngineCounter> counters() const { return counters_.Snapshot(); }

 private:
  using Clock = std::chrono::steady_clock;

  void Run();
  void UpdateAll(bool is_second);
  void AttachUntraced(const std::vector<UntracedSandbox>& untraced);
  void CountAttached(const ReconcileReport::Attached& attached);
  void TellLoss(const AttachReport& report, std::optional<int64_t> ended_ns) const;
  void ForgetUnconnected();
  SandboxesAsked WhomToAsk() const;
  void Count(const SessionUpdate& update);

  const SessionUpdaterOptions options_;
  const std::function<std::vector<SandboxPlace>()> connected_;
  const UniqueFd stop_fd_;  // becomes readable at Stop
  // By this update, by root and id; updater's thread.
  absl::flat_hash_set<std::string> updated_;
  absl::flat_hash_map<std::string, std::string> failed_;  // their roots
  absl::flat_hash_set<std::string> attached_;             // because they were not traced
  Reconciler reconciler_;
  AtomicCounters<EngineCounter> counters_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  bool asked_ = false;
  std::optional<std::vector<UntracedSandbox>> untraced_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gyrfalcon
