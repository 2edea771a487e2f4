#include "engine/sandbox_sessions.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "runsc/sink_peers.h"
#include "wire/peer.h"

namespace gyrfalcon {
namespace {

// Runs `work` for each number below `count`, in that order, some of them at once.
void ForEach(size_t at_once, size_t count, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  const auto run = [&] {
    for (size_t i = next++; i < count; i = next++) work(i);
  };
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < std::min(at_once, count); ++i) threads.emplace_back(run);
}

// The same, telling how far it is.
void ForEach(const SandboxesAsked& asked, size_t count, const std::function<void(size_t)>& work) {
  std::mutex mutex;  // guards `done`
  size_t done = 0;
  ForEach(asked.at_once, count, [&](size_t i) {
    work(i);
    const std::scoped_lock lock(mutex);
    ++done;
    if (asked.progress) asked.progress(done, count);
  });
}

bool IsOwnSocket(const std::string& endpoint, const std::string& socket_path) {
  return !socket_path.empty() && CanonicalPath(endpoint) == CanonicalPath(socket_path);
}

// Who listens to a session that is there.
void FindListener(const SandboxesAsked& asked, const Result<UnixSockets>& sockets,
                  TracedSandbox& sandbox) {
  auto peers =
      sockets ? SinkPeers(sandbox.pid, sandbox.id, *sockets) : std::unexpected(sockets.error());
  if (!peers) {
    if (asked.is_connected && asked.is_connected(sandbox.call.root, sandbox.id)) {
      sandbox.tracing = Tracing::kOurs;
      return;
    }
    sandbox.problem =
        "it is traced, and who listens can't be seen from here: " + peers.error().message;
    return;
  }
  const bool ours = std::ranges::all_of(
      *peers, [&](const std::string& peer) { return IsOwnSocket(peer, asked.socket_path); });
  sandbox.tracing = peers->empty() ? Tracing::kNobody : ours ? Tracing::kOurs : Tracing::kOther;
  sandbox.endpoints = std::move(*peers);
}

void LookAt(const SandboxesAsked& asked, const Result<UnixSockets>& sockets,
            TracedSandbox& sandbox) {
  if (!sandbox.problem.empty()) return;  // it did not answer before
  const auto session = ReadTraceSession(sandbox.call, sandbox.id);
  if (!session) {
    sandbox.problem = session.error().message;
    return;
  }
  if (!session->exists) {
    sandbox.tracing = Tracing::kNone;
    return;
  }
  sandbox.dropped = session->dropped;
  FindListener(asked, sockets, sandbox);
}

std::string RunscOf(const SandboxesAsked& asked, int64_t pid) {
  std::string own;
  if (asked.prefer_own_runsc) own = TrustedRunsc(static_cast<pid_t>(pid));
  return own.empty() ? asked.runsc : own;
}

void AddIfRunning(const SandboxesAsked& asked, const std::string& root,
                  const ListedContainer& container, TracedSandboxes& found) {
  if (!container.running || container.id != container.sandbox_id) return;
  found.sandboxes.push_back(NotLookedAt(asked, root, container.id, container.pid));
}

// The state of each, in the order of the ids; nullopt: not even those are known.
struct AskedAlone {
  std::vector<std::string> ids;
  std::vector<Result<ListedContainer>> states;
};
Result<AskedAlone> AskOneByOne(const RunscCall& call, size_t at_once) {
  auto ids = ListContainerIds(call);
  if (!ids) return std::unexpected(ids.error());
  AskedAlone asked{.ids = std::move(*ids), .states = {}};
  asked.states.resize(asked.ids.size());
  ForEach(at_once, asked.ids.size(),
          [&](size_t i) { asked.states[i] = ReadContainerState(call, asked.ids[i]); });
  return asked;
}

// For a list that hangs because one sandbox does: each by itself. False: not even the ids are
// known.
bool AddOneByOne(const SandboxesAsked& asked, const std::string& root, TracedSandboxes& found) {
  const RunscCall call{asked.runsc, root, asked.limits};
  const auto alone = AskOneByOne(call, asked.at_once);
  if (!alone) return false;
  for (size_t i = 0; i < alone->ids.size(); ++i) {
    if (alone->states[i]) {
      AddIfRunning(asked, root, *alone->states[i], found);
      continue;
    }
    TracedSandbox sandbox;
    sandbox.id = alone->ids[i];
    sandbox.call = call;
    sandbox.problem = fmt::format(
        "sandbox {} below {}: {}; its Sentry does not answer, or it has "
        "ended meanwhile",
        sandbox.id, root, alone->states[i].error().message);
    found.sandboxes.push_back(std::move(sandbox));
  }
  return true;
}

void AddRunning(const SandboxesAsked& asked, const std::string& root, TracedSandboxes& found) {
  const auto listed = ListSandboxes({asked.runsc, root, asked.limits});
  if (!listed) {
    if (AddOneByOne(asked, root, found)) return;
    Error error = listed.error();
    error.message = "the sandboxes below " + root + " are not known: " + error.message;
    found.problems.push_back(std::move(error));
    return;
  }
  for (const ListedContainer& container : *listed) AddIfRunning(asked, root, container, found);
}

AttachReport ReportOf(const TracedSandbox& sandbox) {
  AttachReport report;
  report.id = sandbox.id;
  report.root = sandbox.call.root;
  return report;
}

// A session config that one runsc has refused is tried on no further sandbox: forcing it would end
// their sessions too. So the first one goes ahead, unless it takes long.
class ConfigTrial {
 public:
  // False: not to be tried.
  bool MayBegin(bool is_first) {
    constexpr std::chrono::seconds kHeadStart{5};
    std::unique_lock lock(mutex_);
    if (!is_first) judged_.wait_for(lock, kHeadStart, [this] { return is_judged_; });
    return !refused_;
  }
  void End(bool refused) {
    const std::scoped_lock lock(mutex_);
    is_judged_ = true;
    refused_ |= refused;
    judged_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable judged_;
  bool is_judged_ = false;
  bool refused_ = false;
};

AttachReport AttachOne(const TracedSandbox& sandbox, const std::string& session_path, bool is_first,
                       ConfigTrial& trial) {
  AttachReport report = ReportOf(sandbox);
  if (!trial.MayBegin(is_first)) {
    report.problem = "not tried: the session config was refused for another sandbox";
    return report;
  }
  const bool force = sandbox.tracing != Tracing::kNone;
  auto outcome = Attach(sandbox.call, sandbox.id, session_path, force);
  trial.End(!outcome && outcome.error().config_refused);
  if (!outcome) {
    report.problem = std::move(outcome.error().error.message);
    report.session_lost = outcome.error().session_lost;
    return report;
  }
  report.result = outcome->replaced ? AttachResult::kUpdated : AttachResult::kAttached;
  report.dropped_before = outcome->dropped_before;
  if (outcome->replaced) report.window_ns = outcome->window_ns;
  return report;
}

}  // namespace

std::string_view Name(Tracing tracing) {
  switch (tracing) {
    case Tracing::kNone:
      return "none";
    case Tracing::kNobody:
      return "nobody";
    case Tracing::kOurs:
      return "gyrfalcon";
    case Tracing::kOther:
      return "other";
    case Tracing::kUnknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view Name(AttachResult result) {
  switch (result) {
    case AttachResult::kAttached:
      return "attached";
    case AttachResult::kUpdated:
      return "updated";
    case AttachResult::kDetached:
      return "detached";
    case AttachResult::kFailed:
      return "failed";
  }
  return "failed";
}

TracedSandboxes LookAtSandboxes(const SandboxesAsked& asked) {
  TracedSandboxes found;
  for (const std::string& root : asked.roots) AddRunning(asked, root, found);
  LookAtThese(asked, found.sandboxes);
  return found;
}

void LookAtThese(const SandboxesAsked& asked, std::vector<TracedSandbox>& sandboxes) {
  const auto sockets = ListUnixSockets();
  ForEach(asked, sandboxes.size(), [&](size_t i) { LookAt(asked, sockets, sandboxes[i]); });
}

TracedSandbox NotLookedAt(const SandboxesAsked& asked, const std::string& root,
                          const std::string& id, int64_t pid) {
  TracedSandbox sandbox;
  sandbox.id = id;
  sandbox.pid = pid;
  sandbox.call = {RunscOf(asked, pid), root, asked.limits};
  return sandbox;
}

Result<std::vector<ListedContainer>> ListOneByOne(const RunscCall& call, size_t at_once) {
  auto alone = AskOneByOne(call, at_once);
  if (!alone) return std::unexpected(alone.error());
  std::vector<ListedContainer> listed;
  for (size_t i = 0; i < alone->ids.size(); ++i) {
    if (alone->states[i]) {
      listed.push_back(std::move(*alone->states[i]));
    } else {
      ListedContainer silent;
      silent.id = silent.sandbox_id = alone->ids[i];
      listed.push_back(std::move(silent));
    }
  }
  return listed;
}

std::vector<AttachReport> AttachAll(const SandboxesAsked& asked,
                                    const std::vector<TracedSandbox>& sandboxes,
                                    const std::string& session_path) {
  std::vector<size_t> order(sandboxes.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_partition(order,
                                [&](size_t i) { return sandboxes[i].tracing == Tracing::kNone; });
  std::vector<AttachReport> reports(sandboxes.size());
  ConfigTrial trial;
  ForEach(asked, order.size(), [&](size_t i) {
    reports[order[i]] = AttachOne(sandboxes[order[i]], session_path, i == 0, trial);
  });
  return reports;
}

std::vector<AttachReport> DetachAll(const SandboxesAsked& asked,
                                    const std::vector<TracedSandbox>& sandboxes) {
  std::vector<AttachReport> reports(sandboxes.size());
  ForEach(asked, sandboxes.size(), [&](size_t i) {
    AttachReport& report = reports[i] = ReportOf(sandboxes[i]);
    const auto ended = Detach(sandboxes[i].call, sandboxes[i].id);
    if (!ended) {
      report.problem = ended.error().message;
      return;
    }
    report.result = AttachResult::kDetached;
    report.dropped_before = ended->dropped;
  });
  return reports;
}

AttachLoss LossOf(const std::vector<AttachReport>& reports) {
  AttachLoss loss;
  for (const AttachReport& report : reports) {
    loss.dropped_before += report.dropped_before.value_or(0);
    loss.window_ns += report.window_ns;
    loss.window_longest_ns = std::max(loss.window_longest_ns, report.window_ns);
  }
  return loss;
}

std::string CanonicalPath(const std::string& path) {
  if (path.empty() || path.starts_with('@')) return path;
  std::error_code error;
  const auto canonical = std::filesystem::weakly_canonical(path, error);
  return error ? path : canonical.string();
}

}  // namespace gyrfalcon
