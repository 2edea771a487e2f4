// A well-behaved sandbox beside the others: a recorded one that goes on and on, at the times of
// now, and opens a file now and then that a rule is about. Every alert must come, and how soon is
// measured.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "bench/traffic.h"
#include "daemon.h"

namespace gyrfalcon {

// What the witness saw in a while.
struct Testimony {
  uint64_t probes = 0;
  uint64_t unanswered = 0;       // probes whose alert did not come
  uint64_t recorded_alerts = 0;  // of the recording's own
  uint64_t recorded_wanted = 0;
  uint64_t claims = 0;               // alerts that somebody speaks in its name
  std::vector<double> latencies_us;  // sorted
};

class Witness {
 public:
  // The recording has to have execs. Nothing is sent yet.
  static Result<Traffic> Load(const std::string& capture);
  // The rules whose alerts it waits for.
  static std::string Rules(const Traffic& traffic);

  // Both outlive it.
  Witness(Daemon& daemon, const Traffic& traffic);
  ~Witness();
  Result<void> Connect();
  const std::string& container_id() const { return ids_.front(); }

  // Sends for that long, then waits for what is still on its way.
  Testimony Watch(std::chrono::nanoseconds duration);

 private:
  void ReadAlerts();
  bool SendLoop(int64_t until_ns);
  bool Send(std::span<const std::byte> header, std::span<const std::byte> payload) const;
  bool Probe();

  Daemon& daemon_;
  const Traffic& traffic_;
  const std::vector<std::string> ids_;
  UniqueFd fd_;
  std::vector<std::byte> buffer_;
  uint64_t next_probe_ = 0;
  uint64_t alerts_per_loop_ = 0;

  std::mutex mutex_;
  std::unordered_map<uint64_t, int64_t> sent_ns_;  // probes on their way
  std::vector<double> latencies_us_;
  uint64_t recorded_alerts_ = 0;
  uint64_t claims_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread reader_;
};

}  // namespace gyrfalcon
