// Labels of pods that change while they run (warm pools hand out pods that wait, and label them
// then): only the API server of Kubernetes knows them. Watches this node's pods there, on a thread
// of its own. Off unless the config asks for it.
//
// There is no list: a watch from version 0 begins with all pods that there are, out of the server's
// memory, one by one. A list would be a read of its store, by every node at once when it is back,
// and one answer that pods with large annotations could make too large to be read.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include <absl/container/flat_hash_map.h>

#include "engine/counters.h"
#include "metadata/kube_api.h"
#include "metadata/kube_pods.h"

namespace gyrfalcon {

struct PodWatchOptions {
  std::string node;  // "": no pod is watched
  KubeServer server;
  // Then the server is asked anew, from where it was; up to twice as long, by chance.
  std::chrono::milliseconds watch{300'000};
  // After one that lasted shorter there is a pause, as after a failure.
  std::chrono::milliseconds steady{10'000};
  std::chrono::milliseconds retry{1'000};  // doubled by each further failure, up to
  std::chrono::milliseconds retry_max{60'000};
  std::chrono::milliseconds told_again{60'000};  // another problem than that before, at most
  size_t pods_max = 4096;                        // kubelet runs 110 unless it is told otherwise
  // On the watch's thread. A failure; one that goes on is told once, while it stays the same. And
  // the server answers, for the first time or again.
  std::function<void(const Error&)> on_problem = [](const Error&) {};
  std::function<void()> on_watching = [] {};
};

struct PodChange {
  std::string uid;
  std::shared_ptr<const Labels> labels;  // nullptr: the pod is gone
};

class PodWatch {
 public:
  using OnChange = std::function<void(const PodChange&)>;

  explicit PodWatch(PodWatchOptions options)
      : options_(std::move(options)), api_(options_.server) {}
  ~PodWatch() { Stop(); }
  // `on_change` runs on the watch's thread: for each pod when it is first told, and whenever its
  // labels are others. Once.
  void Start(OnChange on_change);
  // No function runs after it returns. A call under way is ended.
  void Stop();

  Counters<EngineCounter> counters() const { return counters_.Snapshot(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Known {
    std::shared_ptr<const Labels> labels;
    uint64_t round = 0;  // of watches that began anew: when it was last told
  };
  // What of a watch is read.
  struct Reading {
    std::string line;
    bool skips_line = false;  // it is too large
    bool begins_anew = false;
    std::optional<Error> error;
  };

  void Run();
  Result<void> Watch();
  bool TakePiece(std::string_view piece, Reading& reading);
  bool TakeLine(Reading& reading);
  void TakeEvent(PodEvent event);
  void Take(Pod pod);
  void Forget(const std::string& uid);
  void ForgetUntold();
  void NoteWatching();
  void NoteFailure(const Error& error);
  bool WaitFor(std::chrono::milliseconds pause);  // false: it is to stop

  const PodWatchOptions options_;
  KubeApi api_;
  OnChange on_change_;
  // The thread's.
  absl::flat_hash_map<std::string, Known> pods_;  // by uid
  std::string version_;                           // "": all are to be told anew
  uint64_t round_ = 0;
  std::chrono::milliseconds pause_{0};
  bool is_watching_ = false;  // as it was told
  std::string told_;          // the last problem; "": it watches
  Clock::time_point told_at_;
  std::minstd_rand random_{std::random_device{}()};
  AtomicCounters<EngineCounter> counters_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // under mutex_
  std::thread thread_;
};

}  // namespace gyrfalcon
