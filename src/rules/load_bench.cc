// What loading rules costs, and how that grows: each row loads files from memory. Items are bytes
// of YAML; `rules` and the ratios are counters. GYRFALCON_BENCH_RULES_FOLDER names a folder of
// rules files (Falco's) in place of the project's own.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <benchmark/benchmark.h>

#include "rules/plan.h"
#include "rules/rule_loader.h"
#include "rules/yaml.h"

namespace gyrfalcon {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

std::string Text(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Falco's in the order in which they build on each other (the main file first), then ours.
const Files& RealFiles() {
  static const Files files = [] {
    Files out;
    std::vector<std::filesystem::path> paths;
    if (const char* folder = std::getenv("GYRFALCON_BENCH_RULES_FOLDER")) {
      for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
      }
    }
    std::ranges::sort(paths, [](const auto& a, const auto& b) {
      return std::pair(a.filename() != "falco_rules.yaml", a) <
             std::pair(b.filename() != "falco_rules.yaml", b);
    });
    paths.emplace_back(GYRFALCON_SOURCE "/rules/gyrfalcon_rules.yaml");
    for (const auto& path : paths) out.emplace_back(path.string(), Text(path));
    return out;
  }();
  return files;
}

size_t BytesOf(const Files& files) {
  size_t bytes = 0;
  for (const auto& [name, text] : files) bytes += text.size();
  return bytes;
}

void LoadAll(benchmark::State& state, const Files& files) {
  size_t rules = 0;
  for (auto _ : state) {
    RuleLoader loader(AllFields());
    for (const auto& [name, text] : files) loader.AddFile(name, text);
    const auto set = loader.Compile();
    if (set == nullptr) return state.SkipWithError("the rules do not load");
    rules = set->rules().size();
  }
  const auto bytes = static_cast<int64_t>(BytesOf(files));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * bytes);
  state.counters["rules"] = static_cast<double>(rules);
}

// Beside loading: the plan that workers evaluate.
void BM_Plan(benchmark::State& state) {
  RuleLoader loader(AllFields());
  for (const auto& [name, text] : RealFiles()) loader.AddFile(name, text);
  const auto set = loader.Compile();
  if (set == nullptr) return state.SkipWithError("the rules do not load");
  for (auto _ : state) benchmark::DoNotOptimize(Plan(*set));
  state.counters["rules"] = static_cast<double>(set->rules().size());
}
BENCHMARK(BM_Plan)->Unit(benchmark::kMillisecond);

void BM_PlanOfManyRules(benchmark::State& state) {
  std::string text;
  for (int64_t i = 0; i < state.range(0); ++i) {
    const std::string number = std::to_string(i);
    text += "- rule: rule " + number + "\n  desc: d\n  condition: evt.type in (open, openat) and " +
            "fd.name startswith /srv/" + number + "/ and not proc.name in (a" + number +
            ", b) and fd.num >= 0\n  output: \"%proc.name\"\n  priority: INFO\n";
  }
  RuleLoader loader(AllFields());
  loader.AddFile("many.yaml", text);
  const auto set = loader.Compile();
  if (set == nullptr) return state.SkipWithError("the rules do not load");
  for (auto _ : state) benchmark::DoNotOptimize(Plan(*set));
  state.SetComplexityN(state.range(0));
}
BENCHMARK(BM_PlanOfManyRules)
    ->Arg(100)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond)
    ->Complexity();

void BM_LoadRealFiles(benchmark::State& state) {
  LoadAll(state, RealFiles());
}
BENCHMARK(BM_LoadRealFiles)->Unit(benchmark::kMillisecond);

// Of that, YAML alone.
void BM_ParseYaml(benchmark::State& state) {
  for (auto _ : state) {
    for (const auto& [name, text] : RealFiles()) benchmark::DoNotOptimize(ParseYaml(text));
  }
  const auto bytes = static_cast<int64_t>(BytesOf(RealFiles()));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * bytes);
}
BENCHMARK(BM_ParseYaml)->Unit(benchmark::kMillisecond);

// Ten times the rules should take ten times as long.
void BM_LoadRules(benchmark::State& state) {
  std::string text;
  for (int64_t i = 0; i < state.range(0); ++i) {
    text += "- rule: rule " + std::to_string(i) +
            "\n  desc: d\n  condition: evt.type = open and proc.name in (a, b) and fd.num = " +
            std::to_string(i) + "\n  output: \"%proc.name\"\n  priority: INFO\n";
  }
  LoadAll(state, {{"many.yaml", text}});
  state.SetComplexityN(state.range(0));
}
BENCHMARK(BM_LoadRules)
    ->Arg(100)
    ->Arg(1'000)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond)
    ->Complexity();

// And one list of many values, used by as many rules as the argument says.
void BM_LoadLongList(benchmark::State& state) {
  std::string text = "- list: long\n  items: [";
  for (int i = 0; i < 10'000; ++i) text += "item" + std::to_string(i) + ", ";
  text += "]\n";
  for (int64_t i = 0; i < state.range(0); ++i) {
    text += "- rule: rule " + std::to_string(i) +
            "\n  desc: d\n  condition: evt.type = open and proc.name in (long)\n"
            "  output: \"%proc.name\"\n  priority: INFO\n";
  }
  LoadAll(state, {{"long.yaml", text}});
  state.SetComplexityN(state.range(0));
}
BENCHMARK(BM_LoadLongList)->Arg(1)->Arg(10)->Arg(50)->Unit(benchmark::kMillisecond)->Complexity();

}  // namespace
}  // namespace gyrfalcon

BENCHMARK_MAIN();
