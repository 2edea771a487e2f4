#include "engine/pipeline.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/hash.h"
#include "engine/sandbox_id.h"
#include "engine/sensor_alerts.h"
#include "wire/message_header.h"

namespace gyrfalcon {

Pipeline::Pipeline(std::shared_ptr<const RuleSet> rules, PipelineOptions options, AlertSink& alerts,
                   HostLookups* lookups)
    : matcher_(std::make_unique<Matcher>(std::move(rules))),
      options_(options),
      shed_plan_(matcher_->plan(), options_.overload),
      alerts_(alerts),
      lookups_(lookups) {}

Pipeline::~Pipeline() = default;

void Pipeline::SetRules(std::shared_ptr<const RuleSet> rules) {
  matcher_ = std::make_unique<Matcher>(std::move(rules));
  shed_plan_ = ShedPlan(matcher_->plan(), options_.overload);
}

namespace {

constexpr int64_t kTellDueEveryNs = 1'000'000'000;

}  // namespace

void Pipeline::Process(const Record& record) {
  received_ns_ = record.receive_time_ns;
  if (received_ns_ != 0) clock_.Receive(received_ns_);
  if (clock_.now_ns() >= doubtful_claims_due_ns_) TellDoubtfulClaims();
  if (clock_.now_ns() >= held_due_ns_) TakeUpDueHeld();
  // A worker that is never idle must not keep quiet sandboxes waiting.
  const bool is_live = received_ns_ != 0;
  if (is_live && clock_.now_ns() >= told_due_ns_ + kTellDueEveryNs) TellDue(received_ns_);
  switch (record.kind) {
    case RecordKind::kOpened:
      Open(record);
      return;
    case RecordKind::kClosed:
      Close(record);
      return;
    case RecordKind::kFrame:
      if (Session* session = SessionOf(record.connection.value)) TakeUpFrame(*session, record);
      return;
  }
}

// Messages come many in a row of one connection.
Pipeline::Session* Pipeline::SessionOf(uint64_t connection) {
  if (last_.session != nullptr && last_.connection == connection) return last_.session;
  const auto found = sessions_.find(connection);
  if (found == sessions_.end()) return nullptr;
  last_ = {connection, &found->second};
  return last_.session;
}

SnapshotIdentity Pipeline::IdentityFromPeer(const Peer* peer) {
  SnapshotIdentity identity;
  if (peer == nullptr) return identity;
  identity.sandbox_key = SandboxKeyFromCommandLine(peer->command_line);
  identity.place = SandboxPlaceFromCommandLine(peer->command_line);
  identity.place.runsc = peer->runsc;
  identity.restored = RestoresSandbox(peer->command_line);
  identity.from_start = BeginsSandbox(peer->command_line);
  identity.may_follow = !identity.sandbox_key.empty() && !identity.from_start && !identity.restored;
  return identity;
}

Pipeline::Session& Pipeline::OpenSession(uint64_t connection, const SnapshotIdentity& identity) {
  totals_.engine.Add(EngineCounter::kSandboxesOpened);
  last_ = {};
  Session& session = sessions_[connection];
  session.sandbox = std::make_shared<Sandbox>(options_.limits, options_.arch);
  if (options_.memory != nullptr) options_.memory->Join();
  NoteMemory(session);
  session.name = "connection " + std::to_string(connection);
  session.sandbox_key = identity.sandbox_key;
  session.place = identity.place;
  session.restored = identity.restored;
  session.from_start = identity.from_start;
  session.may_follow = identity.may_follow;
  const std::string id = session.sandbox_key.substr(0, session.sandbox_key.find('@'));
  session.named = !id.empty();
  if (session.named) session.name = id;
  session.identity = {.owner = session.named ? session.sandbox_key : session.name,
                      .root = session.place.state_root};
  if (options_.containers != nullptr) {
    options_.containers->Join(session.identity);
    if (session.named) options_.containers->Assign(session.identity, id);
  }
  if (options_.observer != nullptr) {
    options_.observer->OnOpened(connection, session.place, session.from_start);
  }
  if (options_.snapshots != nullptr) session.read_mark = options_.snapshots->MarkOf(connection);
  return session;
}

void Pipeline::Open(const Record& record) {
  const uint64_t connection = record.connection.value;
  Session& session = OpenSession(connection, IdentityFromPeer(record.peer.get()));
  if (session.may_follow) successor_by_sandbox_[session.sandbox_key] = connection;
  if (session.from_start) ForgetKept(session.sandbox_key);
  if (!record.peer) return;
  // Before the sandbox's own container has said a word, so that its first event has names already.
  AskForUsers(connection, session, session.place.sandbox_id);
  if (session.place.known()) AskForContainer(connection, session, session.place.sandbox_id);
}

void Pipeline::AskForUsers(uint64_t connection, const Session& session,
                           const std::string& container_id) {
  if (lookups_ == nullptr || !session.place.known()) return;
  if (!lookups_->AskUsers(connection, session.place, container_id)) {
    totals_.engine.Add(EngineCounter::kUserLookupsRefused);
  }
}

void Pipeline::SetUsers(uint64_t connection, std::string_view container_id,
                        std::shared_ptr<const UserTable> users) {
  const Session* session = SessionForAnswer(connection);
  if (session != nullptr) session->sandbox->SetUsers(container_id, std::move(users));
}

Pipeline::Session* Pipeline::SessionForAnswer(uint64_t& connection) {
  auto found = sessions_.find(connection);
  if (found != sessions_.end() && !found->second.sandbox) {
    // The state has moved while the answer was on its way.
    const auto newer = connection_by_sandbox_.find(found->second.sandbox_key);
    found = newer == connection_by_sandbox_.end() ? sessions_.end() : sessions_.find(newer->second);
  }
  if (found == sessions_.end() || !found->second.sandbox) return nullptr;
  connection = found->first;
  return &found->second;
}

void Pipeline::AllowSnapshots(Session& session) {
  if (lookups_ == nullptr || !lookups_->CanAskProcesses(session.place)) return;
  session.sandbox->AllowSnapshots(!session.from_start);
}

void Pipeline::AskForProcesses(uint64_t connection, Session& session) {
  totals_.engine.Add(EngineCounter::kProcessLookups);
  const uint64_t question = ++questions_;
  session.sandbox->NoteSnapshotAsked(question);
  session.wanted = std::make_shared<SharedWanted>(WantedProcesses{});
  UpdateWanted(session);
  if (lookups_->AskProcesses(connection, question, session.place, session.wanted)) return;
  totals_.engine.Add(EngineCounter::kProcessLookupsRefused);
  TakeAnswer(session, {.question = question, .failed = true, .whole = false, .processes = {}});
}

void Pipeline::UpdateWanted(Session& session) {
  session.wanted_version = session.sandbox->awaited_version();
  const std::vector<int32_t> tgids = session.sandbox->AwaitedTgids();
  session.wanted->Set(
      {.all = session.sandbox->wants_seed(), .tgids = {tgids.begin(), tgids.end()}});
}

void Pipeline::SetProcesses(uint64_t connection, uint64_t question, const ProcessAnswer& answer) {
  SnapshotAnswer snapshots{.question = question, .failed = !answer.list && !answer.spared};
  if (answer.spared) totals_.engine.Add(EngineCounter::kProcessLookupsSpared);
  if (snapshots.failed) totals_.engine.Add(EngineCounter::kProcessLookupsFailed);
  if (answer.list) {
    totals_.engine.Add(EngineCounter::kProcessEntriesMalformed, answer.list->malformed);
    totals_.engine.Add(EngineCounter::kProcessEntriesTrimmed, answer.list->trimmed);
    snapshots.whole = answer.list->whole();
    snapshots.processes = answer.list->processes;
  }
  Session* session = SessionForAnswer(connection);
  if (session == nullptr) return;
  speaking_ = session;
  TakeAnswer(*session, snapshots);
  if (session->sandbox->wants_snapshot()) AskForProcesses(connection, *session);
}

void Pipeline::TakeAnswer(Session& session, const SnapshotAnswer& answer) {
  ++session.changes;
  const size_t missed = session.sandbox->TakeSnapshot(answer, *this);
  if (missed == 0) return;
  totals_.engine.Add(EngineCounter::kProcessesUnasked, missed);
  session.losses.Note(LossKind::kUnasked, missed, session.losses.last_ns());
  TellDue(session);
}

void Pipeline::Close(const Record& record) {
  const auto found = sessions_.find(record.connection.value);
  if (found != sessions_.end() && found->second.held) {
    Hold(found->second, record);
    return;
  }
  if (lookups_ != nullptr) lookups_->OnSessionEnd(record.connection.value);
  if (found == sessions_.end()) return;
  totals_.engine.Add(EngineCounter::kSandboxesClosed);
  Session& session = found->second;
  if (session.wanted) session.wanted->Set({});
  if (record.receive_time_ns != 0) session.clock.Receive(record.receive_time_ns);
  ForgetSuccessor(record.connection.value, session);
  if (Session* successor = FindSuccessor(record.connection.value, session)) {
    MoveState(session, *successor);
    successor->follows = true;
    connection_by_sandbox_[session.sandbox_key] = successor_by_sandbox_[session.sandbox_key];
  }
  if (session.sandbox) {
    speaking_ = &session;
    session.sandbox->Finish(*this);
    NoteLimits(session, session.losses.last_ns());
    CountState(session);
  }
  if (session.doubtful_claim && !session.doubtful_claim->had_it) {
    TellDoubtfulClaim(record.connection.value, session);
  }
  TellRest(session);
  const bool keep = IsWorthKeeping(record.connection.value, session);
  const auto named = connection_by_sandbox_.find(session.sandbox_key);
  if (named != connection_by_sandbox_.end() && named->second == record.connection.value) {
    connection_by_sandbox_.erase(named);
  }
  if (options_.memory != nullptr) {
    if (!keep) options_.memory->Note(session.memory_noted, 0);
    options_.memory->Leave();
  }
  if (options_.observer != nullptr) options_.observer->OnEnded(record.connection.value);
  if (options_.containers != nullptr) options_.containers->Leave(session.identity);
  if (options_.snapshots != nullptr) {
    options_.snapshots->Remove(SnapshotKind::kSession, record.connection.value);
  }
  if (keep) Keep(std::move(session));
  last_ = {};
  sessions_.erase(found);
}

// Which connections speak for one sandbox shows with their first message, not at their opening: a
// refused `trace create` connects too, and says nothing. A sandbox that begins is nobody's
// successor.
void Pipeline::Identify(uint64_t connection, Session& session, bool begins) {
  session.identified = true;
  if (session.sandbox_key.empty()) return;
  ForgetSuccessor(connection, session);
  if (begins && session.follows) BeginAnew(session);
  TakeUpHeldOfOlder(connection, session);
  const auto [entry, is_new] = connection_by_sandbox_.try_emplace(session.sandbox_key, connection);
  if (is_new) TakeUpKept(session, begins);
  if (is_new || entry->second == connection) return;
  const auto older = sessions_.find(std::exchange(entry->second, connection));
  if (begins || older == sessions_.end() || !older->second.sandbox) return;
  // `trace create --force` has replaced the older connection: the state moves to the newer.
  MoveState(older->second, session);
}

void Pipeline::MoveState(Session& from, Session& to) {
  CountState(from);
  to.sandbox = std::move(from.sandbox);
  to.counted = from.counted;
  speaking_ = &to;
  to.sandbox->BeginConnection(*this);
  to.limits_hit = from.limits_hit;
  // A fresh bucket is nothing that a sandbox should get by being attached anew.
  std::swap(to.throttle, from.throttle);
  std::swap(to.budget, from.budget);
  std::swap(to.memory_noted, from.memory_noted);
  std::swap(to.clock, from.clock);
  to.losses.SwapTimer(from.losses);
  ++from.changes;
  ++to.changes;
  totals_.engine.Add(EngineCounter::kSandboxesMoved);
}

Pipeline::Session* Pipeline::FindSuccessor(uint64_t connection, const Session& ended) {
  if (!ended.sandbox) return nullptr;
  const auto speaks = connection_by_sandbox_.find(ended.sandbox_key);
  if (speaks == connection_by_sandbox_.end() || speaks->second != connection) return nullptr;
  const auto successor = successor_by_sandbox_.find(ended.sandbox_key);
  if (successor == successor_by_sandbox_.end()) return nullptr;
  const auto found = sessions_.find(successor->second);
  return found == sessions_.end() ? nullptr : &found->second;
}

void Pipeline::ForgetSuccessor(uint64_t connection, const Session& session) {
  if (!session.may_follow) return;
  const auto found = successor_by_sandbox_.find(session.sandbox_key);
  if (found != successor_by_sandbox_.end() && found->second == connection) {
    successor_by_sandbox_.erase(found);
  }
}

void Pipeline::BeginAnew(Session& session) {
  session.asked.clear();
  session.sandbox = std::make_shared<Sandbox>(options_.limits, options_.arch);
  session.limits_hit = {};
  session.counted = {};
  NoteMemory(session);
}

void Pipeline::CountState(Session& session) {
  totals_.state.Add(session.sandbox->counters().Since(session.counted));
  session.counted = session.sandbox->counters();
}

std::vector<ConnectionLoad> Pipeline::TakeLoads() {
  std::vector<ConnectionLoad> loads;
  loads.reserve(sessions_.size());
  for (auto& [connection, session] : sessions_) {
    const uint64_t told = std::exchange(session.frames_of_load, session.frames);
    loads.push_back({connection, session.frames - told});
  }
  return loads;
}

Pipeline::Released Pipeline::Release(std::span<const uint64_t> connections) {
  last_ = {};
  Released released{.sessions = {}, .questions = questions_};
  for (const uint64_t connection : connections) {
    const auto found = sessions_.find(connection);
    if (found == sessions_.end()) continue;
    if (found->second.sandbox) CountState(found->second);
    const auto named = connection_by_sandbox_.find(found->second.sandbox_key);
    const bool speaks = named != connection_by_sandbox_.end() && named->second == connection;
    if (speaks) connection_by_sandbox_.erase(named);
    ForgetSuccessor(connection, found->second);
    if (found->second.held) held_bytes_ -= found->second.held->bytes();
    released.sessions.push_back({connection, speaks, std::move(found->second)});
    sessions_.erase(found);
  }
  speaking_ = nullptr;
  totals_.engine.Add(EngineCounter::kSandboxesRebalanced);
  return released;
}

void Pipeline::Adopt(Released released) {
  last_ = {};
  questions_ = std::max(questions_, released.questions);
  for (ReleasedSession& moved : released.sessions) {
    if (moved.speaks) {
      connection_by_sandbox_.insert_or_assign(moved.session.sandbox_key, moved.connection);
    }
    if (moved.session.may_follow && !moved.session.identified) {
      uint64_t& newest = successor_by_sandbox_[moved.session.sandbox_key];
      newest = std::max(newest, moved.connection);
    }
    // What was pressed there need not be here: the next tick says.
    pressed_ |= moved.session.rung != 0;
    if (moved.session.doubtful_claim) {
      doubtful_claims_due_ns_ =
          std::min(doubtful_claims_due_ns_, moved.session.doubtful_claim->due_ns);
    }
    if (moved.session.held) {
      held_bytes_ += moved.session.held->bytes();
      const int64_t due_ns = clock_.now_ns() + options_.metadata_wait_ns;
      moved.session.held->SetDue(due_ns);
      held_due_ns_ = std::min(held_due_ns_, due_ns);
    }
    RelabelPods(moved.session);
    sessions_.insert_or_assign(moved.connection, std::move(moved.session));
  }
}

uint32_t Pipeline::CountDrops(Session& session, uint32_t dropped_count) {
  // Wraps at 2^32, so only the unsigned difference means anything. A new connection may begin with
  // what was lost before it; `trace create --force` resets the counter, which a later connection
  // shows.
  if (std::exchange(session.drops_were_told, false)) {
    session.has_dropped_count = true;
    session.dropped_count = dropped_count;
    return 0;
  }
  const uint32_t before = session.has_dropped_count ? session.dropped_count : 0;
  const uint32_t back = before - dropped_count;
  // The Sentry's threads read it before they send: a message that another one overtook is a little
  // behind.
  constexpr uint32_t kOvertakenMax = 64;
  if (back != 0 && back <= kOvertakenMax && session.has_dropped_count) return 0;
  session.has_dropped_count = true;
  session.dropped_count = dropped_count;
  constexpr uint32_t kHalf = uint32_t{1} << 31;
  const uint32_t risen = dropped_count - before;
  const uint32_t newly_dropped = risen < kHalf ? risen : dropped_count;  // else it was reset
  totals_.engine.Add(EngineCounter::kDroppedBySandboxes, newly_dropped);
  return newly_dropped;
}

namespace {

uint64_t Sum(const StateCounters& counters, std::span<const StateCounter> which) {
  uint64_t sum = 0;
  for (const StateCounter counter : which) sum += counters[counter];
  return sum;
}

// After these, rules miss events.
constexpr StateCounter kEventLimits[] = {
    StateCounter::kProcessesRefused,  StateCounter::kThreadsRefused,
    StateCounter::kContainersRefused, StateCounter::kMemoryRefused,
    StateCounter::kThreadsForgotten,  StateCounter::kStateForgotten};
// After these, events lack a detail: told once, for a server with many descriptors or a build that
// writes many files goes on hitting them.
constexpr StateCounter kDetailLimits[] = {StateCounter::kFdsRefused, StateCounter::kTextsCut,
                                          StateCounter::kWrittenFilesForgotten};

}  // namespace

// Once in a while: the counters are many, and a limit is hit seldom.
void Pipeline::NoteLimits(Session& session, int64_t now_ns) {
  const StateCounters& counters = session.sandbox->counters();
  const uint64_t hit = Sum(counters, kEventLimits);
  session.losses.Note(LossKind::kLimit, hit - session.limits_hit.each_time, now_ns);
  session.limits_hit.each_time = hit;
  if (session.limits_hit.details) return;
  const uint64_t details = Sum(counters, kDetailLimits);
  session.losses.Note(LossKind::kLimit, details, now_ns);
  session.limits_hit.details = details != 0;
}

void Pipeline::RaiseLoss(const Session& session, const LossReport& report) {
  RaiseBuiltin(Builtin::kEventsLost, report.until_ns, DescribeLoss(report, session.name));
}

void Pipeline::RaiseBuiltin(Builtin builtin, int64_t time_ns, std::vector<AlertField> fields) {
  if (!options_.builtins.enabled(builtin)) return;
  Raise(MakeBuiltinAlert(builtin, options_.builtins.priority(builtin), time_ns, std::move(fields)));
}

bool Pipeline::AdmitProvoked(Session& session, Builtin builtin, int64_t event_ns) {
  if (!options_.builtins.enabled(builtin)) return false;
  if (session.throttle.Admit(builtin, session.clock.now_ns(), event_ns)) return true;
  totals_.engine.Add(EngineCounter::kAlertsHeldBack);
  return false;
}

void Pipeline::RaiseProvoked(Session& session, Builtin builtin, int64_t event_ns,
                             std::vector<AlertField> fields) {
  AppendHeldBack(session.throttle.Take(builtin, session.clock.now_ns()), fields);
  RaiseBuiltin(builtin, event_ns, std::move(fields));
}

void Pipeline::TellHeldBack(Session& session, bool at_end) {
  if (!session.throttle.holds_any()) return;
  const int64_t now_ns = session.clock.now_ns();
  for (size_t i = 0; i < kBuiltinCount; ++i) {
    const auto builtin = static_cast<Builtin>(i);
    const bool due =
        at_end ? session.throttle.Holds(builtin) : session.throttle.IsDue(builtin, now_ns);
    if (!due) continue;
    const HeldBack held = session.throttle.Take(builtin, now_ns);
    std::vector<AlertField> fields = {{"gyrfalcon.sandbox", session.name}};
    AppendHeldBack(held, fields);
    RaiseBuiltin(builtin, held.until_ns, std::move(fields));
  }
}

void Pipeline::TellRest(Session& session) {
  const uint64_t untold_drops = std::exchange(session.untold_drops, 0);
  session.losses.Note(LossKind::kDropped, untold_drops, session.losses.last_ns());
  if (const auto rest = session.losses.TakeRest()) RaiseLoss(session, *rest);
  TellHeldBack(session, true);
  TellSuppressed(session, true);
  TellShedEnd(session);
}

void Pipeline::TellRest() {
  for (auto& [connection, session] : sessions_) {
    speaking_ = &session;
    const uint64_t told_before = totals_.engine[EngineCounter::kAlerts];
    if (session.sandbox) {
      session.sandbox->TellDue(std::numeric_limits<int64_t>::max(), *this);
      NoteLimits(session, session.losses.last_ns());
    }
    TellRest(session);
    NoteTold(session, told_before);
  }
}

void Pipeline::TellDue(Session& session) {
  if (const auto due = session.losses.TakeDue(session.clock.now_ns())) RaiseLoss(session, *due);
  TellHeldBack(session, false);
  if (session.budget.is_due(session.clock.now_ns())) TellSuppressed(session, false);
}

void Pipeline::TellSuppressed(Session& session, bool at_end) {
  while (const auto suppressed = session.budget.TakeDue(session.clock.now_ns(), at_end)) {
    RaiseBuiltin(Builtin::kAlertsSuppressed, suppressed->held.until_ns,
                 DescribeSuppressed(*suppressed, session.name));
  }
}

void Pipeline::TellDue(int64_t receive_time_ns) {
  received_ns_ = receive_time_ns;
  clock_.Receive(receive_time_ns);
  told_due_ns_ = clock_.now_ns();
  if (clock_.now_ns() >= doubtful_claims_due_ns_) TellDoubtfulClaims();
  if (clock_.now_ns() >= held_due_ns_) TakeUpDueHeld();
  if (!kept_.empty()) DropOverdueKept();
  for (auto& [connection, session] : sessions_) {
    session.clock.Receive(receive_time_ns);
    speaking_ = &session;
    const uint64_t told_before = totals_.engine[EngineCounter::kAlerts];
    if (session.sandbox) session.sandbox->TellDue(receive_time_ns, *this);
    NoteMemory(session);
    TellDue(session);
    NoteTold(session, told_before);
  }
}

// Without a message the state changes by what it tells: the next process must not tell it again.
void Pipeline::NoteTold(Session& session, uint64_t told_before) {
  if (totals_.engine[EngineCounter::kAlerts] != told_before) ++session.changes;
}

void Pipeline::Raise(Alert alert) {
  totals_.engine.Add(EngineCounter::kAlerts);
  if (!alerts_.OnAlert(std::move(alert))) totals_.engine.Add(EngineCounter::kAlertsLost);
}

void Pipeline::OnSignal(const Signal& signal) {
  if (signal.kind == SignalKind::kExecLost) speaking_->losses.NoteExecTooLarge(signal.time_ns);
  const auto builtin = BuiltinOf(signal.kind);
  if (!builtin || !AdmitProvoked(*speaking_, *builtin, signal.time_ns)) return;
  RaiseProvoked(*speaking_, *builtin, signal.time_ns, DescribeSignal(signal, speaking_->name));
}

// What comes late or early by more is a lie, or has waited in a queue for that long.
void Pipeline::ClampTime(int64_t receive_time_ns) {
  const int64_t told_ns = event_.context().time_ns;
  if (receive_time_ns == 0 || told_ns == 0 || options_.clock_skew_ns == 0) return;
  const int64_t believed_ns = std::clamp(told_ns, receive_time_ns - options_.clock_skew_ns,
                                         receive_time_ns + options_.clock_skew_ns);
  if (believed_ns == told_ns) return;
  totals_.engine.Add(EngineCounter::kTimesClamped);
  event_.SetTime(believed_ns);
}

// Of whom no runsc tells, the first container is the identity: two such connections are one
// sandbox, attached anew.
// False for a container that is another's: a liar must not go by the name of whom it lies about.
bool Pipeline::NameAnonymous(uint64_t connection, Session& session, std::string_view container) {
  if (options_.containers != nullptr) {
    SandboxIdentity named{.owner = "container " + std::string(container), .root = {}};
    options_.containers->Join(named);
    std::string other;
    if (!options_.containers->Claim(named, container, other)) {
      options_.containers->Leave(named);
      return false;
    }
    options_.containers->Leave(session.identity);
    session.identity = std::move(named);
  }
  session.named = true;
  session.name = container;
  if (options_.observer != nullptr) options_.observer->OnNamed(connection, container);
  return true;
}

void Pipeline::CheckContainers(uint64_t connection, Session& session, int64_t now_ns) {
  const std::string_view started = event_.text(Slot::kStartId);
  const ContextCheck check = CheckOf(event_.context());  // the registry may change meanwhile
  session.believed = {};
  for (const std::string_view container : {event_.context().container_id, started}) {
    if (container.empty()) continue;
    const bool may_name = !session.named && container.size() <= options_.limits.id_bytes_max &&
                          !IsKnownRefused(session, container);
    if (may_name) NameAnonymous(connection, session, container);
    if (options_.containers == nullptr || IsOwnContainer(session, container, now_ns)) continue;
    totals_.engine.Add(EngineCounter::kContainersDisowned);
    event_.DisownContainer();
    return;
  }
  session.believed = check;
}

bool Pipeline::IsKnownRefused(const Session& session, std::string_view container) const {
  if (options_.containers == nullptr) return false;
  if (session.containers_as_of != options_.containers->generation()) return false;
  const auto known = session.containers.find(container);
  return known != session.containers.end() && !known->second;
}

bool Pipeline::IsOwnContainer(Session& session, std::string_view container, int64_t now_ns) {
  const uint64_t generation = options_.containers->generation();
  if (generation != session.containers_as_of) {
    session.containers_as_of = generation;
    session.containers.clear();
  } else if (container == session.last_container) {
    return session.last_is_own;
  }
  if (container.size() > options_.limits.id_bytes_max) return true;  // the state refuses it
  const auto known = session.containers.find(container);
  session.last_is_own = known != session.containers.end()
                            ? known->second
                            : ClaimContainer(session, container, now_ns);
  session.last_container = container;
  session.met_container = true;
  return session.last_is_own;
}

constexpr int64_t kClaimPatienceNs = 2'000'000'000;

bool Pipeline::ClaimContainer(Session& session, std::string_view container, int64_t now_ns) {
  // More than the state remembers: nobody knows whose they are.
  if (session.containers.size() >= options_.limits.containers_max) return false;
  std::string other;
  const bool is_own = options_.containers->Claim(session.identity, container, other);
  session.containers.emplace(container, is_own);
  if (is_own) {
    if (session.doubtful_claim && session.doubtful_claim->container == container) {
      session.doubtful_claim.reset();
      session.told_claims.erase(container);
    }
    return true;
  }
  // Its processes may go by the container that the checkpoint was made of, which may live on.
  if (session.restored || session.told_claims.contains(container)) return false;
  // Beyond what is remembered the same claim may be told twice, as the throttle lets it.
  if (session.told_claims.size() < options_.limits.containers_max) {
    session.told_claims.emplace(container);
  }
  const bool had_it = session.named && container == session.name;
  const bool may_be_taken_over = session.sandbox_key.empty() && (had_it || !session.named);
  if (may_be_taken_over && !session.doubtful_claim) {
    const int64_t due_ns = clock_.now_ns() + kClaimPatienceNs;
    session.doubtful_claim = {std::string(container), other, received_ns_, due_ns, had_it};
    doubtful_claims_due_ns_ = std::min(doubtful_claims_due_ns_, due_ns);
  } else {
    TellClaim(session, container, other, now_ns);
  }
  return false;
}

void Pipeline::TellClaim(Session& session, std::string_view container, std::string_view owner,
                         int64_t now_ns) {
  if (!AdmitProvoked(session, Builtin::kIdentityClaimed, now_ns)) return;
  RaiseProvoked(session, Builtin::kIdentityClaimed, now_ns,
                DescribeClaim(container, session.name, owner));
}

void Pipeline::TellDoubtfulClaims() {
  doubtful_claims_due_ns_ = std::numeric_limits<int64_t>::max();
  for (auto& [connection, session] : sessions_) {
    if (!session.doubtful_claim) continue;
    if (const int64_t due_ns = session.doubtful_claim->due_ns; clock_.now_ns() < due_ns) {
      doubtful_claims_due_ns_ = std::min(doubtful_claims_due_ns_, due_ns);
      continue;
    }
    TellDoubtfulClaim(connection, session);
  }
}

void Pipeline::TellDoubtfulClaim(uint64_t connection, Session& session) {
  const DoubtfulClaim claim = std::move(*session.doubtful_claim);
  session.doubtful_claim.reset();
  // The owner may have ended while this one had nothing to say.
  std::string owner = claim.owner;
  const bool is_own = session.named
                          ? options_.containers->Claim(session.identity, claim.container, owner)
                          : NameAnonymous(connection, session, claim.container);
  if (is_own) {
    session.told_claims.erase(claim.container);
  } else {
    TellClaim(session, claim.container, owner, claim.received_ns);
  }
}

// What could not be read is told at once: the next message may be as unreadable.
void Pipeline::NoteUnreadable(Session& session, const Record& record, LossKind kind) {
  const bool live = record.receive_time_ns != 0;
  session.losses.Note(kind, 1, live ? record.receive_time_ns : session.losses.last_ns());
  TellDue(session);
}

void Pipeline::TakeUpFrame(Session& session, const Record& record) {
  if (session.held) {
    Hold(session, record);
    return;
  }
  speaking_ = &session;
  totals_.engine.Add(EngineCounter::kMessages);
  ++session.frames;
  if (session.read_mark != nullptr) {
    session.read_mark->store(session.frames + record.more_received, std::memory_order_relaxed);
  }
  if (!std::exchange(session.spoke, true) && options_.observer != nullptr) {
    options_.observer->OnSpoke(record.connection.value);
  }
  if (record.receive_time_ns != 0) session.clock.Receive(record.receive_time_ns);
  TakeUpMessage(session, record);
  if (!record.turn_cut) return;
  if (const auto flood = session.flood.NoteCutTurn(session.clock.now_ns(), session.frames))
    TellFlood(session, *flood);
}

void Pipeline::TellFlood(Session& session, const FloodReport& report) {
  totals_.engine.Add(EngineCounter::kEventFloods);
  // Its times are the clock's, which begins with the session; alerts have the host's.
  FloodReport dated = report;
  dated.since_ns += received_ns_ - session.clock.now_ns();
  RaiseBuiltin(Builtin::kEventFlood, received_ns_,
               DescribeFlood(dated, received_ns_, session.name));
}

// Where a process has just been made, the next thing it does is an exec, and one that is too large
// to send counts as a drop, too: what its process says next decides.
void Pipeline::NoteDrops(Session& session, int64_t now_ns) {
  const int64_t clock_ns = session.clock.now_ns();
  const uint64_t drops = std::exchange(session.untold_drops, 0);
  session.losses.Note(LossKind::kDropped, drops, now_ns);
  const bool after_clone = session.clone_ns && clock_ns - *session.clone_ns < LossLedger::kCauseNs;
  if (drops != 0 && after_clone) session.losses.AwaitCause();
  if (event_.type() == MessageType::kSentryClone) session.clone_ns = clock_ns;
}

void Pipeline::TakeUpMessage(Session& session, const Record& record) {
  const auto message = ReadMessage(record.frame);
  if (!message) {
    totals_.engine.Add(EngineCounter::kBadFraming);
    NoteUnreadable(session, record, LossKind::kUndecodable);
    return;
  }
  const bool is_told = session.has_dropped_count && !session.drops_were_told &&
                       session.dropped_count == message->dropped_count;
  if (!is_told) session.untold_drops += CountDrops(session, message->dropped_count);
  if (record.truncated) {
    totals_.engine.Add(EngineCounter::kTruncated);
    NoteUnreadable(session, record, LossKind::kTruncated);
    return;
  }
  if (!session.identified) {
    constexpr auto kStart = static_cast<uint16_t>(MessageType::kContainerStart);
    Identify(record.connection.value, session, message->type == kStart);
    AllowSnapshots(session);
  }
  if (!session.sandbox) {
    // It speaks although its state has moved: so it was another sandbox, and begins anew.
    BeginAnew(session);
    AllowSnapshots(session);
    totals_.engine.Add(EngineCounter::kSandboxesSplit);
  }
  if (session.rung != 0 && SkipsMessage(session, message->type, message->payload)) return;
  if (const auto decoded = Decode(message->type, message->payload, event_, session.contexts.get());
      !decoded) {
    totals_.decode.Add(decoded.error());
    const bool known = decoded.error() != DecodeError::kUnknownType;
    if (known) NoteUnreadable(session, record, LossKind::kUndecodable);
    return;
  }
  ClampTime(record.receive_time_ns);
  const int64_t told_ns = event_.context().time_ns;
  const int64_t now_ns = told_ns != 0 ? told_ns : record.receive_time_ns;
  if (record.receive_time_ns == 0) session.clock.Replay(told_ns);
  const bool is_checked = event_.context().id != 0 && !event_.has(Slot::kStartId) &&
                          session.believed == CheckOf(event_.context());
  if (!is_checked) CheckContainers(record.connection.value, session, now_ns);
  if (session.met_container && HoldsMessage(session, record)) return;
  NoteDrops(session, now_ns);
  if (session.losses.TakeFresh()) session.sandbox->NoteLoss();
  session.sandbox->Apply(event_, record.receive_time_ns, *this);
  constexpr size_t kMemoryStep = 4096;
  if (session.sandbox->held_bytes() >= session.memory_noted + kMemoryStep) NoteMemory(session);
  constexpr uint64_t kLimitsEvery = 256;
  if (++session.messages % kLimitsEvery == 0) NoteLimits(session, now_ns);
  if (HasAnythingDue(session)) TellDue(session);
  session.losses.NoteMessage(now_ns);
  if (session.sandbox->wants_snapshot()) {
    AskForProcesses(record.connection.value, session);
  } else if (session.wanted && session.wanted_version != session.sandbox->awaited_version()) {
    UpdateWanted(session);
  }
  if (!session.sandbox->has_new_containers()) return;
  for (const std::string& container : session.sandbox->TakeNewContainers()) {
    // The sandbox's own was asked for when the connection opened.
    if (container == session.place.sandbox_id) continue;
    AskForUsers(record.connection.value, session, container);
  }
}

namespace {

uint64_t IdOf(const Rule& rule) {
  return TextHash()(rule.name);
}

}  // namespace

void Pipeline::OnHappening(const Happening& happening) {
  totals_.engine.Add(EngineCounter::kHappenings);
  Priority least = Priority::kDebug;
  if (speaking_->rung != 0) {
    least = ShedPlan::LeastAt(speaking_->rung);
    if (matcher_->LeavesOut(happening.type, least)) NoteUnasked(happening);
  }
  for (const Rule* rule : matcher_->Match(happening, least)) {
    if (happening.raised != nullptr) {
      const uint64_t id = IdOf(*rule);
      if (happening.raised->Has(id)) continue;
      happening.raised->Note(id);
    }
    if (!speaking_->budget.Admit(options_.alert_budget, *rule, speaking_->clock.now_ns(),
                                 happening.time_ns)) {
      totals_.engine.Add(EngineCounter::kAlertsSuppressed);
      continue;
    }
    Alert alert = MakeAlert(*rule, happening, matcher_->scratch());
    alert.sandbox = speaking_->name;
    Raise(std::move(alert));
  }
}

// ---- what is left out when the worker can't keep up

ShedLedger& Pipeline::ShedOf(Session& session) {
  if (!session.shed) {
    session.shed = std::make_unique<ShedLedger>();
    totals_.engine.Add(EngineCounter::kOverloads);
  }
  return *session.shed;
}

// A message that tells of drops is taken up: the loss is to be told, and what comes next is held
// against the state with it.
bool Pipeline::SkipsMessage(Session& session, uint16_t type, std::span<const std::byte> payload) {
  if (!shed_plan_.Skips(type, session.rung)) return false;
  if (session.untold_drops != 0 || session.sandbox->has_raw_twin(type)) return false;
  if (TellsPath(type, payload)) return false;
  ShedOf(session).NoteSkipped(type, received_ns_);
  totals_.engine.Add(EngineCounter::kMessagesSkipped);
  if (session.shed->told < session.rung) TellShed(session);
  return true;
}

void Pipeline::NoteUnasked(const Happening& happening) {
  Session& session = *speaking_;
  const auto type = happening.event == nullptr ? MessageType::kUnknown : happening.event->type();
  ShedOf(session).NoteUnasked(static_cast<size_t>(type), received_ns_);
  totals_.engine.Add(EngineCounter::kEventsUnasked);
  if (session.shed->told < session.rung) TellShed(session);
}

void Pipeline::TellShed(Session& session) {
  const bool begins = session.shed->told == 0;
  session.shed->told = session.rung;
  if (!AdmitProvoked(session, Builtin::kOverloaded, received_ns_)) return;
  RaiseProvoked(session, Builtin::kOverloaded, received_ns_,
                DescribeShedding(begins, session.rung, shed_plan_.SkippedTypes(session.rung),
                                 session.floods, session.name));
}

void Pipeline::TellShedEnd(Session& session) {
  const auto shed = std::exchange(session.shed, nullptr);
  if (!shed || !AdmitProvoked(session, Builtin::kOverloaded, shed->until_ns)) return;
  RaiseProvoked(session, Builtin::kOverloaded, shed->until_ns, DescribeShed(*shed, session.name));
}

void Pipeline::SetRung(Session& session, ShedRung rung) {
  if (session.rung == rung) return;
  session.rung = rung;
  if (rung == 0) TellShedEnd(session);
}

void Pipeline::SetPressure(unsigned step) {
  const auto rungs = static_cast<unsigned>(ShedPlan::Rungs(options_.overload));
  uint64_t frames = 0;
  size_t active = 0;
  for (const auto& [connection, session] : sessions_) {
    const uint64_t sent = session.frames - session.frames_of_tick;
    frames += sent;
    active += sent != 0 ? 1 : 0;
  }
  // Until a tick has passed nobody knows who sends how much.
  const bool is_known = std::exchange(pressed_, step != 0);
  uint64_t of_others = 0;
  for (auto& [connection, session] : sessions_) {
    const uint64_t sent = session.frames - std::exchange(session.frames_of_tick, session.frames);
    // A quarter less than the average is as much as the others.
    session.floods = active != 0 && sent * 4 * active >= frames * 3;
    if (!session.floods) of_others += sent;
  }
  if (step != 0 && !is_known) return;
  // Where the others send next to nothing, leaving that out would help nobody.
  const bool others_matter = of_others * 8 >= frames;
  const unsigned step_of_others = others_matter ? step - std::min(step, rungs) : 0;
  for (auto& [connection, session] : sessions_) {
    const unsigned own = session.floods ? step : step_of_others;
    SetRung(session, static_cast<ShedRung>(std::min(own, rungs)));
  }
}

void Pipeline::NoteMemory(Session& session) {
  if (options_.memory == nullptr || !session.sandbox) return;
  size_t share = options_.memory->ShareNow();
  // Nobody may come for what is kept.
  while (share != MemoryBudget::kUnlimited && ForgetOldestKept()) {
    share = options_.memory->ShareNow();
  }
  constexpr size_t kSessionBytes = sizeof(Session) + sizeof(ContextMemory);
  size_t bytes = session.sandbox->memory_bytes() + kSessionBytes;
  if (bytes > share) {
    speaking_ = &session;
    session.sandbox->Shrink(share, *this);
    bytes = session.sandbox->memory_bytes() + kSessionBytes;
  }
  options_.memory->Note(session.memory_noted, bytes);
  session.memory_noted = bytes;
}

Totals Pipeline::totals() const {
  Totals sum = totals_;
  for (const auto& [connection, session] : sessions_) {
    if (session.sandbox) sum.state.Add(session.sandbox->counters().Since(session.counted));
  }
  return sum;
}

// Names are copied of those alone that are told.
std::vector<SandboxCoverage> Pipeline::WorstCovered(size_t most) const {
  struct Found {
    SandboxCoverage coverage;
    const Session* session;
  };
  std::vector<Found> found;
  found.reserve(sessions_.size());
  for (const auto& [connection, session] : sessions_) {
    if (session.frames == 0 && session.dropped_count == 0) continue;
    found.push_back({{{}, session.frames, session.dropped_count}, &session});
  }
  const size_t told = std::min(most, found.size());
  std::ranges::partial_sort(found, found.begin() + static_cast<std::ptrdiff_t>(told),
                            IsWorseCovered, &Found::coverage);
  std::vector<SandboxCoverage> worst;
  worst.reserve(told);
  for (size_t i = 0; i < told; ++i) {
    worst.push_back(std::move(found[i].coverage));
    worst.back().sandbox = found[i].session->name;
  }
  return worst;
}

}  // namespace gyrfalcon
