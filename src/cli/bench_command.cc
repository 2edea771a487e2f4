#include <optional>
#include <thread>

#include <fmt/format.h>

#include "base/fd_limit.h"
#include "base/host_name.h"
#include "bench/bench.h"
#include "bench/report.h"
#include "cli/arguments.h"
#include "cli/config.h"
#include "cli/load_rules.h"
#include "cli/log.h"
#include "cli/run_flags.h"

namespace gyrfalcon {
namespace {

struct BenchFlags {
  RunFlags rules;
  std::vector<std::string> captures;
  double seconds = 10;
  size_t connections = 8;
  size_t workers = 0;
  bool memory = false;
  bool json = false;
};

void AddBenchFlags(CLI::App& app, BenchFlags& flags) {
  app.add_option("CAPTURE", flags.captures, "Files in gVisor's tracereplay format, looped")
      ->required();
  AddRulesFlags(app, flags.rules);
  constexpr double kSecondsMin = 0.05;
  constexpr double kSecondsMax = 3'600;
  constexpr size_t kConnectionsMax = 16'384;
  constexpr size_t kWorkersMax = 1'024;
  app.add_option("--seconds", flags.seconds, "How long to measure, both kinds of segments together")
      ->check(CLI::Range(kSecondsMin, kSecondsMax))
      ->capture_default_str();
  app.add_option("--connections", flags.connections, "Sandboxes that send at once")
      ->check(CLI::Range(size_t{1}, kConnectionsMax))
      ->capture_default_str();
  app.add_option("--workers", flags.workers,
                 "Threads of the pipeline (default: half of the processors, the senders have the "
                 "others)")
      ->check(CLI::Range(size_t{1}, kWorkersMax));
  app.add_flag("--memory", flags.memory, "From memory, on one thread, without sockets");
  app.add_flag("--json", flags.json, "Print one JSON object");
}

size_t HalfOfProcessors() {
  return std::max(1u, std::thread::hardware_concurrency() / 2);
}

BenchOptions OptionsOf(const BenchFlags& flags) {
  BenchOptions options;
  options.captures = flags.captures;
  options.duration = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(flags.seconds));
  options.connections = flags.connections;
  options.workers = flags.workers != 0 ? flags.workers : HalfOfProcessors();
  return options;
}

}  // namespace

int Bench(std::vector<std::string> args) {
  const auto app = MakeApp("bench");
  BenchFlags flags;
  AddBenchFlags(*app, flags);
  if (const auto code = Parse(*app, std::move(args))) return *code;
  if (flags.memory && (app->count("--connections") > 0 || app->count("--workers") > 0)) {
    return Report(
        {"--memory is one sandbox on one thread: --connections and --workers go with "
         "sockets only",
         Fault::kUsage});
  }
  const auto applied = ApplyFlags(flags.rules);
  if (!applied) return Report(applied.error());
  if (const auto required = RequireRules(flags.rules, *applied); !required) {
    return Report(required.error());
  }
  const Config& config = applied->config;
  for (const std::string& warning : applied->warnings) PrintWarning(config, warning);
  BenchOptions options = OptionsOf(flags);
  options.builtins = config.builtins;
  options.format = config.format;
  options.format.hostname = HostName();

  std::optional<BenchSockets> sockets;
  if (!flags.memory) {
    RaiseFdLimit();
    auto started = BenchSockets::Start(options);
    if (!started) return Report(started.error());
    sockets.emplace(std::move(*started));
  }
  const auto loaded = LoadRules(config.rules_files, config.rules);
  if (!loaded) return Report(loaded.error());
  if (sockets) {
    const auto captures = sockets->sender().Loaded();
    if (!captures) return Report(captures.error());
    for (const std::string& warning : *captures) PrintWarning(config, warning);
  }
  const auto result = sockets ? RunSocketBench(options, *sockets, loaded->rules)
                              : RunMemoryBench(options, loaded->rules);
  if (!result) return Report(result.error());
  fmt::print("{}", flags.json ? BenchReportJson(*result) + "\n" : BenchReportText(*result));
  return kExitOk;
}

}  // namespace gyrfalcon
