// What one message costs: split, decoded, taken into the state, held against the rules. From
// memory, on one core; items are messages. GYRFALCON_BENCH_CAPTURE and GYRFALCON_BENCH_RULES (files
// with ':' between them) name another capture and other rules than the project's own.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

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
    std::istringstream paths(
        Setting("GYRFALCON_BENCH_RULES", GYRFALCON_SOURCE "/rules/gyrfalcon_rules.yaml"));
    RuleLoader loader(AllFields());
    for (std::string path; std::getline(paths, path, ':');) {
      std::ifstream file(path);
      loader.AddFile(path, std::string{std::istreambuf_iterator<char>(file), {}});
    }
    return loader.Compile();
  }();
  return rules;
}

// Rules such as people write, `count` of them, none of which matches.
std::shared_ptr<const RuleSet> SyntheticRules(int64_t count) {
  constexpr const char* kConditions[] = {
      "evt.type in (open, openat, openat2) and evt.is_open_write = true and fd.name startswith "
      "/srv/app@/ and not proc.name in (deployer@, backup@)",
      "evt.type in (execve, execveat) and proc.name in (tool@, tool@.bin) and proc.cmdline "
      "contains "
      "--flag@",
      "evt.type in (read, readv, pread64) and proc.name = reader@ and fd.name endswith .key@",
      "evt.type = connect and fd.sport = @ and not proc.exepath startswith /opt/client@/",
      "evt.type in (write, writev, close) and fd.directory = /var/lib/vault@ and proc.pname != "
      "vaultd@",
      "evt.type in (open, openat) and fd.name glob '/home/*/.token@' and container.id != host",
  };
  std::string text;
  for (int64_t i = 0; i < count; ++i) {
    const std::string number = std::to_string(i + 1);
    std::string condition = kConditions[static_cast<size_t>(i) % std::size(kConditions)];
    for (size_t at = 0; (at = condition.find('@', at)) != std::string::npos;) {
      condition.replace(at, 1, number);
    }
    text += "- rule: synthetic " + number + "\n  desc: d\n  condition: >\n    " + condition +
            "\n  output: \"%proc.name\"\n  priority: INFO\n";
  }
  RuleLoader loader(AllFields());
  loader.AddFile("synthetic.yaml", text);
  return loader.Compile();
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

void RunPipeline(benchmark::State& state, const std::shared_ptr<const RuleSet>& rules) {
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

void BM_WholePipeline(benchmark::State& state) {
  RunPipeline(state, Rules());
}
BENCHMARK(BM_WholePipeline);

void BM_SyntheticRules(benchmark::State& state) {
  RunPipeline(state, SyntheticRules(state.range(0)));
}
BENCHMARK(BM_SyntheticRules)->Arg(0)->Arg(10)->Arg(100)->Arg(1'000);

}  // namespace
}  // namespace gyrfalcon

BENCHMARK_MAIN();
