#include "engine/session_updater.h"

#include <utility>

#include <sys/eventfd.h>

#include "base/clock.h"
#include "engine/sensor_alerts.h"

namespace gyrfalcon {
namespace {

std::string KeyOf(const std::string& root, const std::string& id) {
  return root + '\0' + id;
}

}  // namespace

SessionUpdater::SessionUpdater(SessionUpdaterOptions options,
                               std::function<std::vector<SandboxPlace>()> connected)
    : options_(std::move(options)),
      connected_(std::move(connected)),
      stop_fd_(eventfd(0, EFD_CLOEXEC)),
      reconciler_(options_.takes_over) {
  if (!options_.runsc.empty()) thread_ = std::thread([this] { Run(); });
}

void SessionUpdater::Stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  eventfd_write(stop_fd_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

void SessionUpdater::Update() {
  {
    const std::scoped_lock lock(mutex_);
    asked_ = true;
  }
  wake_.notify_all();
}

void SessionUpdater::Reconcile(std::vector<UntracedSandbox> untraced) {
  {
    const std::scoped_lock lock(mutex_);
    untraced_ = std::move(untraced);
  }
  wake_.notify_all();
}

void SessionUpdater::Run() {
  auto second_at = Clock::time_point::max();  // there is none
  for (;;) {
    bool is_new = false;
    std::optional<std::vector<UntracedSandbox>> untraced;
    {
      std::unique_lock lock(mutex_);
      const auto is_wanted = [this] { return asked_ || untraced_ || stopping_; };
      if (second_at != Clock::time_point::max()) {
        wake_.wait_until(lock, second_at, is_wanted);
      } else {
        wake_.wait(lock, is_wanted);
      }
      if (stopping_) return;
      is_new = std::exchange(asked_, false);
      untraced = std::exchange(untraced_, {});
    }
    if (is_new) {
      updated_.clear();
      failed_.clear();
      UpdateAll(false);
      second_at = Clock::now() + options_.second_round;
    } else if (Clock::now() >= second_at) {
      UpdateAll(true);
      second_at = Clock::time_point::max();
    }
    if (untraced) AttachUntraced(*untraced);
  }
}

SandboxesAsked SessionUpdater::WhomToAsk() const {
  SandboxesAsked asked;
  asked.runsc = options_.runsc;
  asked.prefer_own_runsc = options_.prefer_own_runsc;
  asked.socket_path = options_.socket_path;
  asked.limits = {.patience = options_.patience, .stop_fd = stop_fd_.get()};
  absl::flat_hash_set<std::string> known;  // canonical; each is asked by the text that came first
  absl::flat_hash_set<std::string> connected;
  const auto add = [&](const std::string& root) {
    if (known.insert(CanonicalPath(root)).second) asked.roots.push_back(root);
  };
  for (const SandboxPlace& place : connected_()) {
    if (!place.known()) continue;
    add(place.state_root);
    connected.insert(KeyOf(CanonicalPath(place.state_root), place.sandbox_id));
  }
  for (const auto& [key, root] : failed_) add(root);
  for (const std::string& root : options_.roots) add(root);
  asked.is_connected = [connected = std::move(connected)](const std::string& root,
                                                          const std::string& id) {
    return connected.contains(KeyOf(CanonicalPath(root), id));
  };
  return asked;
}

void SessionUpdater::UpdateAll(bool is_second) {
  const SandboxesAsked asked = WhomToAsk();
  TracedSandboxes found = LookAtSandboxes(asked);
  SessionUpdate update{.reports = {}, .problems = {}, .is_second = is_second};
  for (Error& problem : found.problems) update.problems.push_back(std::move(problem.message));
  std::vector<TracedSandbox> ours;
  for (TracedSandbox& sandbox : found.sandboxes) {
    const std::string key = KeyOf(sandbox.call.root, sandbox.id);
    const bool is_meant = !options_.updates_attached_only || attached_.contains(key);
    const bool is_ours = sandbox.tracing == Tracing::kOurs && is_meant && !updated_.contains(key);
    const bool has_lost_it = failed_.contains(key) && (sandbox.tracing == Tracing::kNone ||
                                                       sandbox.tracing == Tracing::kNobody);
    if (is_ours || has_lost_it) {
      ours.push_back(std::move(sandbox));
    } else if (!sandbox.problem.empty()) {
      update.problems.push_back(std::move(sandbox.problem));
    }
  }
  update.reports = AttachAll(asked, ours, options_.session_file);
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
  }
  Count(update);
  if (options_.on_update) options_.on_update(update);
}

// Those that were attached have had until the next round to connect.
void SessionUpdater::ForgetUnconnected() {
  absl::flat_hash_set<std::string> connected;
  for (const SandboxPlace& place : connected_()) {
    connected.insert(KeyOf(CanonicalPath(place.state_root), place.sandbox_id));
  }
  absl::erase_if(attached_, [&](const std::string& key) { return !connected.contains(key); });
}

void SessionUpdater::AttachUntraced(const std::vector<UntracedSandbox>& untraced) {
  ForgetUnconnected();
  const SandboxesAsked asked = WhomToAsk();
  std::vector<TracedSandbox> looked;
  for (const UntracedSandbox& sandbox : untraced) {
    looked.push_back(NotLookedAt(asked, sandbox.root, sandbox.sandbox_id, sandbox.pid));
  }
  if (!looked.empty()) LookAtThese(asked, looked);
  ReconcilePlan plan = reconciler_.Plan(untraced, std::move(looked));
  std::vector<TracedSandbox> sandboxes;
  for (const ReconcileStep& step : plan.attach) sandboxes.push_back(step.sandbox);
  std::vector<AttachReport> reports = AttachAll(asked, sandboxes, options_.session_file);
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
  }
  ReconcileReport told{.attached = {}, .left = std::move(plan.left)};
  for (size_t i = 0; i < reports.size(); ++i) {
    ReconcileReport::Attached attached{std::move(reports[i]), plan.attach[i].reason};
    CountAttached(attached);
    const AttachReport& report = attached.report;
    const bool is_news = reconciler_.IsNews(report.root, report.id, report.problem);
    const bool failed = report.result == AttachResult::kFailed;
    if (!failed) attached_.insert(KeyOf(report.root, report.id));
    if (!failed && attached.reason == AttachReason::kLost) {
      TellLoss(report, plan.attach[i].ended_ns);
    }
    if (!failed || is_news) told.attached.push_back(std::move(attached));
  }
  const bool is_any = !told.attached.empty() || !told.left.empty();
  if (is_any && options_.on_reconciled) options_.on_reconciled(told);
}

