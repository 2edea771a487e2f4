// What a plan has learnt of its parts while it was asked, for the plan that follows it. It decides
// in which order things are asked, never what the answer is.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <vector>

#include <absl/container/flat_hash_map.h>

namespace gyrfalcon {

// How often a part was asked, in a sample of happenings, and how often it held.
struct Figure {
  uint64_t asked = 0;
  uint64_t held = 0;
};

// By PlanNode::identity, which equal parts have in every plan of this program's life.
using PlanFigures = absl::flat_hash_map<uint64_t, Figure>;

// Counters of a plan's nodes, by their number. All workers that go by the plan add to them.
class FigureCounters {
 public:
  void Resize(size_t nodes) { counters_ = std::vector<Counter>(nodes); }
  void Note(uint32_t node, bool held) const noexcept {
    counters_[node].asked.fetch_add(1, std::memory_order_relaxed);
    if (held) counters_[node].held.fetch_add(1, std::memory_order_relaxed);
  }
  Figure operator[](uint32_t node) const noexcept {
    // In this order, and with the bound: workers go on adding.
    const uint64_t held = counters_[node].held.load(std::memory_order_relaxed);
    return {.asked = std::max(held, counters_[node].asked.load(std::memory_order_relaxed)),
            .held = held};
  }

 private:
  struct Counter {
    mutable std::atomic<uint64_t> asked = 0;
    mutable std::atomic<uint64_t> held = 0;
  };
  std::vector<Counter> counters_;
};

}  // namespace gyrfalcon
