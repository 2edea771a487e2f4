// A real daemon under senders that mean it no good (`plays`), or that are too many (`overload`).
// One JSON object a line on standard output; an exit code of 1 where a bound is not kept.
// docs/overload.md has the figures.
#include <cmath>
#include <csignal>
#include <fstream>
#include <iostream>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/fd_limit.h"
#include "base/test_folder.h"
#include "daemon.h"
#include "overload.h"
#include "plays.h"
#include "runsc_peer.h"
#include "witness.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string program = "build/release/gyrfalcon";
  std::string capture;
  std::string only;  // of the plays; "": all
  double seconds = 20;
  bool is_short = false;
  size_t total_mb = 256;
  double rss_mb_max = 0;  // 0: not asked
  double p99_ms_max = 0;
  double ratio_min = 0;
};

double Quantile(const std::vector<double>& sorted, double part) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<size_t>(std::lround(part * static_cast<double>(sorted.size() - 1)))];
}

double Megabytes(int64_t bytes) {
  return std::round(static_cast<double>(bytes) / 1e5) / 10;
}

// From now on VmHWM is what was the most since now.
void ResetPeak(const Daemon& daemon) {
  std::ofstream("/proc/" + std::to_string(daemon.pid()) + "/clear_refs") << "5";
}

std::vector<std::string> Broken(const Options& options, const Json& result) {
  std::vector<std::string> out;
  const auto wants = [&](bool kept, std::string_view what) {
    if (!kept) out.push_back(fmt::format("{}: {}", result["play"].get<std::string>(), what));
  };
  wants(result["unanswered"] == 0, "alerts of the well-behaved sandbox are missing");
  wants(result["recorded_alerts"] == result["recorded_wanted"],
        "the recording's alerts are not what they were");
  wants(result["play"] != "forged ids" || result["claims"] != 0, "nobody says that ids are forged");
  wants(result["probes"] != 0, "the well-behaved sandbox could not send");
  wants(options.rss_mb_max == 0 || result["rss_peak_mb"] <= options.rss_mb_max, "too much memory");
  wants(options.p99_ms_max == 0 || result["p99_us"] <= options.p99_ms_max * 1e3, "alerts too late");
  return out;
}

Json PlayOne(const Options& options, const Play& play, Daemon& daemon, Witness& witness) {
  ResetPeak(daemon);
  const auto duration = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(options.seconds));
  Stage stage{.socket_path = daemon.socket_path(),
              .witness_id = witness.container_id(),
              .end = std::chrono::steady_clock::now() + duration,
              .part = options.is_short ? 0.1 : 1};
  std::thread hostile([&] { play.run(stage); });
  const Testimony seen = witness.Watch(duration);
  hostile.join();
  const auto us = [&](double part) { return std::round(Quantile(seen.latencies_us, part)); };
  return {{"play", play.name},
          {"sent", stage.sent.load()},
          {"rss_peak_mb", Megabytes(daemon.MemoryBytes("VmHWM"))},
          {"rss_mb", Megabytes(daemon.MemoryBytes("VmRSS"))},
          {"p50_us", us(0.5)},
          {"p99_us", us(0.99)},
          {"max_us", us(1)},
          {"probes", seen.probes},
          {"unanswered", seen.unanswered},
          {"recorded_alerts", seen.recorded_alerts},
          {"recorded_wanted", seen.recorded_wanted},
          {"claims", seen.claims}};
}

Result<int> RunPlays(const Options& options) {
  const auto traffic = Witness::Load(options.capture);
  if (!traffic) return std::unexpected(traffic.error());
  const TestFolder folder;
  const std::string rules = folder.path() + "/witness.yaml";
  std::ofstream(rules)
      << Witness::Rules(*traffic)
      << "- rule: flooded\n  desc: d\n  condition: evt.type = openat and fd.name = "
         "/hostile-alert\n  output: x\n  priority: NOTICE\n";
  auto daemon = Daemon::Start(
      options.program, folder.path(), {rules},
      {"-o", "log_level=error", "-o", "log_stderr=false", "-o",
       // The witness has more probes than a rule has alerts.
       "alerts.per_rule_burst=5000", "-o", "alerts.per_rule_per_minute=60000", "-o",
       // This program is what the connecting runsc is.
       "gvisor.runsc=", "-o", fmt::format("limits.total_bytes_max={}", options.total_mb << 20)});
  if (!daemon) return std::unexpected(daemon.error());
  Witness witness(*daemon, *traffic);
  if (const auto connected = witness.Connect(); !connected) {
    return std::unexpected(connected.error());
  }
  std::vector<std::string> broken;
  for (const Play& play : Plays()) {
    // The first one always: it says what the recording raises.
    const bool wanted = options.only.empty() || play.name == options.only || play.name == "none";
    if (!wanted) continue;
    const Json result = PlayOne(options, play, *daemon, witness);
    std::cout << result.dump() << std::endl;
    for (std::string& what : Broken(options, result)) broken.push_back(std::move(what));
  }
  for (const std::string& what : broken) fmt::print(stderr, "hostile: {}\n", what);
  return broken.empty() ? 0 : 1;
}

Result<int> RunOverload(const Options& options) {
  const auto result = MeasureOverload(
      {.program = options.program, .duration = std::chrono::seconds(std::lround(options.seconds))});
  if (!result) return std::unexpected(result.error());
  std::cout << result->dump(2) << std::endl;
  const bool kept = (*result)["ratio"] >= options.ratio_min &&
                    (*result)["with"]["overload_alerts"] != 0 &&
                    (*result)["with"]["messages_skipped"] != 0;
  if (!kept) fmt::print(stderr, "hostile: leaving out what is least urgent did not help\n");
  return kept ? 0 : 1;
}

int Main(int argc, char** argv) {
  if (WasRunAsRunsc()) return 0;
  std::signal(SIGPIPE, SIG_IGN);
  Options options;
  CLI::App app("A daemon under hostile senders");
  app.require_subcommand(1);
  auto* plays = app.add_subcommand("plays", "What a Sentry could do, beside a well-behaved one");
  auto* overload = app.add_subcommand("overload", "More messages than the daemon can take");
  for (CLI::App* command : {plays, overload}) {
    command->add_option("--program", options.program, "gyrfalcon")->capture_default_str();
    command->add_option("--seconds", options.seconds, "Of each")->capture_default_str();
  }
  plays->add_option("CAPTURE", options.capture, "What the well-behaved sandbox sends")->required();
  plays->add_option("--only", options.only, "This play");
  plays->add_flag("--short", options.is_short, "A second each, a tenth of each million");
  plays->add_option("--total-mb", options.total_mb, "limits.total_bytes_max")
      ->capture_default_str();
  plays->add_option("--rss-mb-max", options.rss_mb_max, "Fail above");
  plays->add_option("--p99-ms-max", options.p99_ms_max, "Fail above");
  overload->add_option("--ratio-min", options.ratio_min, "Fail below");
  CLI11_PARSE(app, argc, argv);
  if (options.is_short) options.seconds = 1;
  RaiseFdLimit();
  const auto code = plays->parsed() ? RunPlays(options) : RunOverload(options);
  if (!code) {
    fmt::print(stderr, "hostile: {}\n", code.error().message);
    return 2;
  }
  return *code;
}

}  // namespace
}  // namespace gyrfalcon

int main(int argc, char** argv) {
  return gyrfalcon::Main(argc, argv);
}
