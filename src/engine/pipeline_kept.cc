// The state of sandboxes whose last connection has ended, kept for a while: a session that is
// replaced, a listener that restarts or an attach that comes a little late finds what was known. It
// goes only to a connection of which runsc's command line says that it is the same sandbox, and
// that the sandbox does not begin with it.
#include <algorithm>
#include <utility>

#include "engine/pipeline.h"

namespace gyrfalcon {

bool Pipeline::IsWorthKeeping(uint64_t connection, const Session& session) const {
  if (options_.grace_ns == 0 || received_ns_ == 0) return false;
  if (!session.sandbox || !session.identified || session.sandbox_key.empty()) return false;
  // Of several connections the one that speaks has the state.
  const auto speaks = connection_by_sandbox_.find(session.sandbox_key);
  if (speaks == connection_by_sandbox_.end() || speaks->second != connection) return false;
  return !session.sandbox->HasEnded(session.place.sandbox_id);
}

void Pipeline::Keep(Session session) {
  totals_.engine.Add(EngineCounter::kStatesKept);
  std::string key = session.sandbox_key;
  ForgetKept(key);
  session.contexts.reset();
  session.wanted.reset();
  session.read_mark = nullptr;
  KeptState kept{.session = std::move(session), .until_ns = clock_.now_ns() + options_.grace_ns};
  kept.bytes = kept.session.sandbox->held_bytes();
  kept_bytes_ += kept.bytes;
  kept_.insert_or_assign(std::move(key), std::move(kept));
  while (kept_.size() > options_.kept_states_max || kept_bytes_ > options_.kept_bytes_max) {
    ForgetOldestKept();
  }
}

void Pipeline::ForgetKept(const std::string& sandbox_key) {
  const auto found = kept_.find(sandbox_key);
  if (found == kept_.end()) return;
  UncountKept(found->second);
  kept_.erase(found);
}

// What it holds was the sandbox's part of all sandboxes' memory, and stayed so.
void Pipeline::UncountKept(KeptState& kept) {
  kept_bytes_ -= kept.bytes;
  if (options_.memory != nullptr) options_.memory->Note(kept.session.memory_noted, 0);
  kept.session.memory_noted = 0;
}

bool Pipeline::ForgetOldestKept() {
  const auto oldest =
      std::ranges::min_element(kept_, {}, [](const auto& entry) { return entry.second.until_ns; });
  if (oldest == kept_.end()) return false;
  UncountKept(oldest->second);
  kept_.erase(oldest);
  totals_.engine.Add(EngineCounter::kStatesEvicted);
  return true;
}

void Pipeline::DropOverdueKept() {
  absl::erase_if(kept_, [this](auto& entry) {
    if (entry.second.until_ns > clock_.now_ns()) return false;
    UncountKept(entry.second);
    return true;
  });
}

// At a connection's first message, where no other speaks for its sandbox.
void Pipeline::TakeUpKept(Session& session, bool begins) {
  const auto found = kept_.find(session.sandbox_key);
  if (found == kept_.end()) return;
  const bool in_time = found->second.until_ns > clock_.now_ns();
  if (begins || !session.may_follow || !in_time) {
    ForgetKept(session.sandbox_key);
    return;
  }
  totals_.engine.Add(EngineCounter::kStatesResumed);
  // They exchange what is counted of their memory: the empty state's goes with the entry.
  MoveState(found->second.session, session);
  ForgetKept(session.sandbox_key);
  // What happened in between nobody has told: that something did not come proves nothing.
  session.sandbox->NoteLoss();
  RelabelPods(session);
}

}  // namespace gyrfalcon
