// What the host knows of a container (engine/metadata_lookup.h) is asked for at the connection of
// its sandbox, or at the first message that names it. A container's first message waits for the
// answer, and all that the connection sends behind it: so rules see each event with what is known
// of its container, in the order in which they came.
#include <algorithm>
#include <utility>

#include "engine/pipeline.h"

namespace gyrfalcon {

void Pipeline::AskForContainer(uint64_t connection, Session& session,
                               const std::string& container_id) {
  if (lookups_ == nullptr || session.asked.contains(container_id)) return;
  totals_.engine.Add(EngineCounter::kMetadataLookups);
  const bool asked =
      session.asked.size() < options_.limits.containers_max &&
      session.lookups.Admit(kLookupsPerSandbox, session.clock.now_ns(), received_ns_) &&
      lookups_->AskContainer(connection, session.place, container_id);
  if (asked) {
    session.asked.try_emplace(container_id);
  } else {
    totals_.engine.Add(EngineCounter::kMetadataLookupsRefused);
  }
}

void Pipeline::SetContainer(uint64_t connection, std::string_view container_id,
                            const ContainerAnswer& answer) {
  uint64_t owner = connection;
  if (Session* session = SessionForAnswer(owner); session != nullptr && answer.info) {
    session->sandbox->SetContainerInfo(container_id, answer.info);
    RelabelPods(*session);
  }
  if (!answer.is_final) return;
  if (!answer.info) totals_.engine.Add(EngineCounter::kMetadataUnknown);
  const auto found = sessions_.find(connection);
  if (found == sessions_.end()) return;
  Session& session = found->second;
  if (const auto asked = session.asked.find(container_id); asked != session.asked.end()) {
    asked->second.is_answered = true;
  }
  if (session.held && session.held->container() == container_id) TakeUpHeld(connection, session);
}

void Pipeline::SetPod(const PodChange& change) {
  if (!change.labels) {
    // What still runs in it keeps them, a session that is made anew too; no other pod gets its uid.
    constexpr size_t kGonePodsMax = 1'024;
    gone_pods_.push_back(change.uid);
    if (gone_pods_.size() <= kGonePodsMax) return;
    pods_.erase(gone_pods_.front());
    gone_pods_.pop_front();
    return;
  }
  std::erase(gone_pods_, change.uid);
  pods_.insert_or_assign(change.uid, change.labels);
  for (const auto& [connection, session] : sessions_) RelabelPods(session);
}

// The API server's labels go before those of the container runtime, which are of the pod's start.
void Pipeline::RelabelPods(const Session& session) {
  if (pods_.empty() || !session.sandbox) return;
  session.sandbox->RenewContainerInfos(
      [this](const ContainerInfo& info) -> std::shared_ptr<const ContainerInfo> {
        const auto pod = pods_.find(info.pod_uid);
        if (pod == pods_.end() || *pod->second == info.pod_labels) return nullptr;
        ContainerInfo changed = info;
        changed.pod_labels = *pod->second;
        return std::make_shared<const ContainerInfo>(std::move(changed));
      });
}

// Whether the message at hand, which has been decoded and has another container than the one before
// it, waits: it will be taken up again from its bytes.
bool Pipeline::HoldsMessage(Session& session, const Record& record) {
  session.met_container = false;
  const std::string_view started = event_.text(Slot::kStartId);
  const std::string_view named = started.empty() ? event_.context().container_id : started;
  if (lookups_ == nullptr || received_ns_ == 0 || named.empty()) return false;
  if (named.size() > options_.limits.id_bytes_max) return false;
  if (!session.asked.contains(named)) {
    AskForContainer(record.connection.value, session, std::string(named));
  }
  const auto asked = session.asked.find(named);
  if (asked == session.asked.end() || asked->second.is_answered) return false;
  if (options_.metadata_wait_ns == 0 || std::exchange(asked->second.was_waited_for, true)) {
    return false;
  }
  const int64_t due_ns = clock_.now_ns() + options_.metadata_wait_ns;
  held_due_ns_ = std::min(held_due_ns_, due_ns);
  session.held = std::make_unique<HeldMessages>(named, due_ns);
  Hold(session, record);
  return true;
}

// The first message was counted among the session's frames when it was met; the others are when
// they are taken up.
void Pipeline::Hold(Session& session, const Record& record) {
  HeldMessages& held = *session.held;
  const size_t before = held.bytes();
  held.Append(record);
  held_bytes_ += held.bytes() - before;
  if (record.kind == RecordKind::kFrame) totals_.engine.Add(EngineCounter::kMessagesHeld);
  if (session.read_mark != nullptr) {
    session.read_mark->store(session.frames + held.count() - 1 + record.more_received,
                             std::memory_order_relaxed);
  }
  const bool too_many =
      held.bytes() > options_.held_bytes_max || held_bytes_ > options_.held_total_bytes_max;
  if (!too_many) return;
  totals_.engine.Add(EngineCounter::kMetadataWaitsCut);
  TakeUpHeld(record.connection.value, session);
}

// The session may end by it.
void Pipeline::TakeUpHeld(uint64_t connection, Session& session) {
  const std::unique_ptr<HeldMessages> held = std::exchange(session.held, nullptr);
  held_bytes_ -= held->bytes();
  const int64_t received_ns = received_ns_;
  bool is_first = true;
  held->ForEach(ConnectionId{connection}, [&](const Record& record) {
    received_ns_ = record.receive_time_ns;
    if (record.kind == RecordKind::kClosed) {
      Close(record);
    } else if (std::exchange(is_first, false)) {
      speaking_ = &session;
      TakeUpMessage(session, record);
    } else {
      TakeUpFrame(session, record);
    }
  });
  received_ns_ = received_ns;
}

void Pipeline::TakeUpDueHeld() {
  std::vector<uint64_t> due;
  held_due_ns_ = std::numeric_limits<int64_t>::max();
  for (const auto& [connection, session] : sessions_) {
    if (!session.held) continue;
    if (clock_.now_ns() >= session.held->due_ns()) {
      due.push_back(connection);
    } else {
      held_due_ns_ = std::min(held_due_ns_, session.held->due_ns());
    }
  }
  for (const uint64_t connection : due) {
    // Taking up another one's may have taken up this one's.
    const auto found = sessions_.find(connection);
    if (found == sessions_.end() || !found->second.held) continue;
    totals_.engine.Add(EngineCounter::kMetadataWaitsEnded);
    TakeUpHeld(connection, found->second);
  }
}

void Pipeline::TakeUpHeld() {
  for (;;) {
    const auto found = std::ranges::find_if(
        sessions_, [](const auto& entry) { return entry.second.held != nullptr; });
    if (found == sessions_.end()) return;
    TakeUpHeld(found->first, found->second);
  }
}

void Pipeline::TakeUpHeldOfOlder(uint64_t connection, Session& session) {
  const auto speaks = connection_by_sandbox_.find(session.sandbox_key);
  if (speaks == connection_by_sandbox_.end() || speaks->second == connection) return;
  const auto older = sessions_.find(speaks->second);
  if (older == sessions_.end() || !older->second.held) return;
  const int64_t received_ns = received_ns_;
  TakeUpHeld(older->first, older->second);
  received_ns_ = received_ns;
  speaking_ = &session;
}

}  // namespace gyrfalcon
