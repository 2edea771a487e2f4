#include "engine/engine.h"

#include <functional>

#include "base/clock.h"
#include "engine/sandbox_id.h"

namespace gyrfalcon {
// A thread with its own connections, sandboxes and counters. Others only add connections, leave new
// rules and read the published totals.
struct Engine::Worker final : private HostLookups {
  Worker(std::unique_ptr<SocketSource> socket_source, std::shared_ptr<const RuleSet> rules,
         const PipelineOptions& options, Dispatcher& dispatcher, UserLookup& user_lookup,
         ProcessLookup& process_lookup)
      : source(std::move(socket_source)),
        sink(dispatcher),
        users(user_lookup),
        processes(process_lookup),
        pipeline(std::move(rules), options, sink, this) {}

  void Run();
  void TakeUpNews();
  void Publish();

  struct FoundUsers {
    uint64_t connection;
    std::string container_id;
    std::shared_ptr<const UserTable> users;
  };
  struct FoundProcesses {
    uint64_t connection;
    uint64_t question;
    ProcessAnswer answer;
  };

  std::unique_ptr<SocketSource> source;
  DispatcherSink sink;
  UserLookup& users;
  ProcessLookup& processes;
  Pipeline pipeline;

  std::atomic<bool> has_news = false;
  std::mutex mutex;
  std::shared_ptr<const RuleSet> new_rules;     // under mutex; nullptr: none
  std::vector<FoundUsers> found_users;          // under mutex
  std::vector<FoundProcesses> found_processes;  // under mutex
  Totals published;                             // under mutex
  size_t published_sandboxes = 0;               // under mutex
  std::thread thread;

