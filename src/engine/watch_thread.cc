#include "engine/watch_thread.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include <fmt/ranges.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "engine/sandbox_sessions.h"
#include "runsc/attach.h"
#include "runsc/roots.h"
#include "runsc/sentry_process.h"

namespace gyrfalcon {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kNsPerMs = 1'000'000;

// Each takes two calls of runsc, and each of those its patience at most.
constexpr size_t kLooksPerRound = 8;

}  // namespace

WatchThread::WatchThread(WatchOptions options, OnAlert on_alert, OnProblem on_problem,
                         OnUntraced on_untraced)
    : options_(std::move(options)),
      on_alert_(std::move(on_alert)),
      on_problem_(std::move(on_problem)),
      on_untraced_(std::move(on_untraced)),
      watch_(options_.grace_ms * kNsPerMs),
      stop_fd_(eventfd(0, EFD_CLOEXEC)) {
  if (!options_.runsc.empty()) thread_ = std::thread([this] { Run(); });
}

WatchThread::~WatchThread() {
  Stop();
}

void WatchThread::Stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  eventfd_write(stop_fd_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

std::vector<SandboxPlace> WatchThread::Connected() {
  std::vector<SandboxPlace> places;
  const std::scoped_lock lock(mutex_);
  for (const auto& [id, connection] : connections_) {
    SandboxPlace place{
        .state_root = connection.root, .sandbox_id = connection.sandbox_id, .bundle = {}};
    if (place.known()) places.push_back(std::move(place));
  }
  return places;
}

void WatchThread::OnOpened(uint64_t connection, const SandboxPlace& place, bool from_start) {
  if (options_.runsc.empty()) return;
  const std::scoped_lock lock(mutex_);
  changed_[connection] = connections_[connection] = {.connection = connection,
                                                     .sandbox_id = place.sandbox_id,
                                                     .root = place.state_root,
                                                     .from_start = from_start,
                                                     .spoke = false,
                                                     .opened_ns = SteadyNs(),
                                                     .ended = false,
                                                     .ended_ns = 0};
}

void WatchThread::OnSpoke(uint64_t connection) {
  if (options_.runsc.empty()) return;
  const std::scoped_lock lock(mutex_);
  WatchedConnection& known = connections_[connection];
  known.spoke = true;
  changed_[connection] = known;
}

void WatchThread::OnNamed(uint64_t connection, std::string_view container) {
  if (options_.runsc.empty()) return;
  const std::scoped_lock lock(mutex_);
  WatchedConnection& known = connections_[connection];
  known.sandbox_id = container;
  changed_[connection] = known;
}

void WatchThread::OnEnded(uint64_t connection) {
  if (options_.runsc.empty()) return;
  const std::scoped_lock lock(mutex_);
  WatchedConnection known = connections_[connection];
  known.ended = true;
  known.ended_ns = SteadyNs();
  connections_.erase(connection);
  changed_[connection] = std::move(known);
}

void WatchThread::StartReconciling() {
  if (!on_untraced_) return;
  {
    const std::scoped_lock lock(mutex_);
    reconcile_at_ns_ = SteadyNs();
  }
  wake_.notify_all();
}

bool WatchThread::IsReconcileDue() {
  const std::scoped_lock lock(mutex_);
  const int64_t now_ns = SteadyNs();
  if (!reconcile_at_ns_ || *reconcile_at_ns_ > now_ns) return false;
  reconcile_at_ns_ = now_ns + options_.reconcile_interval_ms * kNsPerMs;
  return true;
}

void WatchThread::Run() {
  for (;;) {
    TakeUpChanges();
    const bool is_due = IsReconcileDue();
    std::vector<UntracedSandbox> untraced;
    for (const std::string& root : Roots()) Ask(root, is_due ? &untraced : nullptr);
    if (is_due && !stopping()) on_untraced_(std::move(untraced));
    std::unique_lock lock(mutex_);
    const int64_t next_ns = SteadyNs() + options_.interval_ms * kNsPerMs;
    for (;;) {
      if (stopping_) return;
      const int64_t until_ns = std::min(next_ns, reconcile_at_ns_.value_or(next_ns));
      const int64_t now_ns = SteadyNs();
      if (until_ns <= now_ns) break;
      wake_.wait_for(lock, std::chrono::nanoseconds(until_ns - now_ns));
    }
  }
}

void WatchThread::TakeUpChanges() {
  absl::flat_hash_map<uint64_t, WatchedConnection> changed;
  {
    const std::scoped_lock lock(mutex_);
    changed.swap(changed_);
  }
  for (auto& [id, connection] : changed) {
    if (!connection.root.empty()) connection.root = CanonicalPath(connection.root);
    watch_.Note(connection);
  }
}

std::vector<std::string> WatchThread::Roots() {
  std::vector<std::string> roots = watch_.Roots();
  const auto add = [&roots](const std::string& root) {
    std::string path = CanonicalPath(root);
    if (std::ranges::find(roots, path) == roots.end()) roots.push_back(std::move(path));
  };
  for (const std::string& root : options_.roots) add(root);
  if (!options_.usual_roots) return roots;
  for (const std::string& root : UsualRoots()) {
    if (KeepsState(root)) add(root);
  }
  return roots;
}

bool WatchThread::stopping() {
  const std::scoped_lock lock(mutex_);
  return stopping_;
}

namespace {

// An older runsc in another network namespace calls a sandbox stopped that it can't reach.
void TrustProcesses(std::vector<ListedContainer>& listed) {
  absl::flat_hash_set<std::string> doubtful;
  for (const ListedContainer& container : listed) {
    if (container.stopped && container.id == container.sandbox_id) doubtful.insert(container.id);
  }
  const auto pids = FindSentries(doubtful);
  for (ListedContainer& container : listed) {
    const auto found = pids.find(container.id);
    if (found == pids.end()) continue;
    container.stopped = false;
    container.running = true;
    container.pid = found->second;
  }
}

}  // namespace

// Where the list hangs with one sandbox, the others are known by themselves.
Result<std::vector<ListedContainer>> WatchThread::List(const RunscCall& call) {
  auto listed = ListSandboxes(call);
  if (!listed && !stopping()) {
    if (failing_.insert(call.root).second) on_problem_(listed.error());
    if (auto alone = ListOneByOne(call); alone && !alone->empty()) listed = std::move(alone);
  } else if (listed) {
    failing_.erase(call.root);
  }
  if (listed) TrustProcesses(*listed);
  return listed;
}

void WatchThread::Ask(const std::string& root, std::vector<UntracedSandbox>* untraced) {
  if (stopping()) return;
  const RunscCall call{options_.runsc,
                       root,
                       {.patience = milliseconds(options_.patience_ms), .stop_fd = stop_fd_.get()}};
  const auto listed = List(call);
  if (stopping()) return;
  if (!listed) {
    watch_.ForgetOld(SteadyNs());
    return;
  }
  // A connection that opened or spoke while runsc was running counts.
  TakeUpChanges();
  if (untraced != nullptr) {
    std::ranges::move(watch_.Untraced(root, *listed, SteadyNs()), std::back_inserter(*untraced));
  }
  const auto findings = watch_.Judge(root, *listed, SteadyNs());
  if (!findings.empty()) Settle(call, findings);
}

namespace {

// Whether what is wrong goes by the sandbox's session: what was never connected is told as it is.
bool AsksForSession(const WatchFinding& finding) {
  return finding.builtin != Builtin::kSandboxUntraced;
}

}  // namespace

SessionLook WatchThread::LookAt(const RunscCall& call, const WatchFinding& finding,
                                const UnixSockets* sockets) const {
  SessionLook look;
  if (AsksForSession(finding)) {
    const auto session = ReadTraceSession(call, finding.sandbox_id);
    if (session) look.has_session = session->exists;
  }
  if (sockets == nullptr) return look;
  if (auto peers = SinkPeers(finding.pid, finding.sandbox_id, *sockets)) {
    const std::string own = CanonicalPath(options_.socket_path);
    look.ours = !peers->empty() && !own.empty() &&
                std::ranges::all_of(
                    *peers, [&own](const std::string& peer) { return CanonicalPath(peer) == own; });
    look.peers = std::move(*peers);
  }
  return look;
}

bool WatchThread::HoldsYet(const RunscCall& call, const WatchFinding& finding) {
  const auto listed = ListSandboxes(call);
  if (stopping()) return false;
  TakeUpChanges();
  if (!listed) {
    if (failing_again_.insert(call.root).second) on_problem_(listed.error());
    return !watch_.PutOff(finding);
  }
  failing_again_.erase(call.root);
  if (watch_.StillSo(finding, *listed)) return true;
  watch_.Retract(finding);
  return false;
}

// Looks closer at each, then asks again: a sandbox may have ended, or come back, meanwhile. One
// whose runsc hangs must not keep the others back.
void WatchThread::Settle(const RunscCall& call, const std::vector<WatchFinding>& findings) {
  const auto sockets = ListUnixSockets();
  size_t looks = 0;
  for (const WatchFinding& finding : findings) {
    if (stopping()) return;
    const bool takes_time = AsksForSession(finding);
    if (takes_time && ++looks > kLooksPerRound) {
      watch_.Retract(finding);
      continue;
    }
    const SessionLook look = LookAt(call, finding, sockets ? &*sockets : nullptr);
    if (takes_time && !HoldsYet(call, finding)) continue;
    if (stopping()) return;
    if (const auto wrong = Judged(finding, look)) {
      Raise(finding, *wrong, look);
    } else {
      watch_.Accept(finding);
    }
  }
}

void WatchThread::Raise(const WatchFinding& finding, Builtin builtin, const SessionLook& look) {
  if (!options_.builtins.enabled(builtin)) return;
  std::vector<AlertField> fields = {{"gyrfalcon.sandbox", finding.sandbox_id},
                                    {"gyrfalcon.sandbox.root", finding.root}};
  const bool seen = look.peers && !look.peers->empty();
  if (seen) {
    fields.push_back({"gyrfalcon.sink.endpoint", fmt::format("{}", fmt::join(*look.peers, ", "))});
  } else if (builtin == Builtin::kSessionTaken) {
    fields.push_back({"gyrfalcon.sink.endpoint", std::monostate()});
  }
  fields.push_back({"gyrfalcon.mend", MendOf(finding, options_.runsc, options_.session_file)});
  on_alert_(MakeBuiltinAlert(builtin, options_.builtins.priority(builtin), RealTimeNs(),
                             std::move(fields)));
}

}  // namespace gyrfalcon
