// Falco's metrics output: every interval an alert, a line of a file, or both, with what the daemon
// counts, under Falco's names where Falco has one for it. docs/operating.md lists them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "alerts/alert.h"
#include "base/result.h"
#include "service/control.h"

namespace gyrfalcon {

// Falco's config keys of the same names, below `metrics`.
struct MetricsSnapshotOptions {
  bool enabled = false;
  uint64_t interval_ms = 3'600'000;
  bool output_rule = true;
  std::string output_file;  // empty: none; lines of JSON are appended
  bool rules_counters = true;
  bool resource_utilization = true;
  bool state_counters = true;
  bool kernel_event_counters = true;
  bool convert_memory_to_mb = true;
  bool include_empty_values = false;

  friend bool operator==(const MetricsSnapshotOptions&, const MetricsSnapshotOptions&) = default;
};

// What a snapshot needs of the one before it.
struct SnapshotMemory {
  int64_t time_ns = 0;  // 0: there was none
  uint64_t events = 0;
  uint64_t sent = 0;  // by sandboxes: received and dropped
  uint64_t dropped = 0;
};

struct SnapshotMoment {
  int64_t now_ns = 0;
  int64_t start_ns = 0;  // of the daemon; both since the epoch
  std::string version;
};

// In the order of their names. `last` becomes this one.
std::vector<AlertField> SnapshotFields(const MetricsSnapshotOptions& options,
                                       const DaemonStatus& status, const SnapshotMoment& moment,
                                       SnapshotMemory& last);

Alert SnapshotAlert(int64_t now_ns, std::vector<AlertField> fields);

// {"output_fields":{…},"sample":N}
std::string SnapshotLine(uint64_t sample, const std::vector<AlertField>& fields);

class MetricsSnapshots {
 public:
  struct Calls {
    std::function<DaemonStatus()> status;
    std::function<void(Alert)> raise;
    std::function<void(const Error&)> on_problem;  // the file can't be written; once, until it can
  };

  // The first snapshot comes after the first interval, as Falco's. All calls are made on a thread
  // of its own.
  MetricsSnapshots(MetricsSnapshotOptions options, std::string version, Calls calls);
  ~MetricsSnapshots();  // joins
  MetricsSnapshots(const MetricsSnapshots&) = delete;
  MetricsSnapshots& operator=(const MetricsSnapshots&) = delete;

 private:
  void Run();
  void Take(uint64_t sample, SnapshotMemory& last);
  void Append(const std::string& line);

  const MetricsSnapshotOptions options_;
  const std::string version_;
  const Calls calls_;
  const int64_t start_ns_;
  bool told_problem_ = false;  // of the thread
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopped_ = false;  // under mutex_
  std::thread thread_;
};

}  // namespace gyrfalcon
