#include "engine/pipeline.h"

#include <algorithm>

#include "base/hash.h"
#include "engine/sandbox_id.h"
#include "engine/sensor_alerts.h"
#include "wire/message_header.h"

namespace gyrfalcon {

Pipeline::Pipeline(std::shared_ptr<const RuleSet> rules, PipelineOptions options, AlertSink& alerts,
                   UserNameSource* user_names)
    : rules_(std::move(rules)), options_(options), alerts_(alerts), user_names_(user_names) {}

Pipeline::~Pipeline() = default;

void Pipeline::SetRules(std::shared_ptr<const RuleSet> rules) {
  rules_ = std::move(rules);
  scratch_.ForgetChecks();
}

void Pipeline::Process(const Record& record) {
  switch (record.kind) {
    case RecordKind::kOpened:
      Open(record);
      return;
    case RecordKind::kClosed:
      Close(record);
      return;
    case RecordKind::kFrame:
      if (const auto found = sessions_.find(record.connection.value); found != sessions_.end()) {
        TakeUpFrame(found->second, record);
      }
      return;
  }
}

void Pipeline::Open(const Record& record) {
  totals_.engine.Add(EngineCounter::kSandboxesOpened);
  Session& session = sessions_[record.connection.value];
  session.sandbox = std::make_shared<Sandbox>(options_.limits, options_.arch);
  session.name = "connection " + std::to_string(record.connection.value);
  if (record.peer) {
    session.sandbox_key = SandboxKeyFromCommandLine(record.peer->command_line);
    session.place = SandboxPlaceFromCommandLine(record.peer->command_line);
  }
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
    const bool from_start = record.peer && BeginsSandbox(record.peer->command_line);
    options_.observer->OnOpened(record.connection.value, session.place, from_start);
  }
  if (!record.peer) return;
  // Before the sandbox's own container has said a word, so that its first event has names already.
  AskForUsers(record.connection.value, session, session.place.sandbox_id);
}

void Pipeline::AskForUsers(uint64_t connection, const Session& session,
                           const std::string& container_id) {
  if (user_names_ == nullptr || !session.place.known()) return;
  if (!user_names_->Ask(connection, session.place, container_id)) {
    totals_.engine.Add(EngineCounter::kUserLookupsRefused);
  }
}

void Pipeline::SetUsers(uint64_t connection, std::string_view container_id,
                        std::shared_ptr<const UserTable> users) {
  auto found = sessions_.find(connection);
  if (found != sessions_.end() && !found->second.sandbox) {
    // The state has moved while the answer was on its way.
    const auto newer = connection_by_sandbox_.find(found->second.sandbox_key);
    found = newer == connection_by_sandbox_.end() ? sessions_.end() : sessions_.find(newer->second);
  }
  if (found == sessions_.end() || !found->second.sandbox) return;
  found->second.sandbox->SetUsers(container_id, std::move(users));
}

void Pipeline::Close(const Record& record) {
  const auto found = sessions_.find(record.connection.value);
  if (found == sessions_.end()) return;
  totals_.engine.Add(EngineCounter::kSandboxesClosed);
  Session& session = found->second;
  if (session.sandbox) {
    speaking_ = &session;
    session.sandbox->Finish(*this);
    NoteLimits(session, record.receive_time_ns);
    totals_.state.Add(session.sandbox->counters());
  }
  session.losses.Note(LossKind::kDropped, session.untold_drops, session.losses.last_ns());
  if (const auto rest = session.losses.TakeRest()) RaiseLoss(session, *rest);
  const auto named = connection_by_sandbox_.find(session.sandbox_key);
  if (named != connection_by_sandbox_.end() && named->second == record.connection.value) {
    connection_by_sandbox_.erase(named);
  }
  if (options_.observer != nullptr) options_.observer->OnEnded(record.connection.value);
  if (options_.containers != nullptr) options_.containers->Leave(session.identity);
  sessions_.erase(found);
}

