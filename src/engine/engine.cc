#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>

#include <absl/container/flat_hash_set.h>

#include "base/clock.h"
#include "engine/sandbox_id.h"
#include "rules/plan.h"

namespace gyrfalcon {

Engine::Engine(EngineOptions options, Listener listener, Dispatcher& dispatcher,
               OnProblem on_watch_problem, OnProblem on_lookup_problem)
    : options_(std::move(options)),
      listener_(std::move(listener)),
      memory_(options_.total_bytes_max),
      watch_(
          options_.watch, [this, &dispatcher](Alert alert) { Raise(dispatcher, std::move(alert)); },
          std::move(on_watch_problem),
          options_.attach ? WatchThread::OnUntraced([this](std::vector<UntracedSandbox> untraced) {
            session_updater_.Reconcile(std::move(untraced));
          })
                          : WatchThread::OnUntraced()),
      session_updater_(Sessions(dispatcher), [this] { return watch_.Connected(); }),
      metadata_lookup_(options_.metadata),
      process_lookup_(options_.processes, std::move(on_lookup_problem)),
      crew_(std::max<size_t>(1, options_.workers), options_.pipeline.grace_ns),
      pod_watch_(options_.pods) {
  options_.pipeline.containers = &containers_;
  options_.pipeline.memory = &memory_;
  options_.pipeline.observer = &watch_;
}

SessionUpdaterOptions Engine::Sessions(Dispatcher& dispatcher) {
  SessionUpdaterOptions sessions = options_.sessions;
  sessions.on_alert = [this, &dispatcher](Alert alert) { Raise(dispatcher, std::move(alert)); };
  return sessions;
}

void Engine::Raise(Dispatcher& dispatcher, Alert alert) {
  ++watch_alerts_;
  if (!dispatcher.Put(std::move(alert))) ++watch_alerts_lost_;
}

Result<std::unique_ptr<Engine>> Engine::Start(EngineOptions options,
                                              const std::shared_ptr<const RuleSet>& rules,
                                              Dispatcher& dispatcher, OnRejected on_rejected,
                                              OnProblem on_watch_problem,
                                              OnProblem on_lookup_problem) {
  if (!options.inherited.listener) {
    auto opened = Listener::Open(options.socket_path);
    if (!opened) return std::unexpected(opened.error());
    options.inherited.listener = std::move(*opened);
  }
  Listener listener = std::move(*options.inherited.listener);
  listener.Own();
  std::unique_ptr<Engine> engine(new Engine(std::move(options), std::move(listener), dispatcher,
                                            std::move(on_watch_problem),
                                            std::move(on_lookup_problem)));
  engine->rules_ = rules;
  Crew& crew = engine->crew_;
  for (size_t i = 0; i < std::max<size_t>(1, engine->options_.workers); ++i) {
    auto source = SocketSource::Create(engine->options_.source);
    if (!source) return std::unexpected(source.error());
    crew.workers.push_back(std::make_unique<Worker>(
        i, crew, std::move(*source), rules, engine->options_.pipeline, dispatcher,
        engine->user_lookup_, engine->metadata_lookup_, engine->process_lookup_));
  }
  engine->TakeUpInherited();
  for (const auto& worker : crew.workers) worker->Start();
  engine->pod_watch_.Start([&crew](const PodChange& change) {
    for (const auto& worker : crew.workers) worker->SetPod(change);
  });
  engine->on_rejected_ = std::move(on_rejected);
  auto started = engine->StartHandshakes(std::move(engine->options_.inherited.silent));
  if (!started) return std::unexpected(started.error());
  return engine;
}

Result<void> Engine::StartHandshakes(std::vector<UniqueFd> silent) {
  auto handshakes = HandshakeService::Start(
      listener_, options_.handshake,
      [this](AcceptedConnection connection) {
        Worker& worker = WorkerFor(connection);
        worker.Add(std::move(connection));
      },
      on_rejected_, std::move(silent));
  if (!handshakes) return std::unexpected(handshakes.error());
  handshakes_ = std::move(*handshakes);
  return {};
}

Engine::~Engine() {
  Stop();
}

// Before any worker runs: what it then hears of a connection finds its session.
void Engine::TakeUpInherited() {
  Inheritance& inherited = options_.inherited;
  totals_before_ = inherited.totals;
  options_.handshake.first_connection =
      std::max(options_.handshake.first_connection, inherited.next_connection);
  SnapshotFile* snapshots = options_.pipeline.snapshots;
  // What is there of others goes by numbers that these may have.
  if (snapshots != nullptr && snapshots != inherited.state) snapshots->KeepOnly({});
  absl::flat_hash_set<uint64_t> taken_up;
  for (AcceptedConnection& connection : inherited.connections) {
    taken_up.insert(connection.id.value);
    Worker& worker = WorkerFor(connection);
    worker.Inherit(std::move(connection), inherited.state);
  }
  inherited.connections.clear();
  inherited.state = nullptr;
  if (snapshots != nullptr) snapshots->KeepOnly(taken_up);
}

void Engine::StopAsking() {
  user_lookup_.Stop();
  metadata_lookup_.Stop();
  pod_watch_.Stop();
  process_lookup_.Stop();
  session_updater_.Stop();
  watch_.Stop();
}

void Engine::SettleHandovers() {
  // What is on its way from one worker to another would miss the end.
  crew_.placement.Freeze();
  for (const auto& worker : crew_.workers) worker->WaitForHandovers();
}

void Engine::Stop() {
  if (std::exchange(stopped_, true)) return;
  if (handshakes_) handshakes_->Stop();
  StopAsking();
  if (released_) return;
  if (options_.detach_at_stop) session_updater_.DetachConnected();
  SettleHandovers();
  for (const auto& worker : crew_.workers) worker->Stop();
  for (const auto& worker : crew_.workers) worker->Join();
}

// What others are asked goes on: the answers find their workers if this engine does.
Inheritance Engine::Release(HeldBack held_back, SnapshotFile* state) {
  Inheritance left;
  if (stopped_ || std::exchange(released_, true)) return left;
  SettleHandovers();
  left.stopped_ns = SteadyNs();
  left.silent = handshakes_->Release();
  left.next_connection = handshakes_->next_connection();
  const bool tells = held_back == HeldBack::kTold;
  for (const auto& worker : crew_.workers) worker->StopReading(tells, state);
  for (const auto& worker : crew_.workers) {
    worker->Join();
    for (AcceptedConnection& connection : worker->TakeConnections()) {
      left.connections.push_back(std::move(connection));
    }
  }
  std::ranges::sort(left.connections, {}, &AcceptedConnection::id);
  left.totals = totals();
  left.listener = std::move(listener_);
  left.state = state;
  return left;
}

Result<void> Engine::GoOn(Inheritance left) {
  listener_ = std::move(*left.listener);
  for (AcceptedConnection& connection : left.connections) {
    crew_.placement.WithWorkerOf(connection.id.value, [&](size_t worker) {
      crew_.workers[worker]->TakeBack(std::move(connection));
    });
  }
  crew_.placement.Thaw();
  for (const auto& worker : crew_.workers) worker->Start();
  released_ = false;
  return handshakes_->GoOn(listener_, std::move(left.silent));
}

Worker& Engine::WorkerFor(const AcceptedConnection& connection) {
  const std::string key =
      connection.peer ? SandboxKeyFromCommandLine(connection.peer->command_line) : std::string();
  return *crew_.workers[crew_.placement.Place(connection.id.value, key)];
}

// Compiled here, beside those in use, and freed here when the last worker has let them go.
void Engine::SetRules(const std::shared_ptr<const RuleSet>& rules) {
  rules->plan(rules_->plan().Figures());
  for (const auto& worker : crew_.workers) worker->SetRules(rules);
  older_rules_.push_back(std::exchange(rules_, rules));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  const auto in_use = [](const auto& older) { return older.use_count() > 1; };
  while (std::ranges::any_of(older_rules_, in_use) && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::erase_if(older_rules_, std::not_fn(in_use));
}

std::vector<NamedHeartbeat> Engine::heartbeats() const {
  std::vector<NamedHeartbeat> heartbeats;
  for (size_t i = 0; i < crew_.workers.size(); ++i) {
    heartbeats.push_back({"worker " + std::to_string(i), &crew_.workers[i]->heartbeat()});
  }
  heartbeats.push_back({"handshakes", &handshakes_->heartbeat()});
  return heartbeats;
}

Totals Engine::totals() const {
  Totals sum = totals_before_;
  for (const auto& worker : crew_.workers) sum.Add(worker->totals());
  sum.engine.Add(EngineCounter::kAlerts, watch_alerts_);
  sum.engine.Add(EngineCounter::kAlertsLost, watch_alerts_lost_);
  sum.engine.Add(session_updater_.counters());
  sum.engine.Add(pod_watch_.counters());
  if (handshakes_) sum.wire.Add(handshakes_->counters().Snapshot());
  return sum;
}

size_t Engine::sandbox_count() const {
  size_t sum = 0;
  for (const auto& worker : crew_.workers) sum += worker->sandbox_count();
  return sum;
}

std::vector<SandboxCoverage> Engine::coverage() const {
  std::vector<SandboxCoverage> all;
  for (const auto& worker : crew_.workers) {
    std::ranges::move(worker->coverage(), std::back_inserter(all));
  }
  MergeWorst(all, kCoverageToldMax);
  return all;
}

}  // namespace gyrfalcon
