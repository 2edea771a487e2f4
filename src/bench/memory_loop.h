// Captures, looped through one pipeline without sockets: one sandbox whose messages are made ready
// in memory, a few thousand at a time, and then processed. Only the processing counts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "bench/traffic.h"
#include "engine/pipeline.h"
#include "wire/kept_records.h"

namespace gyrfalcon {

class MemoryLoop {
 public:
  // `traffic` and `alerts` outlive it.
  MemoryLoop(const Traffic& traffic, const std::shared_ptr<const RuleSet>& rules,
             const BuiltinSettings& builtins, AlertSink& alerts);

  struct Chunk {
    BenchSegment cost;
    uint64_t allocations = 0;
    uint64_t quiet_events = 0;  // those that raised no alert
    uint64_t quiet_allocations = 0;
  };
  // The next messages; a loop that ends is begun again.
  Chunk Next();
  // Whole loops so far.
  uint64_t loops() const noexcept { return loops_; }

  Totals totals() const { return pipeline_.totals(); }

 private:
  // Passes alerts on and counts them.
  class Counting final : public AlertSink {
   public:
    explicit Counting(AlertSink& next) : next_(next) {}
    bool OnAlert(Alert alert) override {
      ++alerts;
      return next_.OnAlert(std::move(alert));
    }
    uint64_t alerts = 0;

   private:
    AlertSink& next_;
  };

  const Traffic& traffic_;
  const std::vector<std::string> ids_;
  Counting alerts_;
  Pipeline pipeline_;
  KeptRecords records_;
  std::vector<std::byte> buffer_;
  size_t next_ = 0;
  uint64_t loops_ = 0;
};

}  // namespace gyrfalcon