// Which connections speak for one sandbox shows with their first message, not at their opening: a
// refused `trace create` connects too, and says nothing. A sandbox that begins is nobody's
// successor.
void Pipeline::Identify(uint64_t connection, Session& session, bool begins) {
  session.identified = true;
  if (session.sandbox_key.empty()) return;
  const auto [entry, is_new] = connection_by_sandbox_.try_emplace(session.sandbox_key, connection);
  if (is_new) return;
  const auto older = sessions_.find(std::exchange(entry->second, connection));
  if (begins || older == sessions_.end() || !older->second.sandbox) return;
  // `trace create --force` has replaced the older connection: the state moves to the newer.
  totals_.state.Add(session.sandbox->counters());
  session.sandbox = std::move(older->second.sandbox);
  session.sandbox->BeginConnection();
  session.limits_hit = older->second.limits_hit;
  totals_.engine.Add(EngineCounter::kSandboxesMoved);
}

uint32_t Pipeline::CountDrops(Session& session, uint32_t dropped_count) {
  // Wraps at 2^32, so only the unsigned difference means anything. A new connection may begin with
  // what was lost before it; `trace create --force` resets the counter, which a later connection
  // shows.
  const uint32_t before = session.has_dropped_count ? session.dropped_count : 0;
  session.has_dropped_count = true;
  session.dropped_count = dropped_count;
  const uint32_t newly_dropped = dropped_count - before;
  constexpr uint32_t kHalf = uint32_t{1} << 31;
  if (newly_dropped >= kHalf) return 0;
  totals_.engine.Add(EngineCounter::kDroppedBySandboxes, newly_dropped);
  return newly_dropped;
}

// Once in a while: the counters are many, and a limit is hit seldom.
void Pipeline::NoteLimits(Session& session, int64_t now_ns) {
  // Those after which rules miss events. A server with many descriptors, or a build that writes
  // many files, only makes us forget details.
  constexpr StateCounter kLosses[] = {StateCounter::kProcessesRefused,
                                      StateCounter::kThreadsRefused,
                                      StateCounter::kContainersRefused,
                                      StateCounter::kMemoryRefused, StateCounter::kStateForgotten};
  uint64_t hit = 0;
  for (const StateCounter counter : kLosses) hit += session.sandbox->counters()[counter];
  session.losses.Note(LossKind::kLimit, hit - session.limits_hit, now_ns);
  session.limits_hit = hit;
}

void Pipeline::RaiseLoss(const Session& session, const LossReport& report) {
  RaiseBuiltin(Builtin::kEventsLost, report.until_ns, DescribeLoss(report, session.name));
}

void Pipeline::RaiseBuiltin(Builtin builtin, int64_t time_ns, std::vector<AlertField> fields) {
  if (!options_.builtins.enabled(builtin)) return;
  Raise(MakeBuiltinAlert(builtin, options_.builtins.priority(builtin), time_ns, std::move(fields)));
}

void Pipeline::Raise(Alert alert) {
  totals_.engine.Add(EngineCounter::kAlerts);
  if (!alerts_.OnAlert(std::move(alert))) totals_.engine.Add(EngineCounter::kAlertsLost);
}

