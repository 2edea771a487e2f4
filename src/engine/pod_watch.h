// Labels of pods that change while they run (warm pools hand out pods that wait, and label them
// then): only the API server of Kubernetes knows them. Watches this node's pods there, on a thread
// of its own. Off unless the config asks for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "engine/counters.h"
#include "metadata/kube_api.h"
#include "metadata/kube_pods.h"

namespace gyrfalcon {

struct PodWatchOptions {
  std::string node;  // "": no pod is watched
  KubeServer server;
  int watch_s = 300;                       // then the server is asked anew, from where it was
  std::chrono::milliseconds retry{1'000};  // doubled by each further failure, up to
  std::chrono::milliseconds retry_max{60'000};
  size_t pods_max = 4096;  // a node has 256 at most by default; further ones are counted
  // On the watch's thread. The first failure of several in a row; how many pods there are when they
  // were listed for the first time, and after a failure.
  std::function<void(const Error&)> on_problem = [](const Error&) {};
  std::function<void(size_t)> on_listed = [](size_t) {};
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
  // `on_change` runs on the watch's thread: for each pod when it is first listed, and whenever its
  // labels are others. Once.
  void Start(OnChange on_change);
  // No function runs after it returns. A call under way is ended.
  void Stop();

  Counters<EngineCounter> counters() const { return counters_.Snapshot(); }

 private:
  void Run();
  Result<PodPage> GetPage(const std::string& next);
  Result<std::string> List();
  void ForgetAllBut(const std::vector<Pod>& pods);
  enum class Then : uint8_t { kGoOn, kListAnew };
  Result<Then> WatchFrom(std::string& version);
  void TakeEvent(PodEvent event, std::string& version);
  void Take(Pod pod);
  void Forget(const std::string& uid);
  void NoteFailure(const Error& error);
  bool WaitFor(std::chrono::milliseconds pause);  // false: it is to stop

  const PodWatchOptions options_;
  KubeApi api_;
  OnChange on_change_;
  // By uid; the thread's.
  absl::flat_hash_map<std::string, std::shared_ptr<const Labels>> pods_;
  bool is_failing_ = false;
  bool was_listed_ = false;
  std::chrono::milliseconds pause_{0};
  std::minstd_rand random_{std::random_device{}()};
  AtomicCounters<EngineCounter> counters_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // under mutex_
  std::thread thread_;
};

}  // namespace gyrfalcon
