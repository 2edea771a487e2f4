#include "bench/memory_loop.h"

#include <algorithm>
#include <ctime>

#include "base/allocation_count.h"
#include "base/clock.h"

namespace gyrfalcon {
namespace {

// About what a processor's second-level cache holds, as a kernel has just written it there.
constexpr size_t kChunkMessages = 4'096;
constexpr ConnectionId kConnection{1};

int64_t ThreadCpuNs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

MemoryLoop::MemoryLoop(const Traffic& traffic, const std::shared_ptr<const RuleSet>& rules,
                       const BuiltinSettings& builtins, AlertSink& alerts)
    : traffic_(traffic),
      ids_(traffic.IdsFor(0)),
      alerts_(alerts),
      pipeline_(rules, {.builtins = builtins}, alerts_),
      buffer_(traffic.message_bytes_max()) {
  Record opened;
  opened.kind = RecordKind::kOpened;
  opened.connection = kConnection;
  pipeline_.Process(opened);
}

MemoryLoop::Chunk MemoryLoop::Next() {
  records_.Clear();
  const size_t count = std::min(kChunkMessages, traffic_.message_count() - next_);
  for (size_t i = 0; i < count; ++i) {
    const auto message = traffic_.Render(next_ + i, ids_, RealTimeNs(), buffer_);
    const size_t bytes = message.header.size() + message.payload.size();
    Record record;
    record.connection = kConnection;
    record.frame = std::span(buffer_).first(bytes);
    records_.Add(record);
  }
  next_ = (next_ + count) % traffic_.message_count();
  if (next_ == 0) ++loops_;

  Chunk chunk;
  chunk.cost.events = count;
  const uint64_t allocations_before = AllocationsOfThisThread();
  const int64_t begin = SteadyNs();
  const int64_t cpu_before = ThreadCpuNs();
  uint64_t allocated = allocations_before;
  for (const Record& record : records_.all()) {
    const uint64_t alerts_before = alerts_.alerts;
    pipeline_.Process(record);
    const uint64_t allocated_by_now = AllocationsOfThisThread();
    if (alerts_.alerts == alerts_before) {
      ++chunk.quiet_events;
      chunk.quiet_allocations += allocated_by_now - allocated;
    }
    allocated = allocated_by_now;
  }
  chunk.cost.cpu_ns = ThreadCpuNs() - cpu_before;
  chunk.cost.elapsed_ns = SteadyNs() - begin;
  chunk.allocations = allocated - allocations_before;
  return chunk;
}

}  // namespace gyrfalcon
