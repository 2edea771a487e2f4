// What one message costs: split, decoded, taken into the state, held against the rules; and what an
// alert costs to write. From memory, on one core; items are messages. GYRFALCON_BENCH_CAPTURE and
// GYRFALCON_BENCH_RULES (files with ':' between them) name other captures and other rules than the
// project's own.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include <benchmark/benchmark.h>

#include "alerts/alert_format.h"
#include "engine/pipeline.h"
#include "rules/rule_loader.h"
#include "wire/capture_source.h"
#include "wire/kept_records.h"
#include "wire/message_header.h"

namespace gyrfalcon {
namespace {

std::string Setting(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : value;
}

std::vector<std::string> Paths(const char* setting, const char* otherwise) {
  std::vector<std::string> out;
  std::istringstream paths(Setting(setting, otherwise));
  for (std::string path; std::getline(paths, path, ':');) out.push_back(path);
  return out;
}

std::span<const Record> Records() {
  static const KeptRecords records = [] {
    KeptRecords out;
    CaptureSource source(Paths("GYRFALCON_BENCH_CAPTURE",
                               GYRFALCON_SOURCE "/tests/data/captures/new/write-etc.trace"));
    Record record;
    while (source.Next(record) != SourceStatus::kEnd) out.Add(record);
    if (source.error()) std::fprintf(stderr, "%s\n", source.error()->message.c_str());
    return out;
  }();
  return records.all();
}

std::shared_ptr<const RuleSet> Rules() {
  static const auto rules = [] {
    RuleLoader loader(AllFields());
    for (const std::string& path :
         Paths("GYRFALCON_BENCH_RULES", GYRFALCON_SOURCE "/rules/gyrfalcon_rules.yaml")) {
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

class Keep final : public AlertSink {
 public:
  bool OnAlert(Alert alert) override {
    alerts.push_back(std::move(alert));
    return true;
  }
  std::vector<Alert> alerts;
};

// Some of the frames, or others in their place; nullopt leaves one out.
using Frame = std::vector<std::byte>;
using ChangeFrame = std::optional<Frame> (*)(Frame frame);

KeptRecords Changed(ChangeFrame change) {
  KeptRecords out;
  for (Record record : Records()) {
    std::optional<Frame> frame(std::in_place, record.frame.begin(), record.frame.end());
    if (record.kind == RecordKind::kFrame) frame = change(std::move(*frame));
    if (!frame) continue;
    record.frame = *frame;
    out.Add(record);
  }
  return out;
}

std::optional<Frame> UnlessReadOrWrite(Frame frame) {
  const auto message = ReadMessage(frame);
  if (!message) return frame;
  const auto type = static_cast<MessageType>(message->type);
  const bool is_traffic = type == MessageType::kRead || type == MessageType::kWrite;
  return is_traffic ? std::nullopt : std::optional(frame);
}

// Its last byte is missing, so the last field runs beyond the end.
std::optional<Frame> CutOff(Frame frame) {
  const auto message = ReadMessage(frame);
  if (!message || message->payload.empty()) return std::nullopt;
  frame.pop_back();
  return frame;
}

// The first field claims to be a fixed 32-bit number.
std::optional<Frame> OfWrongType(Frame frame) {
  const auto message = ReadMessage(frame);
  if (!message || message->payload.size() < 5) return std::nullopt;
  std::byte& tag = frame[frame.size() - message->payload.size()];
  constexpr std::byte kFixed32{5};
  tag = (tag & ~std::byte{7}) | kFixed32;
  return frame;
}

void CountMessages(benchmark::State& state, std::span<const Record> records = Records()) {
  const auto frames = std::ranges::count(records, RecordKind::kFrame, &Record::kind);
  state.SetItemsProcessed(state.iterations() * frames);
}

void BM_Decode(benchmark::State& state) {
  Event event;
  ContextMemory contexts;
  for (auto _ : state) {
    for (const Record& record : Records()) {
      if (record.kind != RecordKind::kFrame) continue;
      const auto message = ReadMessage(record.frame);
      if (message) {
        benchmark::DoNotOptimize(Decode(message->type, message->payload, event, &contexts));
      }
    }
  }
  CountMessages(state);
}
BENCHMARK(BM_Decode);

void BM_DecodeAndState(benchmark::State& state) {
  Event event;
  ContextMemory contexts;
  Discard discard;
  for (auto _ : state) {
    Sandbox sandbox({}, kHostArch);
    for (const Record& record : Records()) {
      if (record.kind != RecordKind::kFrame) continue;
      const auto message = ReadMessage(record.frame);
      if (message && Decode(message->type, message->payload, event, &contexts)) {
        sandbox.Apply(event, 0, discard);
      }
    }
  }
  CountMessages(state);
}
BENCHMARK(BM_DecodeAndState);

void RunPipeline(benchmark::State& state, const std::shared_ptr<const RuleSet>& rules,
                 std::span<const Record> records = Records()) {
  if (rules == nullptr) {
    state.SkipWithError("the rules do not load");
    return;
  }
  for (auto _ : state) {
    Discard discard;
    Pipeline pipeline(rules, {}, discard);
    for (const Record& record : records) pipeline.Process(record);
  }
  CountMessages(state, records);
}

void BM_WholePipeline(benchmark::State& state) {
  RunPipeline(state, Rules());
}
BENCHMARK(BM_WholePipeline);

void BM_SyntheticRules(benchmark::State& state) {
  RunPipeline(state, SyntheticRules(state.range(0)));
}
BENCHMARK(BM_SyntheticRules)->Arg(0)->Arg(10)->Arg(100)->Arg(1'000);

// Processes, descriptors and names, without the reads and writes between.
void BM_WithoutReadsAndWrites(benchmark::State& state) {
  static const KeptRecords records = Changed(UnlessReadOrWrite);
  RunPipeline(state, Rules(), records.all());
}
BENCHMARK(BM_WithoutReadsAndWrites);

// A flood of bad messages must not cost more than one of good ones.
void BM_FloodOfCutMessages(benchmark::State& state) {
  static const KeptRecords records = Changed(CutOff);
  RunPipeline(state, Rules(), records.all());
}
BENCHMARK(BM_FloodOfCutMessages);

void BM_FloodOfWrongTypes(benchmark::State& state) {
  static const KeptRecords records = Changed(OfWrongType);
  RunPipeline(state, Rules(), records.all());
}
BENCHMARK(BM_FloodOfWrongTypes);

// Items are alerts: those that the captures raise.
void RunFormat(benchmark::State& state, const AlertFormatOptions& options) {
  Keep keep;
  Pipeline pipeline(Rules(), {}, keep);
  for (const Record& record : Records()) pipeline.Process(record);
  if (keep.alerts.empty()) return state.SkipWithError("the captures raise no alert");
  for (auto _ : state) {
    for (const Alert& alert : keep.alerts) {
      benchmark::DoNotOptimize(FormatAlert(alert, options));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(keep.alerts.size()));
}

void BM_FormatText(benchmark::State& state) {
  RunFormat(state, {.hostname = "node"});
}
BENCHMARK(BM_FormatText);

void BM_FormatJson(benchmark::State& state) {
  RunFormat(state, {.json_output = true, .hostname = "node"});
}
BENCHMARK(BM_FormatJson);

}  // namespace
}  // namespace gyrfalcon

BENCHMARK_MAIN();