void SessionUpdater::CountAttached(const ReconcileReport::Attached& attached) {
  if (attached.report.result == AttachResult::kFailed) {
    counters_.Add(EngineCounter::kSessionAttachesFailed);
    return;
  }
  switch (attached.reason) {
    case AttachReason::kUntraced:
      counters_.Add(EngineCounter::kSessionsAttached);
      return;
    case AttachReason::kTakenOver:
      counters_.Add(EngineCounter::kSessionsTaken);
      return;
    case AttachReason::kLost:
      counters_.Add(EngineCounter::kSessionsReattached);
      counters_.Add(EngineCounter::kSessionAttachDropped,
                    attached.report.dropped_before.value_or(0));
      return;
  }
}

// Where this process saw its connection end, the time since then is lost even if nothing is said to
// have been dropped: a deleted session counts nothing.
void SessionUpdater::TellLoss(const AttachReport& report, std::optional<int64_t> ended_ns) const {
  const uint64_t dropped = report.dropped_before.value_or(0);
  const bool is_alert = options_.builtins.enabled(Builtin::kEventsLost) && options_.on_alert;
  if (!is_alert || (dropped == 0 && !ended_ns)) return;
  const int64_t now_ns = RealTimeNs();
  std::optional<int64_t> since_ns;
  if (ended_ns) since_ns = now_ns - (SteadyNs() - *ended_ns);
  options_.on_alert(MakeBuiltinAlert(
      Builtin::kEventsLost, options_.builtins.priority(Builtin::kEventsLost), now_ns,
      DescribeSessionLoss(report.id, report.root, dropped, since_ns, now_ns)));
}

void SessionUpdater::DetachConnected() const {
  if (options_.runsc.empty()) return;
  SandboxesAsked asked = WhomToAsk();
  asked.limits.stop_fd = -1;
  std::vector<TracedSandbox> ours = LookAtSandboxes(asked).sandboxes;
  std::erase_if(ours,
                [](const TracedSandbox& sandbox) { return sandbox.tracing != Tracing::kOurs; });
  const std::vector<AttachReport> reports = DetachAll(asked, ours);
  if (options_.on_detached) options_.on_detached(reports);
}

void SessionUpdater::Count(const SessionUpdate& update) {
  constexpr int64_t kNsPerMs = 1'000'000;
  for (const AttachReport& report : update.reports) {
    if (report.result == AttachResult::kFailed) {
      counters_.Add(EngineCounter::kSessionUpdatesFailed);
      failed_.insert_or_assign(KeyOf(report.root, report.id), report.root);
      continue;
    }
    failed_.erase(KeyOf(report.root, report.id));
    updated_.insert(KeyOf(report.root, report.id));
    counters_.Add(EngineCounter::kSessionUpdates);
  }
  const AttachLoss loss = LossOf(update.reports);
  counters_.Add(EngineCounter::kSessionUpdateDropped, loss.dropped_before);
  counters_.Add(EngineCounter::kSessionUpdateMs,
                static_cast<uint64_t>((loss.window_ns + kNsPerMs - 1) / kNsPerMs));
}

}  // namespace gyrfalcon
