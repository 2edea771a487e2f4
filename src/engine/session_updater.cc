#include "engine/session_updater.h"

#include <utility>

#include <sys/eventfd.h>

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
      stop_fd_(eventfd(0, EFD_CLOEXEC)) {
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

void SessionUpdater::Run() {
  bool second_due = false;
  for (;;) {
    bool is_new = false;
    {
      std::unique_lock lock(mutex_);
      const auto is_wanted = [this] { return asked_ || stopping_; };
      if (second_due) {
        wake_.wait_for(lock, options_.second_round, is_wanted);
      } else {
        wake_.wait(lock, is_wanted);
      }
      if (stopping_) return;
      is_new = std::exchange(asked_, false);
    }
    if (is_new) {
      updated_.clear();
      failed_.clear();
    }
    UpdateAll(!is_new);
    second_due = is_new;
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
  if (!options_.root.empty()) add(options_.root);
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
    const bool is_ours = sandbox.tracing == Tracing::kOurs && !updated_.contains(key);
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
