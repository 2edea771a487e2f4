// What the pipeline costs: captures, looped, through the real engine on real sockets, beside a loop
// that receives the same and throws it away; or from memory, without sockets.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alerts/alert_format.h"
#include "base/result.h"
#include "bench/sender.h"
#include "engine/pipeline.h"

namespace gyrfalcon {

struct BenchOptions {
  std::vector<std::string> captures;
  std::chrono::nanoseconds duration = std::chrono::seconds(10);  // of all measured segments
  size_t connections = 8;
  size_t workers = 1;
  BuiltinSettings builtins{};
  AlertFormatOptions format{};
};

// One short stretch of time.
struct BenchSegment {
  uint64_t events = 0;
  int64_t elapsed_ns = 0;
  int64_t cpu_ns = 0;         // of the threads that receive
  int64_t sender_cpu_ns = 0;  // of the sending process
};

struct BenchResult {
  std::vector<BenchSegment> pipeline;
  std::vector<BenchSegment> discard;  // one for each of the pipeline's; none from memory
  uint64_t refused = 0;               // counted as data loss (engine/counters.h), or by a channel
  uint64_t alerts = 0;                // of the whole run, as is `refused`
  uint64_t allocations = 0;           // of the worker threads, in the segments; alerts' included
  bool allocations_counted = false;
  double discard_messages_per_receive = 0;
  int64_t rss_bytes = 0;
  int64_t alerts_cpu_ns = 0;  // of the thread that formats alerts, in the segments
  bool is_warm = false;       // each connection had made a whole loop when measuring began
  // Of the events that raised no alert, how many there were, and what they took from the heap. From
  // memory: in the segments; else in a further loop from memory, after all else.
  uint64_t quiet_events = 0;
  uint64_t quiet_allocations = 0;
  std::vector<std::string> losses;  // the counters that make up `refused`: "NAME = N"
};

// The sender has to be there before the first thread. Its sockets are in a folder of its own, made
// with it.
class BenchSockets {
 public:
  static Result<BenchSockets> Start(const BenchOptions& options);
  BenchSockets(BenchSockets&& other) noexcept = default;
  ~BenchSockets();

  SenderProcess& sender() noexcept { return *sender_; }
  const std::string& pipeline_path() const& noexcept { return pipeline_path_; }
  const std::string& discard_path() const& noexcept { return discard_path_; }
  // No longer needed once all are connected.
  void RemoveFolder() noexcept;

 private:
  BenchSockets() = default;

  std::string folder_;
  std::string pipeline_path_;
  std::string discard_path_;
  std::optional<SenderProcess> sender_;
};

Result<BenchResult> RunSocketBench(const BenchOptions& options, BenchSockets& sockets,
                                   const std::shared_ptr<const RuleSet>& rules);

Result<BenchResult> RunMemoryBench(const BenchOptions& options,
                                   const std::shared_ptr<const RuleSet>& rules);

}  // namespace gyrfalcon