 private:
  bool AskUsers(uint64_t connection, const SandboxPlace& place,
                const std::string& container_id) override {
    return users.Ask(place, container_id,
                     [this, connection, container_id](std::shared_ptr<const UserTable> table) {
                       const std::scoped_lock lock(mutex);
                       found_users.push_back({connection, container_id, std::move(table)});
                       has_news.store(true, std::memory_order_release);
                     });
  }
  bool CanAskProcesses(const SandboxPlace& place) const override {
    return processes.can_ask(place);
  }
  bool AskProcesses(uint64_t connection, uint64_t question, const SandboxPlace& place,
                    std::shared_ptr<const SharedWanted> wanted) override {
    return processes.Ask(
        place, std::move(wanted), [this, connection, question](ProcessAnswer answer) {
          {
            const std::scoped_lock lock(mutex);
            found_processes.push_back({connection, question, std::move(answer)});
            has_news.store(true, std::memory_order_release);
          }
          source->Wake();  // the sandbox may say no more, and an alert may hang on this
        });
  }
};

void Engine::Worker::Run() {
  constexpr int kPublishIntervalMs = 500;
  constexpr uint32_t kRecordsPerPublish = 64 * 1024;
  source->set_idle_timeout_ms(kPublishIntervalMs);
  Record record;
  uint32_t since_publish = 0;
  for (;;) {
    const SourceStatus status = source->Next(record);
    if (has_news.load(std::memory_order_acquire)) TakeUpNews();
    if (status == SourceStatus::kEnd) break;
    if (status == SourceStatus::kRecord) pipeline.Process(record);
    if (status == SourceStatus::kIdle) pipeline.TellDue(RealTimeNs());
    // The clock is not asked for each message: a quiet worker publishes when idle, a busy one
    // often.
    if (status == SourceStatus::kIdle || record.kind != RecordKind::kFrame ||
        ++since_publish == kRecordsPerPublish) {
      since_publish = 0;
      Publish();
    }
  }
  pipeline.TellRest();
  Publish();
}

void Engine::Worker::TakeUpNews() {
  std::vector<FoundProcesses> lists;
  {
    const std::scoped_lock lock(mutex);
    has_news.store(false, std::memory_order_relaxed);
    if (new_rules) pipeline.SetRules(std::exchange(new_rules, nullptr));
    for (FoundUsers& found : std::exchange(found_users, {})) {
      pipeline.SetUsers(found.connection, found.container_id, std::move(found.users));
    }
    lists.swap(found_processes);
  }
  // Not under the lock: this asks rules, and may ask the lookup again.
  for (const FoundProcesses& found : lists) {
    pipeline.SetProcesses(found.connection, found.question, found.answer);
  }
}

void Engine::Worker::Publish() {
  Totals totals = pipeline.totals();
  totals.wire = source->counters().Snapshot();
  const std::scoped_lock lock(mutex);
  published = totals;
  published_sandboxes = pipeline.sandbox_count();
}

Engine::Engine(EngineOptions options, Listener listener, Dispatcher& dispatcher,
               OnProblem on_watch_problem, OnProblem on_lookup_problem)
    : options_(std::move(options)),
      listener_(std::move(listener)),
      watch_(
          options_.watch,
          [this, &dispatcher](Alert alert) {
            ++watch_alerts_;
            if (!dispatcher.Put(std::move(alert))) ++watch_alerts_lost_;
          },
          std::move(on_watch_problem)),
      process_lookup_(options_.processes, std::move(on_lookup_problem)) {
  options_.pipeline.containers = &containers_;
  options_.pipeline.observer = &watch_;
}

Result<std::unique_ptr<Engine>> Engine::Start(EngineOptions options,
                                              const std::shared_ptr<const RuleSet>& rules,
                                              Dispatcher& dispatcher, OnRejected on_rejected,
                                              OnProblem on_watch_problem,
                                              OnProblem on_lookup_problem) {
  auto listener = Listener::Open(options.socket_path);
  if (!listener) return std::unexpected(listener.error());
  std::unique_ptr<Engine> engine(new Engine(std::move(options), std::move(*listener), dispatcher,
                                            std::move(on_watch_problem),
                                            std::move(on_lookup_problem)));
  for (size_t i = 0; i < std::max<size_t>(1, engine->options_.workers); ++i) {
    auto source = SocketSource::Create(engine->options_.source);
    if (!source) return std::unexpected(source.error());
    engine->workers_.push_back(
        std::make_unique<Worker>(std::move(*source), rules, engine->options_.pipeline, dispatcher,
                                 engine->user_lookup_, engine->process_lookup_));
  }
  for (const auto& worker : engine->workers_) {
    worker->thread = std::thread([&target = *worker] { target.Run(); });
  }
  Engine& self = *engine;
  auto handshakes = HandshakeService::Start(
      engine->listener_, engine->options_.handshake,
      [&self](AcceptedConnection connection) {
        Worker& worker = self.WorkerFor(connection);
        worker.source->Add(std::move(connection));
      },
      std::move(on_rejected));
  if (!handshakes) return std::unexpected(handshakes.error());
  engine->handshakes_ = std::move(*handshakes);
  return engine;
}

Engine::~Engine() {
  Stop();
}

void Engine::Stop() {
  if (std::exchange(stopped_, true)) return;
  if (handshakes_) handshakes_->Stop();
  user_lookup_.Stop();
  process_lookup_.Stop();
  watch_.Stop();
  for (const auto& worker : workers_) worker->source->Stop();
  for (const auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

// By sandbox where the peer names it, so that a successor connection meets the state of the one
// before.
Engine::Worker& Engine::WorkerFor(const AcceptedConnection& connection) {
  const std::string id =
      connection.peer ? SandboxKeyFromCommandLine(connection.peer->command_line) : std::string();
  const size_t key =
      id.empty() ? std::hash<uint64_t>{}(connection.id.value) : std::hash<std::string>{}(id);
  return *workers_[key % workers_.size()];
}

void Engine::SetRules(const std::shared_ptr<const RuleSet>& rules) {
  rules->plan();  // compiled here, beside the one in use: workers only switch
  for (const auto& worker : workers_) {
    const std::scoped_lock lock(worker->mutex);
    worker->new_rules = rules;
    worker->has_news.store(true, std::memory_order_release);
  }
}

Totals Engine::totals() const {
  Totals sum;
  for (const auto& worker : workers_) {
    const std::scoped_lock lock(worker->mutex);
    sum.Add(worker->published);
  }
  sum.engine.Add(EngineCounter::kAlerts, watch_alerts_);
  sum.engine.Add(EngineCounter::kAlertsLost, watch_alerts_lost_);
  if (handshakes_) sum.wire.Add(handshakes_->counters().Snapshot());
  return sum;
}

size_t Engine::sandbox_count() const {
  size_t sum = 0;
  for (const auto& worker : workers_) {
    const std::scoped_lock lock(worker->mutex);
    sum += worker->published_sandboxes;
  }
  return sum;
}

}  // namespace gyrfalcon
