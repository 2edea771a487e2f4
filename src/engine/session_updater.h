// Gives the sandboxes that run and are ours the session config anew after its file has changed:
// `trace create --force`, on a thread of its own. Their state is kept, it moves to the connection
// that each makes then; what they do between the two sessions is not seen, and told as a window.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "base/unique_fd.h"
#include "engine/counters.h"
#include "engine/sandbox_sessions.h"
#include "metadata/rootfs.h"

namespace gyrfalcon {

struct SessionUpdate {
  std::vector<AttachReport> reports;  // ours that were found
  std::vector<std::string> problems;  // roots or sandboxes that could not be looked at
  bool is_second = false;             // see SessionUpdaterOptions::second_round
};

struct SessionUpdaterOptions {
  std::string runsc;              // "": nothing is updated
  bool prefer_own_runsc = false;  // see SandboxesAsked
  std::string root;               // asked in any case; "": only those of sandboxes that connect
  std::string session_file;
  std::string socket_path;  // that we listen at
  // One that was just starting has read the file before it changed, and is listed after it: so is
  // one that failed, they are tried once more.
  std::chrono::milliseconds second_round{5'000};
  std::chrono::milliseconds patience{5'000};  // with each call of runsc
  // Runs on the updater's thread.
  std::function<void(const SessionUpdate&)> on_update{};
};

class SessionUpdater {
 public:
  // `connected`: the sandboxes that are connected at this moment; any thread.
  SessionUpdater(SessionUpdaterOptions options,
                 std::function<std::vector<SandboxPlace>()> connected);
  ~SessionUpdater() { Stop(); }
  // A call of runsc that runs is ended.
  void Stop();

  // The file has been replaced. Any thread; does not wait. A change during an update is one more
  // update after it.
  void Update();

  Counters<EngineCounter> counters() const { return counters_.Snapshot(); }

 private:
  using Clock = std::chrono::steady_clock;

  void Run();
  void UpdateAll(bool is_second);
  SandboxesAsked WhomToAsk() const;
  void Count(const SessionUpdate& update);

  const SessionUpdaterOptions options_;
  const std::function<std::vector<SandboxPlace>()> connected_;
  const UniqueFd stop_fd_;  // becomes readable at Stop
  // By this update, by root and id; updater's thread.
  absl::flat_hash_set<std::string> updated_;
  absl::flat_hash_map<std::string, std::string> failed_;  // their roots
  AtomicCounters<EngineCounter> counters_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  bool asked_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gyrfalcon
