// The live pipeline put together: listener, handshakes, and workers that each own a share of the
// sandboxes.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "channels/dispatcher.h"
#include "engine/inheritance.h"
#include "engine/metadata_lookup.h"
#include "engine/pipeline.h"
#include "engine/pod_watch.h"
#include "engine/process_lookup.h"
#include "engine/session_updater.h"
#include "engine/user_lookup.h"
#include "engine/watch_thread.h"
#include "engine/worker.h"
#include "wire/handshake.h"
#include "wire/listener.h"
#include "wire/socket_source.h"

namespace gyrfalcon {

struct EngineOptions {
  std::string socket_path;
  size_t workers = 1;
  PipelineOptions pipeline;
  size_t total_bytes_max = 0;  // of all sandboxes' states; 0: no bound
  HandshakeOptions handshake;
  SocketSourceOptions source;
  WatchOptions watch;
  ProcessLookupOptions processes;
  MetadataOptions metadata;
  PodWatchOptions pods;
  SessionUpdaterOptions sessions;
  Inheritance inherited;
  // Attaches sandboxes that run and are not traced, by `sessions`, once StartAttaching says so.
  bool attach = false;
  bool detach_at_stop = false;
};

class Engine {
 public:
  using OnRejected = HandshakeService::OnRejected;

  using OnProblem = WatchThread::OnProblem;

  // Listens when this returns. `dispatcher` must outlive the engine; `on_rejected` runs as
  // HandshakeService::Start says, the others on the watch's and the process lookup's thread.
  static Result<std::unique_ptr<Engine>> Start(
      EngineOptions options, const std::shared_ptr<const RuleSet>& rules, Dispatcher& dispatcher,
      OnRejected on_rejected, OnProblem on_watch_problem = [](const Error&) {},
      OnProblem on_lookup_problem = [](const Error&) {});
  ~Engine();  // as Stop

  // Stops accepting, takes up what sandboxes have sent by now, joins all threads. Sandboxes go on;
  // with `detach_at_stop` their sessions are ended before that.
  void Stop();
  // What is held back of sandboxes, for a little more to be known of it.
  enum class HeldBack : uint8_t {
    kKept,  // goes with the state: who gets that can read it
    kTold,  // as it is known now
  };
  // Each worker ends between two messages, and everything is given away: what is known of sandboxes
  // goes into `state`, which the result refers to. Nothing is read any more until another engine
  // starts with it; or this one goes on, with all that it knows.
  Inheritance Release(HeldBack held_back, SnapshotFile* state = nullptr);
  // With what Release has given. Fails (Fault::kEnvironment) when the process is out of
  // descriptors.
  Result<void> GoOn(Inheritance left);
  // One thread at a time; each worker takes them up between two messages. Returns when all have, or
  // after a second: so the rules before are freed here, and no worker spends time on it.
  void SetRules(const std::shared_ptr<const RuleSet>& rules);

  // The session config's file has been replaced: sandboxes that run and are ours get it. Any
  // thread; does not wait.
  void UpdateSessions() { session_updater_.Update(); }

  // Of the threads that have to make progress: every worker, and the handshakes'. Valid as long as
  // the engine is, but still once it has stopped or released.
  std::vector<NamedHeartbeat> heartbeats() const;

  // The session config that untraced sandboxes get is there. Any thread; does not wait.
  void StartAttaching() { watch_.StartReconciling(); }

  // Of all workers; while running, at most a second old.
  Totals totals() const;
  size_t sandbox_count() const;
  // Of the worst covered sandboxes, kCoverageToldMax at most; some seconds old.
  std::vector<SandboxCoverage> coverage() const;

 private:
  Engine(EngineOptions options, Listener listener, Dispatcher& dispatcher,
         OnProblem on_watch_problem, OnProblem on_lookup_problem);
  Result<void> StartHandshakes(std::vector<UniqueFd> silent);
  void TakeUpInherited();
  void StopAsking();
  // Nothing is on its way from one worker to another any more.
  void SettleHandovers();
  // Options of the sessions with where their alerts go.
  SessionUpdaterOptions Sessions(Dispatcher& dispatcher);
  void Raise(Dispatcher& dispatcher, Alert alert);
  // By sandbox where the peer names it, so that a successor connection meets the state of the one
  // before.
  Worker& WorkerFor(const AcceptedConnection& connection);

  EngineOptions options_;
  Totals totals_before_;                  // of the engine that this one goes on for
  std::shared_ptr<const RuleSet> rules_;  // in force; of SetRules' thread
  std::vector<std::shared_ptr<const RuleSet>> older_rules_;  // that a worker may still have
  Listener listener_;
  ContainerRegistry containers_;
  MemoryBudget memory_;
  std::atomic<uint64_t> watch_alerts_ = 0;
  std::atomic<uint64_t> watch_alerts_lost_ = 0;
  WatchThread watch_;
  SessionUpdater session_updater_;
  UserLookup user_lookup_;
  MetadataLookup metadata_lookup_;
  ProcessLookup process_lookup_;
  Crew crew_;
  PodWatch pod_watch_;
  std::unique_ptr<HandshakeService> handshakes_;
  OnRejected on_rejected_;
  bool released_ = false;
  bool stopped_ = false;
};

}  // namespace gyrfalcon
