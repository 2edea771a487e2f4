#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "channels/dispatcher.h"
#include "cli/arguments.h"
#include "cli/config.h"
#include "cli/load_rules.h"
#include "cli/log.h"
#include "cli/run_flags.h"
#include "engine/pipeline.h"
#include "wire/capture_source.h"

namespace gyrfalcon {
namespace {

Totals RunThrough(CaptureSource& source, Pipeline& pipeline, const Config& config) {
  Record record;
  for (;;) {
    const SourceStatus status = source.Next(record);
    if (status == SourceStatus::kEnd) break;
    if (status == SourceStatus::kRecord) pipeline.Process(record);
    for (const std::string& warning : source.TakeWarnings()) {
      PrintWarning(config, warning);
    }
  }
  for (const std::string& warning : source.TakeWarnings()) {
    PrintWarning(config, warning);
  }
  return pipeline.totals();
}

std::optional<Arch> ParseArch(const std::string& name) {
  if (name == "x86-64" || name == "x86_64" || name == "amd64") return Arch::kX86_64;
  if (name == "aarch64" || name == "arm64") return Arch::kAarch64;
  return std::nullopt;
}

// What a recording tells is news to nobody: it leaves the machine, or starts programs, only where
// that is wished.
void KeepLocalOutputs(Config& config) {
  constexpr std::pair<std::string_view, bool Config::*> kOutputs[] = {
      {"syslog_output", &Config::syslog_enabled},
      {"program_output", &Config::program_enabled},
      {"http_output", &Config::http_enabled},
  };
  std::vector<std::string> left_out;
  for (const auto& [name, enabled] : kOutputs) {
    if (std::exchange(config.*enabled, false)) left_out.emplace_back(name);
  }
  if (left_out.empty()) return;
  PrintWarning(config, fmt::format("replay has left out: {}; --outputs uses them too",
                                   Join(left_out, ", ")));
}

}  // namespace

int Replay(std::vector<std::string> args) {
  const auto app = MakeApp("replay");
  std::vector<std::string> captures;
  bool summary = false;
  bool all_outputs = false;
  std::string arch_name;
  RunFlags flags;
  app->add_option("CAPTURE", captures, "Files in gVisor's tracereplay format, replayed in order")
      ->required();
  AddRulesFlags(*app, flags);
  app->add_flag("--summary", summary, "End stderr with one JSON object of counts");
  app->add_flag("--outputs", all_outputs,
                "Alerts go to syslog, program and HTTP too, where the config says so");
  app->add_option("--arch", arch_name,
                  "The machine that the capture is from: x86-64 or aarch64 (default: this one's)");
  if (const auto code = Parse(*app, std::move(args))) return *code;

  PipelineOptions options;
  if (!arch_name.empty()) {
    const auto arch = ParseArch(arch_name);
    if (!arch) {
      return Report(
          {fmt::format("--arch {}: expected x86-64 or aarch64", arch_name), Fault::kUsage});
    }
    options.arch = *arch;
  }
  Config base;
  base.buffered_outputs = true;
  base.store_enabled = false;
  // The built-in rules leave the container to what a daemon adds by default.
  const bool is_built_in = flags.rules_files.empty() && flags.config_file.empty();
  if (is_built_in) base.rules.append_output = {{.suggested_output = true}};
  auto applied = ApplyFlags(flags, base);
  if (!applied) return Report(applied.error());
  if (!all_outputs) KeepLocalOutputs(applied->config);
  if (const auto required = RequireRules(flags, *applied); !required) {
    return Report(required.error());
  }
  const Config& config = applied->config;
  options.builtins = config.builtins;
  for (const std::string& warning : applied->warnings) PrintWarning(config, warning);
  auto loaded = LoadRules(config.rules_files, config.rules);
  if (!loaded) return Report(loaded.error());
  for (const std::string& warning : loaded->warnings) {
    PrintWarning(config, warning);
  }

  SetUpLog(config);  // for what an output tells
  auto channels = MakeChannels(config);
  if (!channels) return Report(channels.error());
  if (channels->empty()) PrintWarning(config, "no output is enabled: alerts go nowhere");
  const bool any_enabled = std::ranges::any_of(loaded->rules->rules(), &Rule::enabled);
  if (!any_enabled) PrintWarning(config, "no rule is enabled: nothing will be found");
  Dispatcher dispatcher(MakeDispatcherOptions(config, WhenFull::kWait), std::move(*channels),
                        [](const Error& error) { Report(error); });
  DispatcherSink sink(dispatcher);
  CaptureSource source(captures);
  Totals totals;
  {
    Pipeline pipeline(loaded->rules, options, sink);
    totals = RunThrough(source, pipeline, config);
  }
  dispatcher.Stop();
  const bool delivered = dispatcher.failed_writes() == 0;
  if (summary) fmt::print(stderr, "{}\n", totals.SummaryJson());
  if (source.error()) return Report(*source.error());
  return delivered ? kExitOk : kExitEnvironment;
}

}  // namespace gyrfalcon
