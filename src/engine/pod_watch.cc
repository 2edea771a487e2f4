#include "engine/pod_watch.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include <absl/container/flat_hash_set.h>

namespace gyrfalcon {
namespace {

constexpr long kHttpGone = 410;
constexpr int kGraceS = 30;  // behind what the server was asked for

}  // namespace

void PodWatch::Start(OnChange on_change) {
  if (options_.node.empty() || thread_.joinable()) return;
  on_change_ = std::move(on_change);
  thread_ = std::thread([this] { Run(); });
}

void PodWatch::Stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  api_.Cancel();
  if (thread_.joinable()) thread_.join();
}

bool PodWatch::WaitFor(std::chrono::milliseconds pause) {
  // Not all nodes at once, when the server is back.
  const auto more = std::uniform_int_distribution<int64_t>(0, pause.count() / 2)(random_);
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, pause + std::chrono::milliseconds(more), [this] { return stopping_; });
  return !stopping_;
}

// The pause grows until a watch has worked: a server that answers the list and no more is asked no
// more often than one that answers nothing.
void PodWatch::Run() {
  std::string version;
  while (WaitFor(pause_)) {
    if (version.empty()) {
      auto listed = List();
      if (!listed) {
        NoteFailure(listed.error());
        continue;
      }
      version = *std::move(listed);
    }
    const auto then = WatchFrom(version);
    if (!then) NoteFailure(then.error());
    if (!then || *then == Then::kListAnew) version.clear();
  }
}

void PodWatch::NoteFailure(const Error& error) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
  }
  counters_.Add(EngineCounter::kPodWatchFailures);
  pause_ = std::clamp(pause_ * 2, options_.retry, options_.retry_max);
  if (!std::exchange(is_failing_, true)) options_.on_problem(error);
}

Result<PodPage> PodWatch::GetPage(const std::string& next) {
  std::string body;
  const auto take = [&body](std::string_view piece) {
    body += piece;
    return body.size() <= kPodPageBytesMax;
  };
  const auto status = api_.Get(
      {.path = PodListPath(options_.node, next), .accept = std::string(kPodListAccept)}, take);
  if (!status) return std::unexpected(status.error());
  if (*status == kHttpGone) return Fail(Fault::kEnvironment, "the list of pods changed too fast");
  if (body.size() > kPodPageBytesMax) {
    return Fail(Fault::kInput, "a page of the list of pods is larger than " +
                                   std::to_string(kPodPageBytesMax) + " bytes");
  }
  return ReadPodPage(body);
}

// The version that changes follow.
Result<std::string> PodWatch::List() {
  std::vector<Pod> pods;
  std::string version;
  std::string next;
  do {
    auto page = GetPage(next);
    if (!page) return std::unexpected(page.error());
    std::ranges::move(page->pods, std::back_inserter(pods));
    version = std::move(page->version);
    next = std::move(page->next);
  } while (!next.empty() && pods.size() <= options_.pods_max);
  ForgetAllBut(pods);
  for (Pod& pod : pods) Take(std::move(pod));
  if (std::exchange(is_failing_, false) || !std::exchange(was_listed_, true)) {
    options_.on_listed(pods_.size());
  }
  return version;
}

void PodWatch::ForgetAllBut(const std::vector<Pod>& pods) {
  absl::flat_hash_set<std::string_view> stay;
  for (const Pod& pod : pods) stay.insert(pod.uid);
  std::vector<std::string> gone;
  for (const auto& [uid, labels] : pods_) {
    if (!stay.contains(uid)) gone.push_back(uid);
  }
  for (const std::string& uid : gone) Forget(uid);
}

Result<PodWatch::Then> PodWatch::WatchFrom(std::string& version) {
  std::string line;
  std::optional<Error> error;
  Then then = Then::kGoOn;
  const auto take_line = [&] {
    auto event = ReadPodEvent(line);
    line.clear();
    if (!event) {
      error = event.error();
    } else if (event->kind == PodEventKind::kProblem) {
      error = Error{"the API server ended the watch: " + event->problem, Fault::kEnvironment};
    } else if (event->kind == PodEventKind::kTooOld) {
      then = Then::kListAnew;
    } else {
      TakeEvent(*std::move(event), version);
      pause_ = {};
    }
    return !error && then == Then::kGoOn;
  };
  const auto take = [&](std::string_view piece) {
    while (true) {
      const size_t end = piece.find('\n');
      line += piece.substr(0, end);
      if (line.size() > kPodEventBytesMax) {
        error = Error{"a change of a pod is larger than " + std::to_string(kPodEventBytesMax) +
                      " bytes"};
        return false;
      }
      if (end == std::string_view::npos) return true;
      piece.remove_prefix(end + 1);
      if (!take_line()) return false;
    }
  };
  constexpr int kMsPerS = 1'000;
  const auto status = api_.Get({.path = PodWatchPath(options_.node, version, options_.watch_s),
                                .accept = std::string(kPodEventAccept),
                                .timeout_ms = (options_.watch_s + kGraceS) * kMsPerS},
                               take);
  if (error) return std::unexpected(*std::move(error));
  if (!status) return std::unexpected(status.error());
  if (*status == kHttpGone) then = Then::kListAnew;
  pause_ = options_.retry;  // an end that came at once is no reason to ask at once
  return then;
}

void PodWatch::TakeEvent(PodEvent event, std::string& version) {
  if (!event.version.empty()) version = std::move(event.version);
  if (event.kind == PodEventKind::kMark || event.pod.uid.empty()) return;
  if (event.kind == PodEventKind::kGone) {
    Forget(event.pod.uid);
  } else {
    Take(std::move(event.pod));
  }
}

void PodWatch::Take(Pod pod) {
  const auto found = pods_.find(pod.uid);
  if (found != pods_.end() && *found->second == pod.labels) return;
  if (found == pods_.end() && pods_.size() >= options_.pods_max) {
    counters_.Add(EngineCounter::kPodsRefused);
    return;
  }
  counters_.Add(EngineCounter::kPodChanges);
  auto labels = std::make_shared<const Labels>(std::move(pod.labels));
  pods_.insert_or_assign(pod.uid, labels);
  on_change_({.uid = std::move(pod.uid), .labels = std::move(labels)});
}

void PodWatch::Forget(const std::string& uid) {
  if (pods_.erase(uid) != 0) on_change_({.uid = uid, .labels = nullptr});
}

}  // namespace gyrfalcon
