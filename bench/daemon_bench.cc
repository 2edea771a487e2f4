// What `gyrfalcon run` costs as users run it: how long until it listens, its memory with one and
// with a thousand sandboxes, and how soon an alert is out. One JSON object on standard output.
// docs/performance.md has the figures and says how each is measured.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <future>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd_limit.h"
#include "base/test_folder.h"
#include "bench/sender.h"
#include "daemon.h"
#include "sandbox_messages.h"

namespace gyrfalcon {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::ordered_json;

struct Options {
  std::string program = "build/release/gyrfalcon";
  std::vector<std::string> rules;
  std::string capture;  // the load of `latency`
  size_t sandboxes = 1'000;
  int processes = 20;
  int files = 2;
  int runs = 21;
  int probes = 1'000;
  bool without_store = false;
};

Result<Daemon> StartDaemon(const Options& options, const std::string& folder,
                           const std::vector<std::string>& rules) {
  const std::string store = options.without_store ? "false" : "true";
  // A probe is an alert of one rule and sandbox: as many as are asked for.
  return Daemon::Start(options.program, folder, rules,
                       {"-o", "store.enabled=" + store, "-o", "alerts.per_rule_burst=0"});
}

double Quantile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const auto at = static_cast<size_t>(std::lround(part * static_cast<double>(values.size() - 1)));
  return std::round(values[at] * 10) / 10;
}

Result<Json> MeasureStart(const Options& options) {
  std::vector<double> times_ms;
  for (int i = 0; i < options.runs; ++i) {
    const TestFolder folder;
    const auto daemon = StartDaemon(options, folder.path(), options.rules);
    if (!daemon) return std::unexpected(daemon.error());
    times_ms.push_back(static_cast<double>(daemon->start_ns()) / 1e6);
  }
  return Json{{"start_ms_p50", Quantile(times_ms, 0.5)},
              {"start_ms_min", Quantile(times_ms, 0)},
              {"start_ms_max", Quantile(times_ms, 1)},
              {"runs", options.runs}};
}

