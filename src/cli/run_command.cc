#include <filesystem>
#include <thread>

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/config.h"
#include "cli/describe_rules.h"
#include "cli/file.h"
#include "cli/load_rules.h"
#include "cli/log.h"
#include "cli/run_flags.h"
#include "engine/engine.h"
#include "runsc/session.h"
#include "service/control.h"

namespace gyrfalcon {
namespace {

struct DaemonFlags {
  RunFlags rules;
  std::string session_file;
  std::string runsc_root;
  std::string generate_socket;
  std::vector<std::string> validate;
  bool describe_all = false;
  std::string describe_rule;
  std::string list_source;
  std::string pid_file;
  double seconds = 0;
  bool names_only = false;
  bool unbuffered = false;
  bool verbose = false;
  bool dry_run = false;
};

// The signals that end or reload the daemon come through a descriptor, so that no thread is
// interrupted.
UniqueFd BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC));
}

// Each sandbox is a descriptor; the soft limit is for programs that use select.
void RaiseFdLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

Result<void> ResolveSocket(Config& config) {
  if (!config.session_file.empty()) {
    constexpr size_t kSessionBytesMax = 4 * 1024 * 1024;
    const auto text = ReadWholeFile(config.session_file, kSessionBytesMax);
    if (!text) {
      Error error = text.error();
      error.message += "; make it with `gyrfalcon session generate > " + config.session_file + "`";
      error.fault = Fault::kEnvironment;
      return std::unexpected(std::move(error));
    }
    const auto session = ParseSessionConfig(config.session_file, *text);
    if (!session) return std::unexpected(session.error());
    if (config.socket_path.empty()) config.socket_path = session->endpoint;
  }
  if (config.socket_path.empty()) config.socket_path = DefaultSocketPath();
  return {};
}

class Daemon {
 public:
  Daemon(Config config, RunFlags flags) : config_(std::move(config)), flags_(std::move(flags)) {}

  int Run(double seconds) {
    auto loaded = LoadRules(config_.rules_files, config_.rules);
    if (!loaded) return Report(loaded.error());
    LogRules(*loaded);
    const UniqueFd signals = BlockSignals();
    RaiseFdLimit();
    auto channels = MakeChannels(config_);
    if (!channels) return Report(channels.error());
    config_.format.hostname = AlertHostname();
    Dispatcher dispatcher({.format = config_.format}, std::move(*channels),
                          [](const Error& error) { spdlog::error("{}", error.message); });
    auto engine = StartEngine(loaded->rules, dispatcher);
    if (!engine) return Report(engine.error());
    auto control = StartControl(**engine);
    if (!control) return Report(control.error());
    LogStart();
    WaitForEnd(signals, **engine, seconds);
    spdlog::info("stopping: no new sandboxes, taking up what the others have sent");
    (*engine)->Stop();
    dispatcher.Stop();
    LogTotals((*engine)->totals(), dispatcher);
    return kExitOk;
  }

 private:
  static void LogRules(const LoadedRules& loaded) {
    size_t enabled = 0;
    for (const Rule& rule : loaded.rules->rules()) enabled += rule.enabled ? 1 : 0;
    for (const std::string& file : loaded.files) spdlog::info("rules file: {}", file);
    spdlog::info("rules: {} loaded, {} enabled", loaded.rules->rules().size(), enabled);
    for (const std::string& warning : loaded.warnings) spdlog::warn("{}", warning);
  }

  Result<std::unique_ptr<Engine>> StartEngine(std::shared_ptr<const RuleSet> rules,
                                              Dispatcher& dispatcher) {
    EngineOptions options;
    options.socket_path = config_.socket_path;
    options.workers =
        config_.workers != 0 ? config_.workers : std::max(1u, std::thread::hardware_concurrency());
    return Engine::Start(std::move(options), std::move(rules), dispatcher,
                         [](const HandshakeRejected& rejected) {
                           if (rejected.reason == HandshakeRejection::kClosedEarly) return;
                           spdlog::warn("connection of pid {} uid {} closed: {}", rejected.peer.pid,
                                        rejected.peer.uid, HandshakeRejectionText(rejected.reason));
                         });
  }

  Result<std::unique_ptr<ControlServer>> StartControl(const Engine& engine) {
    return ControlServer::Start(ControlSocketPath(config_.socket_path), [&engine] {
      return DaemonStatus{engine.totals(), engine.sandbox_count()};
    });
  }

  void LogStart() {
    if (!flags_.config_file.empty()) spdlog::info("config file: {}", flags_.config_file);
    const std::string session =
        config_.session_file.empty() ? std::string("none given") : config_.session_file;
    spdlog::info("event collection from gVisor is enabled: session config {}, socket {}", session,
                 config_.socket_path);
  }

