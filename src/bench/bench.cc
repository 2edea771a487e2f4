#include "bench/bench.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <utility>

#include <unistd.h>

#include "base/allocation_count.h"
#include "bench/discard_loop.h"
#include "bench/memory_loop.h"
#include "bench/segments.h"
#include "bench/thread_set.h"
#include "bench/traffic.h"
#include "channels/dispatcher.h"
#include "engine/engine.h"

namespace gyrfalcon {
namespace {

constexpr size_t kPipelineSet = 0;
constexpr size_t kDiscardSet = 1;
// How long to wait for the first whole loop, beyond the time of the measuring itself.
constexpr std::chrono::nanoseconds kWarmUpMax = std::chrono::seconds(20);

// Lines are formatted, and go nowhere.
class NoChannel final : public Channel {
 public:
  explicit NoChannel(AlertFormatOptions format) : format_(std::move(format)) {}
  std::string_view name() const override { return "nowhere"; }
  Delivery Deliver(std::span<const OutgoingAlert> batch) override {
    for (const OutgoingAlert& outgoing : batch)
      bytes_ += FormatAlert(*outgoing.alert, format_).size();
    return {.done = batch.size(), .refused = 0, .problem = {}};
  }

 private:
  const AlertFormatOptions format_;
  size_t bytes_ = 0;
};

std::vector<std::unique_ptr<Channel>> Nowhere(const BenchOptions& options) {
  std::vector<std::unique_ptr<Channel>> channels;
  channels.push_back(std::make_unique<NoChannel>(options.format));
  return channels;
}

int64_t RssBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t size_pages = 0;
  int64_t resident_pages = 0;
  file >> size_pages >> resident_pages;
  return resident_pages * ::sysconf(_SC_PAGESIZE);
}

// What was received may not be processed yet: until the threads rest.
void WaitUntilAtRest(const ThreadSet& threads) {
  constexpr int kLooksMax = 200;
  int64_t before = -1;
  for (int i = 0; i < kLooksMax; ++i) {
    const int64_t now = threads.cpu_ns();
    if (now == before) return;
    before = now;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

Result<BenchSegment> RunSegment(SenderProcess& sender, size_t set, const ThreadSet& threads,
                                SendBounds bounds) {
  const int64_t cpu_before = threads.cpu_ns();
  const auto sent = sender.Send(set, bounds);
  if (!sent) return std::unexpected(sent.error());
  WaitUntilAtRest(threads);
  return BenchSegment{.events = sent->messages,
                      .elapsed_ns = sent->elapsed_ns,
                      .cpu_ns = threads.cpu_ns() - cpu_before,
                      .sender_cpu_ns = sent->cpu_ns};
}

Result<bool> WarmUp(SenderProcess& sender, std::chrono::nanoseconds segment) {
  for (const size_t set : {kDiscardSet, kPipelineSet}) {
    const uint64_t loops = set == kPipelineSet ? 1 : 0;
    const auto sent = sender.Send(set, {segment, loops, std::max(segment, kWarmUpMax)});
    if (!sent) return std::unexpected(sent.error());
    if (sent->loops < loops) return false;
  }
  return true;
}

void NoteLosses(const Totals& totals, uint64_t failed_writes, BenchResult& result) {
  const auto note = [&result](std::string_view name, uint64_t count) {
    if (count == 0) return;
    result.refused += count;
    result.losses.push_back(std::string(name) + " = " + std::to_string(count));
  };
  for (const Totals::Row& row : totals.Rows()) {
    if (row.def->severity == Severity::kDataLoss) note(row.def->name, row.value);
  }
  note("failed_writes", failed_writes);
  result.alerts = totals.engine[EngineCounter::kAlerts];
}

// What is measured in one pair, and who works in it.
struct Workers {
  ThreadSet pipeline;
  ThreadSet discard;
  ThreadSet alerts;
};

// Which of a pair comes first changes, lest a trend of the machine's favours one.
Result<void> RunPair(SenderProcess& sender, const Workers& workers, SendBounds bounds,
                     bool discard_first, BenchResult& result) {
  for (const bool is_discard : {discard_first, !discard_first}) {
    const uint64_t allocations_before = workers.pipeline.allocations();
    const int64_t alerts_cpu_before = workers.alerts.cpu_ns();
    const auto segment = is_discard ? RunSegment(sender, kDiscardSet, workers.discard, bounds)
                                    : RunSegment(sender, kPipelineSet, workers.pipeline, bounds);
    if (!segment) return std::unexpected(segment.error());
    (is_discard ? result.discard : result.pipeline).push_back(*segment);
    if (is_discard) continue;
    result.allocations += workers.pipeline.allocations() - allocations_before;
    result.alerts_cpu_ns += workers.alerts.cpu_ns() - alerts_cpu_before;
  }
  return {};
}

class TakeAll final : public AlertSink {
 public:
  bool OnAlert(Alert) override { return true; }
};

void Add(const MemoryLoop::Chunk& chunk, BenchResult& result) {
  result.quiet_events += chunk.quiet_events;
  result.quiet_allocations += chunk.quiet_allocations;
}

// One loop after a first one: the state is as large then as it gets.
Result<void> CountQuietAllocations(const BenchOptions& options,
                                   const std::shared_ptr<const RuleSet>& rules,
                                   BenchResult& result) {
  const auto traffic = Traffic::Load(options.captures, 1);
  if (!traffic) return std::unexpected(traffic.error());
  TakeAll alerts;
  MemoryLoop loop(*traffic, rules, options.builtins, alerts);
  while (loop.loops() == 0) loop.Next();
  while (loop.loops() == 1) Add(loop.Next(), result);
  return {};
}

}  // namespace

Result<BenchSockets> BenchSockets::Start(const BenchOptions& options) {
  BenchSockets sockets;
  std::error_code error;
  const auto parent = std::filesystem::temp_directory_path(error);
  std::string folder = (error ? std::string("/tmp") : parent.string()) + "/gyrfalcon-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) {
    return Fail(Fault::kEnvironment, "cannot make a folder for sockets, " + folder + ": " +
                                         ErrnoText(errno) + "; TMPDIR names another place");
  }
  sockets.folder_ = folder;
  sockets.pipeline_path_ = folder + "/pipeline.sock";
  sockets.discard_path_ = folder + "/discard.sock";
  auto sender = SenderProcess::Start({.captures = options.captures,
                                      .sockets = {sockets.pipeline_path_, sockets.discard_path_},
                                      .connections = options.connections});
  if (!sender) return std::unexpected(sender.error());
  sockets.sender_.emplace(std::move(*sender));
  return sockets;
}

BenchSockets::~BenchSockets() {
  RemoveFolder();
}

void BenchSockets::RemoveFolder() noexcept {
  if (folder_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  folder_.clear();
}

Result<BenchResult> RunSocketBench(const BenchOptions& options, BenchSockets& sockets,
                                   const std::shared_ptr<const RuleSet>& rules) {
  BenchResult result;
  result.allocations_counted = AllocationsAreCounted();
  Workers workers;

  const ThreadSet before_alerts = ThreadSet::Running();
  Dispatcher dispatcher(DispatcherOptions(), Nowhere(options), [](const Error&) {});
  const ThreadSet before_engine = ThreadSet::Running();
  workers.alerts = before_engine.Without(before_alerts);
  EngineOptions engine_options;
  engine_options.socket_path = sockets.pipeline_path();
  engine_options.workers = options.workers;
  engine_options.pipeline.builtins = options.builtins;
  const SocketSourceOptions source = engine_options.source;
  auto engine =
      Engine::Start(std::move(engine_options), rules, dispatcher, [](const HandshakeRejected&) {});
  if (!engine) return std::unexpected(engine.error());
  const ThreadSet before_discard = ThreadSet::Running();
  workers.pipeline = before_discard.Without(before_engine);
  auto discard = DiscardLoop::Start(sockets.discard_path(), options.workers, source);
  if (!discard) return std::unexpected(discard.error());
  workers.discard = ThreadSet::Running().Without(before_discard);

  SenderProcess& sender = sockets.sender();
  if (const auto connected = sender.Connect(); !connected) {
    return std::unexpected(connected.error());
  }
  sockets.RemoveFolder();

  const SegmentPlan plan = PlanSegments(options.duration, 2);
  const auto warm = WarmUp(sender, plan.length);
  if (!warm) return std::unexpected(warm.error());
  result.is_warm = *warm;
  const uint64_t messages_before = (*discard)->messages();
  const uint64_t receives_before = (*discard)->receives();
  for (size_t i = 0; i < plan.pairs; ++i) {
    const auto ran = RunPair(sender, workers, {.at_least = plan.length, .at_most = plan.length},
                             i % 2 == 1, result);
    if (!ran) return std::unexpected(ran.error());
  }
  const uint64_t receives = (*discard)->receives() - receives_before;
  if (receives > 0) {
    result.discard_messages_per_receive =
        static_cast<double>((*discard)->messages() - messages_before) /
        static_cast<double>(receives);
  }
  result.rss_bytes = RssBytes();
  (*engine)->Stop();
  dispatcher.Stop();
  NoteLosses((*engine)->totals(), dispatcher.failed_writes(), result);
  if (result.allocations_counted) {
    if (const auto counted = CountQuietAllocations(options, rules, result); !counted) {
      return std::unexpected(counted.error());
    }
  }
  return result;
}

Result<BenchResult> RunMemoryBench(const BenchOptions& options,
                                   const std::shared_ptr<const RuleSet>& rules) {
  const auto traffic = Traffic::Load(options.captures, 1);
  if (!traffic) return std::unexpected(traffic.error());
  BenchResult result;
  result.allocations_counted = AllocationsAreCounted();
  Dispatcher dispatcher(DispatcherOptions(), Nowhere(options), [](const Error&) {});
  DispatcherSink sink(dispatcher);
  MemoryLoop loop(*traffic, rules, options.builtins, sink);
  while (loop.loops() == 0) loop.Next();
  result.is_warm = true;
  const SegmentPlan plan = PlanSegments(options.duration, 1);
  for (size_t i = 0; i < plan.pairs; ++i) {
    BenchSegment& segment = result.pipeline.emplace_back();
    while (std::chrono::nanoseconds(segment.elapsed_ns) < plan.length) {
      const MemoryLoop::Chunk chunk = loop.Next();
      segment.events += chunk.cost.events;
      segment.elapsed_ns += chunk.cost.elapsed_ns;
      segment.cpu_ns += chunk.cost.cpu_ns;
      result.allocations += chunk.allocations;
      Add(chunk, result);
    }
  }
  result.rss_bytes = RssBytes();
  dispatcher.Stop();
  NoteLosses(loop.totals(), dispatcher.failed_writes(), result);
  return result;
}

}  // namespace gyrfalcon
