// What one message costs: split, decoded, taken into the state, held against the rules. From
// memory, on one core; items are messages. GYRFALCON_BENCH_CAPTURE and GYRFALCON_BENCH_RULES name
// another capture and other rules than the project's own.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include <benchmark/benchmark.h>

#include "engine/pipeline.h"
#include "rules/rule_loader.h"
#include "wire/capture_source.h"
#include "wire/message_header.h"

namespace gyrfalcon {
namespace {

std::string Setting(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

const std::vector<Record>& Records() {
  static const std::vector<Record> records = [] {
    std::vector<Record> out;
    CaptureSource source({Setting("GYRFALCON_BENCH_CAPTURE",
                                  GYRFALCON_SOURCE "/tests/data/captures/new/write-etc.trace")},
                         {.pool_bytes_max = size_t{1} << 30});
    Record record;
    while (source.Next(record) != SourceStatus::kEnd) out.push_back(record);
    if (source.error()) std::fprintf(stderr, "%s\n", source.error()->message.c_str());
    return out;
  }();
  return records;
}

std::shared_ptr<const RuleSet> Rules() {
  static const auto rules = [] {
    const std::string path =
        Setting("GYRFALCON_BENCH_RULES", GYRFALCON_SOURCE "/rules/gyrfalcon_rules.yaml");
    std::ifstream file(path);
    RuleLoader loader(AllFields());
    loader.AddFile(path, std::string{std::istreambuf_iterator<char>(file), {}});
    return loader.Compile();
  }();
  return rules;
}

class Discard final : public AlertSink, public HappeningSink {
 public:
  bool OnAlert(Alert) override { return true; }
  void OnHappening(const Happening&) override {}
};

void CountMessages(benchmark::State& state) {
  const auto frames = std::ranges::count(Records(), RecordKind::kFrame, &Record::kind);
  state.SetItemsProcessed(state.iterations() * frames);
}

void BM_Decode(benchmark::State& state) {
  Event event;
  for (auto _ : state) {
    for (const Record& record : Records()) {
      if (record.kind != RecordKind::kFrame) continue;
      const auto message = ReadMessage(record.frame.bytes());
      if (message) benchmark::DoNotOptimize(Decode(message->type, message->payload, event));
    }
  }
  CountMessages(state);
}
BENCHMARK(BM_Decode);

void BM_DecodeAndState(benchmark::State& state) {
  Event event;
  Discard discard;
  for (auto _ : state) {
    Sandbox sandbox({}, kHostArch);
    for (const Record& record : Records()) {
      if (record.kind != RecordKind::kFrame) continue;
      const auto message = ReadMessage(record.frame.bytes());
      if (message && Decode(message->type, message->payload, event)) {
        sandbox.Apply(event, 0, discard);
      }
    }
  }
  CountMessages(state);
}
BENCHMARK(BM_DecodeAndState);

void BM_WholePipeline(benchmark::State& state) {
  const auto rules = Rules();
  if (rules == nullptr) {
    state.SkipWithError("the rules do not load");
    return;
  }
  for (auto _ : state) {
    Discard discard;
    Pipeline pipeline(rules, {}, discard);
    for (const Record& record : Records()) pipeline.Process(record);
  }
  CountMessages(state);
}
BENCHMARK(BM_WholePipeline);

}  // namespace
}  // namespace gyrfalcon

BENCHMARK_MAIN();
