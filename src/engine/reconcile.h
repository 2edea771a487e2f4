// What is to be done about sandboxes that run and are not traced by us. Decides only; who looks at
// them and attaches them is session_updater.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "engine/sandbox_sessions.h"
#include "engine/watch.h"

namespace gyrfalcon {

enum class AttachReason : uint8_t {
  kUntraced,   // it has no session
  kLost,       // it has one that nobody listens to, or had one of ours
  kTakenOver,  // it has somebody else's
};

// One to be attached.
struct ReconcileStep {
  TracedSandbox sandbox;
  AttachReason reason = AttachReason::kUntraced;
  std::optional<int64_t> ended_ns;  // see UntracedSandbox
};

struct SandboxLeftAlone {
  std::string id;
  std::string root;
  std::string reason;
};

struct ReconcilePlan {
  std::vector<ReconcileStep> attach;
  std::vector<SandboxLeftAlone> left;  // for which there is something new to tell
};

// For one thread.
class Reconciler {
 public:
  // `takes_over`: somebody else's session is no reason to leave a sandbox alone.
  explicit Reconciler(bool takes_over) : takes_over_(takes_over) {}

  // `looked` are those of `untraced`, in that order, each looked at. Who is not among them is
  // forgotten. Somebody else's session is taken where it has dropped more than at the look before:
  // who listens does not keep up, or is gone.
  ReconcilePlan Plan(const std::vector<UntracedSandbox>& untraced,
                     std::vector<TracedSandbox> looked);
  // Whether that is another trouble with it than the last time.
  bool IsNews(const std::string& root, const std::string& id, const std::string& trouble);

 private:
  struct Known {
    std::optional<uint64_t> dropped;  // at the last look
    std::string trouble;              // told last
  };

  std::optional<AttachReason> ReasonFor(const TracedSandbox& sandbox, const Known& known,
                                        bool was_ours) const;

  bool takes_over_;
  absl::flat_hash_map<std::string, Known> known_;  // by root and id
};

}  // namespace gyrfalcon