  void WaitForEnd(const UniqueFd& signals, Engine& engine, double seconds) {
    const int timeout_ms = seconds > 0 ? static_cast<int>(seconds * 1000) : -1;
    pollfd waiting{signals.get(), POLLIN, 0};
    for (;;) {
      const int ready = poll(&waiting, 1, timeout_ms);
      if (ready == 0) return;
      signalfd_siginfo info{};
      if (ready < 0 || read(signals.get(), &info, sizeof info) != sizeof info) continue;
      if (info.ssi_signo != SIGHUP) return;
      Reload(engine);
    }
  }

  // A bad file changes nothing: the rules in force stay.
  void Reload(Engine& engine) {
    const auto loaded = LoadRules(config_.rules_files, config_.rules);
    if (!loaded) {
      spdlog::error("reload refused, the rules in force stay:\n{}", loaded.error().message);
      return;
    }
    LogRules(*loaded);
    engine.SetRules(loaded->rules);
    spdlog::info("rules reloaded");
  }

  static void LogTotals(const Totals& totals, const Dispatcher& dispatcher) {
    spdlog::info("totals: {} messages, {} alerts, {} undecodable, {} dropped by sandboxes",
                 totals.engine[EngineCounter::kMessages], totals.engine[EngineCounter::kAlerts],
                 totals.undecodable(), totals.engine[EngineCounter::kDroppedBySandboxes]);
    for (const Totals::Row& row : totals.Rows()) {
      if (row.value != 0 && row.def->severity == Severity::kDataLoss) {
        spdlog::warn("{} = {}: {}", row.def->name, row.value, row.def->help);
      }
    }
    if (dispatcher.failed_writes() != 0) {
      spdlog::warn("alert lines that a channel refused: {}", dispatcher.failed_writes());
    }
  }

  Config config_;
  RunFlags flags_;
};

void AddDaemonFlags(CLI::App& app, DaemonFlags& flags) {
  AddRulesFlags(app, flags.rules);
  app.add_option(
      "-g,--gvisor-config", flags.session_file,
      "Session config that runsc has as --pod-init-config; its endpoint is where to listen");
  app.add_option("--gvisor-root", flags.runsc_root, "runsc's root folder");
  app.add_option("--gvisor-generate-config", flags.generate_socket,
                 "Print a session config for this socket and exit")
      ->expected(0, 1);
  app.add_option("-V,--validate", flags.validate, "Check these rules files and exit");
  app.add_flag("-L", flags.describe_all, "Describe all rules and exit");
  app.add_option("-l", flags.describe_rule, "Describe one rule and exit");
  app.add_option("--list", flags.list_source, "List the fields that rules can ask and exit")
      ->expected(0, 1);
  app.add_flag("-N", flags.names_only, "With --list: names only");
  app.add_option("-M", flags.seconds, "Stop after so many seconds");
  app.add_option("-P,--pidfile", flags.pid_file, "Write the process id to this file");
  app.add_flag("-U,--unbuffered", flags.unbuffered, "Flush each alert at once (the default)");
  app.add_flag("-v", flags.verbose, "Log more");
  app.add_flag("--dry-run", flags.dry_run, "Check config and rules and exit");
}

Result<void> WritePidFile(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) {
    return Fail(Fault::kEnvironment, "cannot write the pid file " + path + ": " + ErrnoText(errno));
  }
  fmt::print(file, "{}\n", getpid());
  std::fclose(file);
  return {};
}

}  // namespace

int RunDaemon(std::vector<std::string> args) {
  const auto app = MakeApp("run");
  DaemonFlags flags;
  AddDaemonFlags(*app, flags);
  if (const auto code = Parse(*app, std::move(args))) return *code;

  Config config;
  std::vector<std::string> warnings;
  if (const auto applied = ApplyFlags(flags.rules, config, warnings); !applied) {
    return Report(applied.error());
  }
  if (!flags.session_file.empty()) config.session_file = flags.session_file;
  if (!flags.runsc_root.empty()) config.runsc_root = flags.runsc_root;
  if (flags.unbuffered) config.buffered_outputs = false;
  if (flags.verbose) config.log_level = "debug";

  if (!flags.validate.empty()) return PrintRulesVerdict(flags.validate, config);
  if (flags.describe_all) return DescribeRules("", config);
  if (!flags.describe_rule.empty()) return DescribeRules(flags.describe_rule, config);
  if (app->count("--list") != 0) return ListFields(flags.names_only);
  if (app->count("--gvisor-generate-config") != 0) {
    return PrintSession(flags.generate_socket, config);
  }
  SetUpLog(config.log_level);
  for (const std::string& warning : warnings) spdlog::warn("{}", warning);
  if (flags.dry_run) {
    const auto loaded = LoadRules(config.rules_files, config.rules);
    return loaded ? kExitOk : Report(loaded.error());
  }
  if (const auto resolved = ResolveSocket(config); !resolved) return Report(resolved.error());
  if (!flags.pid_file.empty()) {
    if (const auto written = WritePidFile(flags.pid_file); !written) return Report(written.error());
  }
  return Daemon(std::move(config), flags.rules).Run(flags.seconds);
}

}  // namespace gyrfalcon
