#include "engine/worker.h"

#include <algorithm>
#include <ctime>
#include <string>
#include <utility>

#include <pthread.h>

#include "base/clock.h"

namespace gyrfalcon {
namespace {

constexpr int kPublishIntervalMs = kHeartbeatIntervalMs;
constexpr int64_t kPublishIntervalNs = int64_t{kPublishIntervalMs} * 1'000'000;
// Long enough to see what is usual, short enough that nothing is lost meanwhile.
constexpr int64_t kLoadIntervalNs = 500'000'000;
// It is a look at every sandbox.
constexpr int64_t kCoverageIntervalNs = 1'000'000'000;
constexpr int kSaveIntervalMs = static_cast<int>(Pipeline::kSaveEveryNs / 1'000'000);

}  // namespace

Crew::Crew(size_t count, int64_t remember_ns) : placement(count, remember_ns) {}

Crew::~Crew() = default;

Worker::Worker(size_t number, Crew& crew, std::unique_ptr<SocketSource> source,
               std::shared_ptr<const RuleSet> rules, const PipelineOptions& options,
               Dispatcher& dispatcher, UserLookup& user_lookup, MetadataLookup& metadata_lookup,
               ProcessLookup& process_lookup)
    : number_(number),
      crew_(crew),
      source_(std::move(source)),
      sink_(dispatcher),
      users_(user_lookup),
      metadata_(metadata_lookup),
      processes_(process_lookup),
      pipeline_(std::move(rules), options, sink_, this),
      overload_(Pipeline::PressureMax(options.overload)),
      saves_(options.snapshots != nullptr) {}

void Worker::Start() {
  if (releases_.exchange(false)) source_->ReadOn();
  thread_ = std::thread([this] { Run(); });
}

void Worker::Join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::SetRules(std::shared_ptr<const RuleSet> rules) {
  {
    const std::scoped_lock lock(mutex_);
    mailbox_.rules = std::move(rules);
    has_news_.store(true, std::memory_order_release);
  }
  source_->Wake();  // whoever reloads waits for the old ones
}

void Worker::WaitForHandovers() {
  source_->Wake();
  std::unique_lock lock(mutex_);
  handovers_taken_.wait(lock, [this] { return mailbox_.handovers.empty(); });
}

Totals Worker::totals() const {
  const std::scoped_lock lock(mutex_);
  return published_;
}

std::vector<SandboxCoverage> Worker::coverage() const {
  const std::scoped_lock lock(mutex_);
  return published_coverage_;
}

size_t Worker::sandbox_count() const {
  const std::scoped_lock lock(mutex_);
  return published_sandboxes_;
}

void Worker::Run() {
  pthread_setname_np(pthread_self(), ("worker " + std::to_string(number_)).c_str());
  idle_ms_ = kPublishIntervalMs;
  SetIdleTimeout();
  load_since_ns_ = pressed_since_ns_ = SteadyNs();
  Record record;
  int64_t looked_ns = 0;     // by the records' times, as the next
  int64_t published_ns = 0;  // by the records' times: no clock is asked for each
  for (;;) {
    heartbeat_.Beat();
    const SourceStatus status = source_->Next(record);
    if (has_news_.load(std::memory_order_acquire)) TakeUpNews();
    if (status == SourceStatus::kEnd) break;
    if (status == SourceStatus::kRecord) pipeline_.Process(record);
    if (status == SourceStatus::kIdle) pipeline_.TellDue(RealTimeNs());
    const int64_t since_ns = record.receive_time_ns - published_ns;
    const bool due = since_ns >= kPublishIntervalNs || since_ns < 0;
    if (status == SourceStatus::kIdle || record.kind != RecordKind::kFrame || due) {
      published_ns = record.receive_time_ns;
      Publish();
    }
    const int64_t looked_since_ns = record.receive_time_ns - looked_ns;
    if (looked_since_ns >= OverloadControl::kTickNs || looked_since_ns < 0) {
      looked_ns = record.receive_time_ns;
      LookAtLoad();
    }
    if (saves_) {
      if (!std::exchange(unsaved_, true)) {
        idle_ms_ = kSaveIntervalMs;
        SetIdleTimeout();
      }
      const int64_t unsaved_ns = record.receive_time_ns - saved_ns_;
      if (status == SourceStatus::kIdle || unsaved_ns >= Pipeline::kSaveEveryNs || unsaved_ns < 0) {
        saved_ns_ = record.receive_time_ns;
        SaveSessions();
      }
    }
    if (pipeline_.holds() || holds_) SetIdleTimeout();
    if (balance_due_ && source_->between_batches()) Balance();
  }
  pipeline_.TakeUpHeld();
  if (!releases_ || tells_) pipeline_.TellRest();
  if (saves_) pipeline_.SaveAll();
  if (releases_) {
    released_ = source_->ReleaseAll();
    if (SnapshotFile* state = released_state_) SaveReleased(*state);
  }
  Publish();
}

void Worker::SaveReleased(SnapshotFile& state) {
  for (const AcceptedConnection& connection : released_) {
    const uint64_t id = connection.id.value;
    const std::string saved = pipeline_.SaveSession(id);
    if (!saved.empty() && state.Put(SnapshotKind::kSession, id, saved)) continue;
    // That something of it was read, the next one can still know.
    if (auto* read = state.MarkOf(id)) read->store(1, std::memory_order_relaxed);
  }
}

void Worker::StopReading(bool tells, SnapshotFile* state) {
  tells_ = tells;
  released_state_ = state;
  releases_ = true;
  source_->StopReading();
}

void Worker::Inherit(AcceptedConnection connection, const SnapshotFile* state) {
  const uint64_t id = connection.id.value;
  const auto saved = state != nullptr ? state->Get(SnapshotKind::kSession, id) : std::string();
  const uint64_t frames_read = state != nullptr ? state->frames_read(id) : 0;
  if (state != nullptr && !saved && frames_read == 0) {
    // Nobody has read any of it: it begins here.
    Record opened;
    opened.kind = RecordKind::kOpened;
    opened.connection = connection.id;
    opened.receive_time_ns = RealTimeNs();
    opened.peer = connection.peer;
    pipeline_.Process(opened);
  } else {
    // Where it fails the sandbox is as one that is attached late, which is counted.
    [[maybe_unused]] const auto restored =
        pipeline_.RestoreSession({.connection = id,
                                  .peer = connection.peer,
                                  .receive_time_ns = RealTimeNs(),
                                  .frames_read = frames_read},
                                 saved.value_or(""));
  }
  source_->Adopt(std::move(connection));
}

void Worker::TakeUpNews() {
  Mailbox news;
  {
    const std::scoped_lock lock(mutex_);
    has_news_.store(false, std::memory_order_relaxed);
    std::swap(news, mailbox_);
    for (Handover& handover : news.handovers) {
      pipeline_.Adopt(std::move(handover.sessions));
      for (AcceptedConnection& connection : handover.connections) {
        source_->Adopt(std::move(connection));
      }
    }
  }
  handovers_taken_.notify_all();
  // Not under the lock: this asks rules, and may ask the lookups again.
  if (news.rules) pipeline_.SetRules(std::move(news.rules));
  for (FoundUsers& found : news.users) {
    pipeline_.SetUsers(found.connection, found.container_id, std::move(found.users));
  }
  for (const PodChange& change : news.pods) pipeline_.SetPod(change);
  for (const FoundContainer& found : news.containers) {
    pipeline_.SetContainer(found.connection, found.container_id, found.answer);
  }
  for (const FoundProcesses& found : news.processes) {
    pipeline_.SetProcesses(found.connection, found.question, found.answer);
  }
}

void Worker::Publish() {
  const int64_t now_ns = SteadyNs();
  Totals totals = pipeline_.totals();
  totals.wire = source_->counters().Snapshot();
  balance_due_ = crew_.workers.size() > 1 && now_ns - load_since_ns_ >= kLoadIntervalNs;
  const bool tells_coverage = now_ns - coverage_ns_ >= kCoverageIntervalNs;
  std::vector<SandboxCoverage> coverage;
  if (tells_coverage) {
    coverage_ns_ = now_ns;
    coverage = pipeline_.WorstCovered(kCoverageToldMax);
  }
  const std::scoped_lock lock(mutex_);
  if (tells_coverage) published_coverage_.swap(coverage);
  published_ = totals;
  published_sandboxes_ = pipeline_.sandbox_count();
}

void Worker::LookAtLoad() {
  const int64_t now_ns = SteadyNs();
  const int64_t span_ns = now_ns - pressed_since_ns_;
  if (span_ns < OverloadControl::kTickNs / 2) return;
  pressed_since_ns_ = now_ns;
  const int64_t waited_ns = source_->waited_ns();
  const int64_t idle_ns = waited_ns - std::exchange(waited_when_pressed_ns_, waited_ns);
  const double busy = 1 - static_cast<double>(idle_ns) / static_cast<double>(span_ns);
  const unsigned step = overload_.Note({.busy = busy, .fill = source_->TakePeakFill()}, now_ns);
  if (step != 0 || pipeline_.is_pressed()) pipeline_.SetPressure(step);
}

// Nobody is woken where nothing changes.
void Worker::SaveSessions() {
  const int64_t now_ns = SteadyNs();
  const int64_t next_ns = pipeline_.SaveDue(now_ns);
  const int64_t wait_ms = (next_ns - now_ns) / 1'000'000 + 1;
  idle_ms_ = static_cast<int>(std::clamp<int64_t>(wait_ms, kSaveIntervalMs, kPublishIntervalMs));
  SetIdleTimeout();
  unsaved_ = false;
}

void Worker::SetIdleTimeout() {
  holds_ = pipeline_.holds();
  const int64_t held_ms = holds_ ? pipeline_.HeldDueInNs() / 1'000'000 + 1 : idle_ms_;
  source_->set_idle_timeout_ms(static_cast<int>(std::min<int64_t>(held_ms, idle_ms_)));
}

void Worker::Balance() {
  balance_due_ = false;
  const int64_t now_ns = SteadyNs();
  const int64_t span_ns = now_ns - std::exchange(load_since_ns_, now_ns);
  const int64_t waited_ns = source_->waited_ns();
  const int64_t idle_ns = waited_ns - std::exchange(waited_until_then_ns_, waited_ns);
  const double share = 1 - static_cast<double>(idle_ns) / static_cast<double>(span_ns);
  std::vector<ConnectionLoad> loads = pipeline_.TakeLoads();
  if (share < Placement::kOverloaded) {
    crew_.placement.NoteBusy(number_, share);
    return;
  }
  std::erase_if(loads, [this](const ConnectionLoad& load) {
    return !source_->CanRelease(ConnectionId{load.connection});
  });
  crew_.placement.Relieve(number_, share, loads, now_ns,
                          [this](const PlacementMove& move) { HandOver(move); });
}

namespace {

// Moves what is about these connections from one list to another.
template <class Item>
void Pass(const std::vector<uint64_t>& connections, std::vector<Item>& from,
          std::vector<Item>& to) {
  std::vector<Item> rest;
  for (Item& item : from) {
    const bool goes = std::ranges::find(connections, item.connection) != connections.end();
    (goes ? to : rest).push_back(std::move(item));
  }
  from = std::move(rest);
}

}  // namespace

void Worker::HandOver(const PlacementMove& move) {
  Handover handover;
  for (const uint64_t connection : move.connections) {
    if (auto released = source_->Release(ConnectionId{connection})) {
      handover.connections.push_back(std::move(*released));
    }
  }
  handover.sessions = pipeline_.Release(move.connections);
  Publish();
  balance_due_ = false;
  Worker& to = *crew_.workers[move.to];
  const std::scoped_lock lock(mutex_, to.mutex_);
  Pass(move.connections, mailbox_.users, to.mailbox_.users);
  Pass(move.connections, mailbox_.containers, to.mailbox_.containers);
  Pass(move.connections, mailbox_.processes, to.mailbox_.processes);
  to.mailbox_.handovers.push_back(std::move(handover));
  to.has_news_.store(true, std::memory_order_release);
  to.source_->Wake();
}

template <class Item>
void Worker::Leave(std::vector<Item> Mailbox::* where, Item item) {
  const std::scoped_lock lock(mutex_);
  (mailbox_.*where).push_back(std::move(item));
  has_news_.store(true, std::memory_order_release);
}

void Worker::SetPod(const PodChange& change) {
  Leave(&Mailbox::pods, change);
  source_->Wake();  // a pool of idle pods may be labelled for days before one speaks
}

bool Worker::AskUsers(uint64_t connection, const SandboxPlace& place,
                      const std::string& container_id) {
  return users_.Ask(
      place, container_id,
      [&crew = crew_, connection, container_id](std::shared_ptr<const UserTable> table) {
        crew.placement.WithWorkerOf(connection, [&](size_t worker) {
          crew.workers[worker]->Leave(&Mailbox::users,
                                      FoundUsers{connection, container_id, std::move(table)});
        });
      });
}

bool Worker::AskContainer(uint64_t connection, const SandboxPlace& place,
                          const std::string& container_id) {
  return metadata_.Ask(place, container_id,
                       [&crew = crew_, connection, container_id](const ContainerAnswer& answer) {
                         crew.placement.WithWorkerOf(connection, [&](size_t index) {
                           Worker& worker = *crew.workers[index];
                           worker.Leave(&Mailbox::containers,
                                        FoundContainer{connection, container_id, answer});
                           worker.source_->Wake();  // messages may wait for it, and no other come
                         });
                       });
}

bool Worker::CanAskProcesses(const SandboxPlace& place) const {
  return processes_.can_ask(place);
}

bool Worker::AskProcesses(uint64_t connection, uint64_t question, const SandboxPlace& place,
                          std::shared_ptr<const SharedWanted> wanted) {
  return processes_.Ask(
      place, std::move(wanted), [&crew = crew_, connection, question](ProcessAnswer answer) {
        crew.placement.WithWorkerOf(connection, [&](size_t index) {
          Worker& worker = *crew.workers[index];
          worker.Leave(&Mailbox::processes,
                       FoundProcesses{connection, question, std::move(answer)});
          worker.source_->Wake();  // the sandbox may say no more, and an alert may hang on this
        });
      });
}

}  // namespace gyrfalcon
