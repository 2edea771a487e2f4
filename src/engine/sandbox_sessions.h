// The trace sessions of all sandboxes below some roots of runsc: who listens to each, and the same
// session for all of them. Several sandboxes at once, so that one that hangs holds up no other.
//
// A pod's containers share the session of their sandbox: only sandboxes are looked at. Everything
// here runs runsc and waits, on threads of its own that end before the call returns.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runsc/attach.h"

namespace gyrfalcon {

enum class Tracing : uint8_t {
  kNone,     // no session
  kNobody,   // one that leads nowhere: its listener has gone
  kOurs,     // to our socket
  kOther,    // to another one
  kUnknown,  // runsc could not tell, or the sandbox's sockets can't be seen from here
};
// "none", "nobody", "gyrfalcon", "other", "unknown"
std::string_view Name(Tracing tracing);

struct SandboxesAsked {
  std::vector<std::string> roots;
  std::string runsc;
  // The runsc that a sandbox itself runs goes before it, where root alone may change it: it has the
  // sandbox's version.
  bool prefer_own_runsc = false;
  std::string socket_path;  // ours
  // Whether a sandbox (root, id) is connected to us, asked where its sockets can't be seen; may be
  // empty. Called on several threads.
  std::function<bool(const std::string&, const std::string&)> is_connected{};
  // How many are done, of how many; may be empty. Called on several threads, one at a time.
  std::function<void(size_t, size_t)> progress{};
  ChildLimits limits{};  // of each call of runsc
  size_t at_once = 8;
};

struct TracedSandbox {
  std::string id;
  RunscCall call;  // how its runsc is called
  int64_t pid = 0;
  Tracing tracing = Tracing::kUnknown;
  std::vector<std::string> endpoints;  // where its events go, as far as that can be seen
  std::optional<uint64_t> dropped;     // by its session
  std::string problem;                 // why `tracing` is not known
};

struct TracedSandboxes {
  std::vector<TracedSandbox> sandboxes;  // that run, in the order of the roots
  std::vector<Error> problems;           // roots that could not be listed
};

TracedSandboxes LookAtSandboxes(const SandboxesAsked& asked);

// The same for sandboxes that are known to run: `tracing` and what follows it is found out.
void LookAtThese(const SandboxesAsked& asked, std::vector<TracedSandbox>& sandboxes);
// One that has not been looked at.
TracedSandbox NotLookedAt(const SandboxesAsked& asked, const std::string& root,
                          const std::string& id, int64_t pid);

// `runsc list` asks every sandbox, so it hangs with one of them. Each container below the root by
// itself, some at once; of those that do not answer the id alone is known. Errors where not even
// the ids are.
Result<std::vector<ListedContainer>> ListOneByOne(const RunscCall& call, size_t at_once = 8);

enum class AttachResult : uint8_t { kAttached, kUpdated, kDetached, kFailed };
std::string_view Name(AttachResult result);

struct AttachReport {
  std::string id;
  std::string root;
  AttachResult result = AttachResult::kFailed;
  std::optional<uint64_t> dropped_before;  // of the session that was replaced or ended
  int64_t window_ns = 0;                   // see AttachOutcome
  bool session_lost = false;               // see AttachFailure
  std::string problem;                     // of a failure
};

// Gives each of them the session of that file, in place of what it has: whoever calls has decided.
// Those without a session go first. As soon as one runsc has something against the file, the ones
// not begun are left as they are, for it would cost them their session.
std::vector<AttachReport> AttachAll(const SandboxesAsked& asked,
                                    const std::vector<TracedSandbox>& sandboxes,
                                    const std::string& session_path);

std::vector<AttachReport> DetachAll(const SandboxesAsked& asked,
                                    const std::vector<TracedSandbox>& sandboxes);

// What an update has cost, over all sandboxes.
struct AttachLoss {
  uint64_t dropped_before = 0;
  int64_t window_ns = 0;          // all together
  int64_t window_longest_ns = 0;  // of one
};
AttachLoss LossOf(const std::vector<AttachReport>& reports);

// The path without symbolic links and dots, as far as it is there; "@…" stays: /var/run/x and
// /run/x are one.
std::string CanonicalPath(const std::string& path);

}  // namespace gyrfalcon