Result<UniqueFd> PlaySandbox(const Daemon& daemon, const std::string& id, int processes,
                             int files) {
  auto fd = ConnectSandbox(daemon.socket_path());
  if (!fd) return fd;
  for (const std::string& message : SandboxThatRuns(id, processes, files)) {
    if (::send(fd->get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) {
      return Fail(Fault::kEnvironment, "cannot send: " + ErrnoText(errno));
    }
  }
  return fd;
}

// Whatever waits has been taken up, and its counters are published.
void Settle() {
  std::this_thread::sleep_for(1'500ms);
}

double Megabytes(int64_t bytes) {
  return std::round(static_cast<double>(bytes) / 1e5) / 10;
}

Result<Json> MeasureMemory(const Options& options) {
  const TestFolder folder;
  const auto daemon = StartDaemon(options, folder.path(), options.rules);
  if (!daemon) return std::unexpected(daemon.error());
  Settle();
  Json out;
  out["rss_mb_0_sandboxes"] = Megabytes(daemon->MemoryBytes("VmRSS"));
  std::vector<UniqueFd> connections;
  const auto play_until = [&](size_t count) -> Result<void> {
    while (connections.size() < count) {
      auto fd = PlaySandbox(*daemon, fmt::format("sandbox-{:08}", connections.size()),
                            options.processes, options.files);
      if (!fd) return std::unexpected(fd.error());
      connections.push_back(std::move(*fd));
    }
    return {};
  };
  if (const auto one = play_until(1); !one) return std::unexpected(one.error());
  Settle();
  out["rss_mb_1_sandbox"] = Megabytes(daemon->MemoryBytes("VmRSS"));
  if (const auto all = play_until(options.sandboxes); !all) return std::unexpected(all.error());
  Settle();
  const int64_t rss = daemon->MemoryBytes("VmRSS");
  out[fmt::format("rss_mb_{}_sandboxes", options.sandboxes)] = Megabytes(rss);
  out["anonymous_mb"] = Megabytes(daemon->MemoryBytes("RssAnon"));
  out["peak_mb"] = Megabytes(daemon->MemoryBytes("VmHWM"));
  out["processes_of_each"] = options.processes;
  out["files_of_each_process"] = options.files;
  return out;
}

constexpr std::string_view kProbePath = "/bench-latency/";

// One message that a rule is about, and its line on the other side.
Result<double> Probe(Daemon& daemon, int fd, const std::string& id, int number) {
  const std::string path = fmt::format("{}{}", kProbePath, number);
  const std::string message = OpenedFile(id, path);
  const std::string wanted = "probe " + path + "$";
  const int64_t begin = SteadyNs();
  if (::send(fd, message.data(), message.size(), MSG_NOSIGNAL) < 0) {
    return Fail(Fault::kEnvironment, "cannot send: " + ErrnoText(errno));
  }
  constexpr int kPatienceMs = 10'000;
  while (const auto line = daemon.NextLine(kPatienceMs)) {
    if (line->find(wanted) == std::string::npos) continue;  // an alert of the load
    return static_cast<double>(SteadyNs() - begin) / 1e3;
  }
  return Fail(Fault::kEnvironment, "no alert came for " + path);
}

Result<std::vector<double>> ProbeMany(Daemon& daemon, int fd, const std::string& id, int count) {
  std::vector<double> times_us;
  for (int i = 0; i < count; ++i) {
    const auto time = Probe(daemon, fd, id, i);
    if (!time) return std::unexpected(time.error());
    times_us.push_back(*time);
    std::this_thread::sleep_for(std::chrono::microseconds(1'500 + i % 7 * 100));
  }
  return times_us;
}

// Reads alerts away while somebody else sends: the pipe must not fill.
Result<Sent> SendWhileReading(SenderProcess& sender, Daemon& daemon, const SendBounds& bounds) {
  auto sending = std::async(std::launch::async, [&] { return sender.Send(0, bounds); });
  while (sending.wait_for(0s) != std::future_status::ready) daemon.NextLine(10);
  return sending.get();
}

Result<Json> MeasureLoaded(const Options& options, SenderProcess& sender, Daemon& daemon, int fd,
                           const std::string& id) {
  if (const auto loaded = sender.Loaded(); !loaded) return std::unexpected(loaded.error());
  if (const auto ok = sender.Connect(); !ok) return std::unexpected(ok.error());
  const auto most = SendWhileReading(sender, daemon, {.at_least = 3s, .at_most = 3s});
  if (!most) return std::unexpected(most.error());
  const double rate =
      static_cast<double>(most->messages) * 1e9 / static_cast<double>(most->elapsed_ns);
  const auto duration = std::chrono::milliseconds(options.probes * 5 + 1'000);
  auto load = std::async(std::launch::async, [&] {
    return sender.Send(0, {.at_least = duration, .at_most = duration, .messages_per_s = rate / 2});
  });
  std::this_thread::sleep_for(500ms);
  const auto times_us = ProbeMany(daemon, fd, id, options.probes);
  while (load.wait_for(0s) != std::future_status::ready) daemon.NextLine(10);
  const auto sent = load.get();
  if (!times_us) return std::unexpected(times_us.error());
  if (!sent) return std::unexpected(sent.error());
  return Json{{"loaded_us_p50", Quantile(*times_us, 0.5)},
              {"loaded_us_p99", Quantile(*times_us, 0.99)},
              {"load_messages_per_s", std::round(static_cast<double>(sent->messages) * 1e9 /
                                                 static_cast<double>(sent->elapsed_ns))},
              {"maximum_messages_per_s", std::round(rate)}};
}

Result<Json> MeasureLatency(const Options& options) {
  const TestFolder folder;
  const std::string rule_file = folder.path() + "/probe.yaml";
  std::ofstream(rule_file)
      << "- rule: probe\n  desc: d\n  condition: evt.type in (open, openat) and "
         "fd.name startswith "
      << kProbePath << "\n  output: \"probe %fd.name$\"\n  priority: WARNING\n";
  Options with_probe = options;
  with_probe.rules.push_back(rule_file);
  // Before this process has threads.
  auto sender = SenderProcess::Start({.captures = {options.capture},
                                      .sockets = {folder.path() + "/daemon.sock", ""},
                                      .connections = 8});
  if (!sender) return std::unexpected(sender.error());
  auto daemon = StartDaemon(options, folder.path(), with_probe.rules);
  if (!daemon) return std::unexpected(daemon.error());
  const std::string id = "bench-latency";
  const auto fd = PlaySandbox(*daemon, id, 1, 0);
  if (!fd) return std::unexpected(fd.error());
  constexpr int kWarmUp = 50;
  if (const auto warm = ProbeMany(*daemon, fd->get(), id, kWarmUp); !warm) {
    return std::unexpected(warm.error());
  }
  const auto idle = ProbeMany(*daemon, fd->get(), id, options.probes);
  if (!idle) return std::unexpected(idle.error());
  Json out{{"idle_us_p50", Quantile(*idle, 0.5)},
           {"idle_us_p99", Quantile(*idle, 0.99)},
           {"probes", options.probes}};
  const auto loaded = MeasureLoaded(options, *sender, *daemon, fd->get(), id);
  if (!loaded) return std::unexpected(loaded.error());
  out.update(*loaded);
  return out;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Measures the daemon as a whole");
  app.add_option("--program", options.program, "gyrfalcon")->capture_default_str();
  app.add_option("-r", options.rules, "Rules file; may be given again")->allow_extra_args(false);
  app.add_flag("--without-store", options.without_store, "With store.enabled=false");
  app.require_subcommand(1);
  auto* start = app.add_subcommand("start", "From exec to a socket that listens");
  start->add_option("--runs", options.runs)->capture_default_str();
  auto* memory = app.add_subcommand("memory", "Resident memory with sandboxes connected");
  memory->add_option("--sandboxes", options.sandboxes)->capture_default_str();
  memory->add_option("--processes", options.processes)->capture_default_str();
  memory->add_option("--files", options.files, "Open in each process")->capture_default_str();
  auto* latency = app.add_subcommand("latency", "From send() to the alert's line");
  latency->add_option("--probes", options.probes)->capture_default_str();
  latency->add_option("CAPTURE", options.capture, "What eight other sandboxes send meanwhile")
      ->required();
  CLI11_PARSE(app, argc, argv);
  RaiseFdLimit();
  const auto result = start->parsed()    ? MeasureStart(options)
                      : memory->parsed() ? MeasureMemory(options)
                                         : MeasureLatency(options);
  if (!result) {
    fmt::print(stderr, "daemon_bench: {}\n", result.error().message);
    return 1;
  }
  fmt::print("{}\n", result->dump());
  return 0;
}

}  // namespace
}  // namespace gyrfalcon

int main(int argc, char** argv) {
  return gyrfalcon::Main(argc, argv);
}
