#include "engine/pod_watch.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace gyrfalcon {

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

// Spread over as long again: when the server is back, not all nodes are there at once.
bool PodWatch::WaitFor(std::chrono::milliseconds pause) {
  const auto more = std::uniform_int_distribution<int64_t>(0, pause.count())(random_);
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, pause + std::chrono::milliseconds(more), [this] { return stopping_; });
  return !stopping_;
}

void PodWatch::Run() {
  while (WaitFor(pause_)) {
    const auto begun = Clock::now();
    const auto watched = Watch();
    const bool was_steady = Clock::now() - begun >= options_.steady;
    if (!watched) NoteFailure(watched.error());
    if (was_steady) {
      pause_ = watched ? std::chrono::milliseconds(0) : options_.retry;
    } else {
      pause_ = std::clamp(pause_ * 2, options_.retry, options_.retry_max);
    }
  }
}

void PodWatch::NoteFailure(const Error& error) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_) return;
  }
  counters_.Add(EngineCounter::kPodWatchFailures);
  const auto now = Clock::now();
  const bool is_new =
      told_.empty() || (error.message != told_ && now - told_at_ >= options_.told_again);
  if (!is_new) return;
  is_watching_ = false;
  told_ = error.message;
  told_at_ = now;
  options_.on_problem(error);
}

void PodWatch::NoteWatching() {
  told_.clear();
  if (!std::exchange(is_watching_, true)) options_.on_watching();
}

// A version stays good over a broken connection; what can't be read, or is too old, has them told
// anew.
Result<void> PodWatch::Watch() {
  if (version_.empty()) ++round_;
  Reading reading;
  const auto span =
      options_.watch + std::chrono::milliseconds(std::uniform_int_distribution<int64_t>(
                           0, options_.watch.count())(random_));
  constexpr auto kGrace = std::chrono::milliseconds(30'000);
  const int seconds =
      static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(span).count());
  const auto status =
      api_.Get({.path = PodWatchPath(options_.node, version_, std::max(seconds, 1)),
                .accept = std::string(kPodEventAccept),
                .timeout_ms = static_cast<int>((span + kGrace).count()),
                .on_begin = [this] { NoteWatching(); }},
               [this, &reading](std::string_view piece) { return TakePiece(piece, reading); });
  if (reading.error || reading.begins_anew || (status && *status == kHttpGone)) version_.clear();
  if (reading.error) return std::unexpected(*std::move(reading.error));
  if (!status) return std::unexpected(status.error());
  return {};
}

// False: enough.
bool PodWatch::TakePiece(std::string_view piece, Reading& reading) {
  while (!piece.empty()) {
    const size_t end = piece.find('\n');
    if (!reading.skips_line) reading.line += piece.substr(0, end);
    if (reading.line.size() > kPodEventBytesMax) {
      counters_.Add(EngineCounter::kPodsRefused);
      reading.skips_line = true;
      reading.line.clear();
    }
    if (end == std::string_view::npos) return true;
    piece.remove_prefix(end + 1);
    if (!std::exchange(reading.skips_line, false) && !TakeLine(reading)) return false;
  }
  return true;
}

bool PodWatch::TakeLine(Reading& reading) {
  auto event = ReadPodEvent(reading.line);
  reading.line.clear();
  if (!event) {
    reading.error = event.error();
  } else if (event->kind == PodEventKind::kProblem) {
    reading.error = Error{"the API server ended the watch: " + event->problem, Fault::kEnvironment};
  } else if (event->kind == PodEventKind::kTooOld) {
    reading.begins_anew = true;
  } else {
    TakeEvent(*std::move(event));
  }
  return !reading.error && !reading.begins_anew;
}

void PodWatch::TakeEvent(PodEvent event) {
  // Until the first mark all that there is may not have been told, in whatever order.
  const bool is_whole = event.kind == PodEventKind::kMark || !version_.empty();
  if (is_whole && !event.version.empty()) version_ = std::move(event.version);
  if (event.kind == PodEventKind::kMark) {
    ForgetUntold();
  } else if (event.pod.uid.empty()) {
    counters_.Add(EngineCounter::kPodsRefused);
  } else if (event.kind == PodEventKind::kGone) {
    Forget(event.pod.uid);
  } else {
    Take(std::move(event.pod));
  }
}

void PodWatch::Take(Pod pod) {
  const auto found = pods_.find(pod.uid);
  if (found == pods_.end() && pods_.size() >= options_.pods_max) {
    counters_.Add(EngineCounter::kPodsRefused);
    return;
  }
  if (found != pods_.end()) {
    found->second.round = round_;
    if (*found->second.labels == pod.labels) return;
  }
  counters_.Add(EngineCounter::kPodChanges);
  auto labels = std::make_shared<const Labels>(std::move(pod.labels));
  pods_.insert_or_assign(pod.uid, Known{.labels = labels, .round = round_});
  on_change_({.uid = std::move(pod.uid), .labels = std::move(labels)});
}

void PodWatch::Forget(const std::string& uid) {
  if (pods_.erase(uid) != 0) on_change_({.uid = uid, .labels = nullptr});
}

// Those that ended while nobody watched: of a watch that began anew the mark comes behind all that
// there are.
void PodWatch::ForgetUntold() {
  std::vector<std::string> gone;
  for (const auto& [uid, known] : pods_) {
    if (known.round != round_) gone.push_back(uid);
  }
  for (const std::string& uid : gone) Forget(uid);
}

}  // namespace gyrfalcon
