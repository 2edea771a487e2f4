#include "engine/reconcile.h"

#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace gyrfalcon {
namespace {

std::string KeyOf(const std::string& root, const std::string& id) {
  return root + '\0' + id;
}

// Why one that has a session, or did not answer, is left as it is; "": it is ours.
std::string ReasonToLeave(const TracedSandbox& sandbox) {
  if (sandbox.tracing == Tracing::kOurs) return "";
  if (sandbox.tracing == Tracing::kOther) {
    return fmt::format(
        "somebody else traces it, at {}; gvisor.takeover_sessions or `gyrfalcon run "
        "--takeover-sessions` takes it",
        fmt::join(sandbox.endpoints, ", "));
  }
  return sandbox.problem;
}

}  // namespace

std::optional<AttachReason> Reconciler::ReasonFor(const TracedSandbox& sandbox, const Known& known,
                                                  bool was_ours) const {
  switch (sandbox.tracing) {
    case Tracing::kNone:
      return was_ours ? AttachReason::kLost : AttachReason::kUntraced;
    case Tracing::kNobody:
      return AttachReason::kLost;
    case Tracing::kOurs:
      return std::nullopt;
    case Tracing::kOther:
    case Tracing::kUnknown:
      break;
  }
  if (!sandbox.dropped) return std::nullopt;  // it did not answer
  const bool rises = known.dropped && *sandbox.dropped > *known.dropped;
  if (!rises && !takes_over_) return std::nullopt;
  // Whose it is can't be seen, and its connection to us has ended: then it is likely ours.
  const bool is_likely_ours = sandbox.tracing == Tracing::kUnknown && was_ours;
  return is_likely_ours ? AttachReason::kLost : AttachReason::kTakenOver;
}

ReconcilePlan Reconciler::Plan(const std::vector<UntracedSandbox>& untraced,
                               std::vector<TracedSandbox> looked) {
  ReconcilePlan plan;
  auto before = std::exchange(known_, {});
  for (size_t i = 0; i < looked.size(); ++i) {
    TracedSandbox& sandbox = looked[i];
    const std::string key = KeyOf(sandbox.call.root, sandbox.id);
    Known& known = known_[key];
    if (const auto found = before.find(key); found != before.end()) {
      known = std::move(found->second);
    }
    const std::optional<int64_t> ended_ns = untraced[i].ended_ns;
    const auto reason = ReasonFor(sandbox, known, ended_ns.has_value());
    known.dropped = sandbox.dropped;
    if (reason) {
      plan.attach.push_back({std::move(sandbox), *reason, ended_ns});
      continue;
    }
    std::string trouble = ReasonToLeave(sandbox);
    if (!IsNews(sandbox.call.root, sandbox.id, trouble) || trouble.empty()) continue;
    plan.left.push_back({sandbox.id, sandbox.call.root, std::move(trouble)});
  }
  return plan;
}

bool Reconciler::IsNews(const std::string& root, const std::string& id,
                        const std::string& trouble) {
  return std::exchange(known_[KeyOf(root, id)].trouble, trouble) != trouble;
}

}  // namespace gyrfalcon