void Pipeline::OnSignal(const Signal& signal) {
  if (signal.kind == SignalKind::kExecLost) speaking_->losses.NoteExecTooLarge(signal.time_ns);
  const auto builtin = BuiltinOf(signal.kind);
  if (!builtin) return;
  RaiseBuiltin(*builtin, signal.time_ns, DescribeSignal(signal, speaking_->name));
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
void Pipeline::NameAnonymous(Session& session) {
  if (options_.containers == nullptr) return;
  SandboxIdentity named{.owner = "container " + session.name, .root = {}};
  options_.containers->Join(named);
  options_.containers->Leave(session.identity);
  session.identity = std::move(named);
}

void Pipeline::CheckContainers(uint64_t connection, Session& session, int64_t now_ns) {
  const std::string_view started = event_.text(Slot::kStartId);
  for (const std::string_view container : {event_.context().container_id, started}) {
    if (container.empty()) continue;
    if (!session.named && container.size() <= options_.limits.text_bytes_max) {
      session.named = true;
      session.name = container;
      NameAnonymous(session);
      if (options_.observer != nullptr) options_.observer->OnNamed(connection, container);
    }
    if (options_.containers == nullptr || IsOwnContainer(session, container, now_ns)) continue;
    totals_.engine.Add(EngineCounter::kContainersDisowned);
    event_.DisownContainer();
    return;
  }
}

bool Pipeline::IsOwnContainer(Session& session, std::string_view container, int64_t now_ns) {
  const uint64_t generation = options_.containers->generation();
  if (generation != session.containers_as_of) {
    session.containers_as_of = generation;
    session.containers.clear();
  } else if (container == session.last_container) {
    return session.last_is_own;
  }
  if (container.size() > options_.limits.text_bytes_max) return true;  // the state refuses it
  const auto known = session.containers.find(container);
  session.last_is_own = known != session.containers.end()
                            ? known->second
                            : ClaimContainer(session, container, now_ns);
  session.last_container = container;
  return session.last_is_own;
}

bool Pipeline::ClaimContainer(Session& session, std::string_view container, int64_t now_ns) {
  // More than the state remembers: nobody knows whose they are.
  if (session.containers.size() >= options_.limits.containers_max) return false;
  std::string other;
  const bool is_own = options_.containers->Claim(session.identity, container, other);
  session.containers.emplace(container, is_own);
  if (is_own || session.told_claims.size() >= options_.limits.containers_max) return is_own;
  if (session.told_claims.emplace(container).second) {
    RaiseBuiltin(Builtin::kIdentityClaimed, now_ns, DescribeClaim(container, session.name, other));
  }
  return is_own;
}

void Pipeline::TakeUpFrame(Session& session, const Record& record) {
  speaking_ = &session;
  totals_.engine.Add(EngineCounter::kMessages);
  if (!std::exchange(session.spoke, true) && options_.observer != nullptr) {
    options_.observer->OnSpoke(record.connection.value);
  }
  const auto message = ReadMessage(record.frame.bytes());
  if (!message) {
    totals_.engine.Add(EngineCounter::kBadFraming);
    return;
  }
  session.untold_drops += CountDrops(session, message->dropped_count);
  if (record.truncated) {
    totals_.engine.Add(EngineCounter::kTruncated);
    session.losses.Note(LossKind::kTruncated, 1, record.receive_time_ns);
    return;
  }
  if (!session.identified) {
    constexpr auto kStart = static_cast<uint16_t>(MessageType::kContainerStart);
    Identify(record.connection.value, session, message->type == kStart);
  }
  if (!session.sandbox) {
    // It speaks although its state has moved: so it was another sandbox, and begins anew.
    session.sandbox = std::make_shared<Sandbox>(options_.limits, options_.arch);
    session.limits_hit = 0;
    totals_.engine.Add(EngineCounter::kSandboxesSplit);
  }
  if (const auto decoded = Decode(message->type, message->payload, event_); !decoded) {
    totals_.decode.Add(decoded.error());
    const bool known = decoded.error() != DecodeError::kUnknownType;
    if (known) session.losses.Note(LossKind::kUndecodable, 1, record.receive_time_ns);
    return;
  }
  ClampTime(record.receive_time_ns);
  const int64_t told_ns = event_.context().time_ns;
  const int64_t now_ns = told_ns != 0 ? told_ns : record.receive_time_ns;
  CheckContainers(record.connection.value, session, now_ns);
  session.losses.Note(LossKind::kDropped, std::exchange(session.untold_drops, 0), now_ns);
  if (session.losses.TakeFresh()) session.sandbox->NoteLoss();
  session.sandbox->Apply(event_, record.receive_time_ns, *this);
  constexpr uint64_t kLimitsEvery = 256;
  if (++session.messages % kLimitsEvery == 0) NoteLimits(session, now_ns);
  if (const auto due = session.losses.TakeDue(now_ns)) RaiseLoss(session, *due);
  session.losses.NoteMessage(now_ns);
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
  scratch_.Reset();
  matches_.clear();
  rules_->Evaluate(happening, scratch_, matches_);
  for (const Rule* rule : matches_) {
    if (happening.raised != nullptr) {
      const uint64_t id = IdOf(*rule);
      if (happening.raised->Has(id)) continue;
      happening.raised->Note(id);
    }
    Raise(MakeAlert(*rule, happening, scratch_));
  }
}

Totals Pipeline::totals() const {
  Totals sum = totals_;
  for (const auto& [connection, session] : sessions_) {
    if (session.sandbox) sum.state.Add(session.sandbox->counters());
  }
  return sum;
}

}  // namespace gyrfalcon
