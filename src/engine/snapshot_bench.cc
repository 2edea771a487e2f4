// What it costs to write the sessions of 1,000 sandboxes, as is done once a second where all of
// them are busy, and to take one up again.
#include <benchmark/benchmark.h>

#include "engine/pipeline.h"
#include "rules/rule_loader.h"
#include "wire/capture_source.h"

namespace {

using namespace gyrfalcon;

constexpr uint64_t kSandboxes = 1'000;

class NoAlerts final : public AlertSink {
  bool OnAlert(Alert /*alert*/) override { return true; }
};

std::shared_ptr<const RuleSet> NoRules() {
  RuleLoader loader(AllFields());
  loader.AddFile("none.yaml", "[]");
  return loader.Compile();
}

// Each in the state that one of four recordings leaves.
void Fill(Pipeline& pipeline) {
  constexpr const char* kCaptures[] = {"new/write-etc.trace", "attacks/new/fork-storm.trace",
                                       "attacks/new/fd-tricks.strict.trace",
                                       "attacks/new/busy-benign.strict.trace"};
  for (uint64_t i = 0; i < kSandboxes; ++i) {
    CaptureSource source({std::string(GYRFALCON_SOURCE "/tests/data/captures/") +
                          kCaptures[i % std::size(kCaptures)]});
    Record record;
    while (source.Next(record) != SourceStatus::kEnd) {
      if (record.kind == RecordKind::kClosed) continue;
      record.connection = ConnectionId{i};
      pipeline.Process(record);
    }
  }
}

void BM_WriteSessions(benchmark::State& state) {
  auto file = SnapshotFile::Create({});
  if (!file) return state.SkipWithError(file.error().message.c_str());
  NoAlerts alerts;
  PipelineOptions options;
  options.snapshots = file->get();
  Pipeline pipeline(NoRules(), options, alerts);
  Fill(pipeline);
  const std::string unreadable(8, '\1');
  for (auto _ : state) {
    state.PauseTiming();
    for (uint64_t i = 0; i < kSandboxes; ++i) {
      Record record;
      record.connection = ConnectionId{i};
      record.frame = std::as_bytes(std::span(unreadable));
      pipeline.Process(record);
    }
    state.ResumeTiming();
    pipeline.SaveAll();
  }
  state.counters["file_bytes"] = static_cast<double>((*file)->bytes());
}
BENCHMARK(BM_WriteSessions)->Unit(benchmark::kMillisecond);

void BM_RestoreSession(benchmark::State& state) {
  NoAlerts alerts;
  const auto rules = NoRules();
  Pipeline pipeline(rules, {}, alerts);
  Fill(pipeline);
  const std::string bytes = pipeline.SaveSession(1);
  for (auto _ : state) {
    Pipeline next(rules, {}, alerts);
    if (!next.RestoreSession({.connection = 1}, bytes)) state.SkipWithError("refused");
  }
  state.counters["bytes"] = static_cast<double>(bytes.size());
}
BENCHMARK(BM_RestoreSession)->Unit(benchmark::kMicrosecond);

}  // namespace

BENCHMARK_MAIN();
