#include "engine/pipeline.h"

#include "engine/sandbox_id.h"
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
  if (!record.peer) return;
  session.sandbox_key = SandboxKeyFromCommandLine(record.peer->command_line);
  session.place = SandboxPlaceFromCommandLine(record.peer->command_line);
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
    session.sandbox->Finish(*this);
    totals_.state.Add(session.sandbox->counters());
  }
  const auto named = connection_by_sandbox_.find(session.sandbox_key);
  if (named != connection_by_sandbox_.end() && named->second == record.connection.value) {
    connection_by_sandbox_.erase(named);
  }
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
  totals_.engine.Add(EngineCounter::kSandboxesMoved);
}

void Pipeline::CountDrops(Session& session, uint32_t dropped_count) {
  // Wraps at 2^32, so only the unsigned difference means anything. A new connection may begin with
  // what was lost before it; `trace create --force` resets the counter, which a later connection
  // shows.
  const uint32_t before = session.has_dropped_count ? session.dropped_count : 0;
  session.has_dropped_count = true;
  session.dropped_count = dropped_count;
  const uint32_t newly_dropped = dropped_count - before;
  constexpr uint32_t kHalf = uint32_t{1} << 31;
  if (newly_dropped < kHalf) {
    totals_.engine.Add(EngineCounter::kDroppedBySandboxes, newly_dropped);
  }
}

void Pipeline::TakeUpFrame(Session& session, const Record& record) {
  totals_.engine.Add(EngineCounter::kMessages);
  const auto message = ReadMessage(record.frame.bytes());
  if (!message) {
    totals_.engine.Add(EngineCounter::kBadFraming);
    return;
  }
  CountDrops(session, message->dropped_count);
  if (record.truncated) {
    totals_.engine.Add(EngineCounter::kTruncated);
    return;
  }
  if (!session.identified) {
    constexpr auto kStart = static_cast<uint16_t>(MessageType::kContainerStart);
    Identify(record.connection.value, session, message->type == kStart);
  }
  if (!session.sandbox) {
    // It speaks although its state has moved: so it was another sandbox, and begins anew.
    session.sandbox = std::make_shared<Sandbox>(options_.limits, options_.arch);
    totals_.engine.Add(EngineCounter::kSandboxesSplit);
  }
  if (const auto decoded = Decode(message->type, message->payload, event_); !decoded) {
    totals_.decode.Add(decoded.error());
    return;
  }
  session.sandbox->Apply(event_, record.receive_time_ns, *this);
  if (!session.sandbox->has_new_containers()) return;
  for (const std::string& container : session.sandbox->TakeNewContainers()) {
    // The sandbox's own was asked for when the connection opened.
    if (container == session.place.sandbox_id) continue;
    AskForUsers(record.connection.value, session, container);
  }
}

void Pipeline::OnHappening(const Happening& happening) {
  totals_.engine.Add(EngineCounter::kHappenings);
  scratch_.Reset();
  matches_.clear();
  rules_->Evaluate(happening, scratch_, matches_);
  for (const Rule* rule : matches_) {
    totals_.engine.Add(EngineCounter::kAlerts);
    if (!alerts_.OnAlert(MakeAlert(*rule, happening, scratch_))) {
      totals_.engine.Add(EngineCounter::kAlertsLost);
    }
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
