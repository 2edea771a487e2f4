#include <chrono>
#include <csignal>
#include <thread>

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/host_name.h"
#include "cli/arguments.h"
#include "cli/config.h"
#include "cli/describe_rules.h"
#include "cli/file.h"
#include "cli/listings.h"
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
  bool list_events = false;
  bool list_syscall_events = false;
  bool list_ignored = false;
  bool markdown = false;
  bool support = false;
  bool rule_schema = false;
  bool version = false;
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
  Daemon(Config config, DaemonFlags flags) : config_(std::move(config)), flags_(std::move(flags)) {}

  int Run() {
    // A reader of our alerts that ends is an error of a write, not our end.
    std::signal(SIGPIPE, SIG_IGN);
    if (!flags_.rules.config_file.empty()) {
      spdlog::info("config file: {}", flags_.rules.config_file);
    }
    auto loaded = LoadRules(config_.rules_files, config_.rules);
    if (!loaded) return Report(loaded.error());
    LogRules(*loaded);
    const UniqueFd signals = BlockSignals();
    RaiseFdLimit();
    auto channels = MakeChannels(config_);
    if (!channels) return Report(channels.error());
    config_.format.hostname = HostName();
    Dispatcher dispatcher({.format = config_.format}, std::move(*channels),
                          [](const Error& error) { spdlog::error("{}", error.message); });
    auto engine = StartEngine(loaded->rules, dispatcher);
    if (!engine) return Report(engine.error());
    auto control = StartControl(**engine);
    if (!control) return Report(control.error());
    if (const auto written = WritePidFile(); !written) return Report(written.error());
    LogStart();
    WaitForEnd(signals, **engine);
    spdlog::info("stopping: no new sandboxes, taking up what the others have sent");
    (*engine)->Stop();
    constexpr int kChannelPatienceMs = 5'000;
    dispatcher.Stop(kChannelPatienceMs);
    LogTotals((*engine)->totals(), dispatcher);
    if (!flags_.pid_file.empty()) unlink(flags_.pid_file.c_str());
    return kExitOk;
  }

 private:
  // Only once the socket is ours: another daemon's file is left alone.
  Result<void> WritePidFile() const {
    if (flags_.pid_file.empty()) return {};
    std::FILE* file = std::fopen(flags_.pid_file.c_str(), "we");
    if (file == nullptr) {
      return Fail(Fault::kEnvironment,
                  "cannot write the pid file " + flags_.pid_file + ": " + ErrnoText(errno));
    }
    std::fprintf(file, "%d\n", getpid());
    std::fclose(file);
    return {};
  }

  static void LogRules(const LoadedRules& loaded) {
    size_t enabled = 0;
    for (const Rule& rule : loaded.rules->rules()) enabled += rule.enabled ? 1 : 0;
    for (const std::string& file : loaded.files) spdlog::info("rules file: {}", file);
    spdlog::info("rules: {} loaded, {} enabled", loaded.rules->rules().size(), enabled);
    if (enabled == 0) spdlog::warn("no rule is enabled: nothing will be found");
    for (const std::string& warning : loaded.warnings) spdlog::warn("{}", warning);
  }

  Result<std::unique_ptr<Engine>> StartEngine(const std::shared_ptr<const RuleSet>& rules,
                                              Dispatcher& dispatcher) {
    EngineOptions options;
    options.socket_path = config_.socket_path;
    options.workers =
        config_.workers != 0 ? config_.workers : std::max(1u, std::thread::hardware_concurrency());
    return Engine::Start(std::move(options), rules, dispatcher,
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
    const std::string session =
        config_.session_file.empty() ? std::string("none given") : config_.session_file;
    spdlog::info("event collection from gVisor is enabled: session config {}, socket {}", session,
                 config_.socket_path);
  }

  void WaitForEnd(const UniqueFd& signals, Engine& engine) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(flags_.seconds));
    pollfd waiting{signals.get(), POLLIN, 0};
    for (;;) {
      int timeout_ms = -1;
      if (flags_.seconds > 0) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
        timeout_ms = static_cast<int>(std::max<int64_t>(0, left.count()));
      }
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
  DaemonFlags flags_;
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
  app.add_flag("--list-events", flags.list_events, "List the event types and exit");
  app.add_flag("--list-syscall-events", flags.list_syscall_events,
               "List those that are system calls and exit");
  app.add_flag("-i", flags.list_ignored, "List the system calls that gVisor tells nothing of");
  app.add_flag("-N", flags.names_only, "With a --list flag: names only");
  app.add_flag("--markdown", flags.markdown, "With a --list flag: as markdown");
  app.add_flag("--rule-schema", flags.rule_schema, "Print the JSON schema of rules files and exit");
  app.add_flag("--support", flags.support, "Print what a report of a bug needs, as JSON, and exit");
  app.add_flag("--version", flags.version, "Print the version and exit");
  app.add_option("-M", flags.seconds, "Stop after so many seconds");
  app.add_option("-P,--pidfile", flags.pid_file, "Write the process id to this file");
  app.add_flag("-U,--unbuffered", flags.unbuffered, "Flush each alert at once (the default)");
  app.add_flag("-v", flags.verbose, "Log more");
  app.add_flag("--dry-run", flags.dry_run, "Check config and rules and exit");
}

// Falco's flags for what does not exist here.
constexpr struct {
  std::string_view flag, why;
} kForeignFlags[] = {
    {"--modern-bpf", "there is no kernel driver: gVisor itself tells"},
    {"-e", "use `gyrfalcon replay CAPTURE` with a gVisor trace; kernel captures are not read"},
    {"-k", "Kubernetes is not asked through this flag"},
    {"-K", "Kubernetes is not asked through this flag"},
    {"-A", "the session config says which points a sandbox sends"},
    {"-S", "gVisor sends no data to cut"},
    {"--list-plugins", "there are no plugins"},
    {"--plugin-info", "there are no plugins"},
    {"--nodriver", "there is no driver"},
    {"--enable-source", "the only source is `syscall`, from gVisor"},
    {"--disable-source", "the only source is `syscall`, from gVisor"},
};

std::optional<int> RefuseForeignFlags(const std::vector<std::string>& args) {
  for (const std::string& arg : args) {
    const std::string_view name = std::string_view(arg).substr(0, arg.find('='));
    for (const auto& foreign : kForeignFlags) {
      if (foreign.flag != name) continue;
      return Report(
          {fmt::format("{} has no meaning here: {}", foreign.flag, foreign.why), Fault::kUsage});
    }
  }
  return std::nullopt;
}

}  // namespace

int RunDaemon(std::vector<std::string> args) {
  const auto app = MakeApp("run");
  DaemonFlags flags;
  AddDaemonFlags(*app, flags);
  if (const auto code = RefuseForeignFlags(args)) return *code;
  const std::vector<std::string> words = args;
  if (const auto code = Parse(*app, std::move(args))) return *code;

  Config config;
  std::vector<std::string> warnings;
  if (flags.rules.config_file.empty()) {
    flags.rules.config_file = DefaultIfThere("/etc/gyrfalcon/gyrfalcon.yaml");
  }
  if (const auto applied = ApplyFlags(flags.rules, config, warnings); !applied) {
    return Report(applied.error());
  }
  if (!flags.session_file.empty()) config.session_file = flags.session_file;
  if (config.rules_files.empty()) {
    const std::string folder = DefaultIfThere("/etc/gyrfalcon/rules.d");
    const auto files =
        ExpandRulesPaths(folder.empty() ? std::vector<std::string>{} : std::vector{folder});
    if (files && !files->empty()) config.rules_files = {folder};
  }
  if (config.session_file.empty() && config.socket_path.empty()) {
    config.session_file = DefaultIfThere("/etc/gyrfalcon/pod-init.json");
  }
  if (!flags.runsc_root.empty()) {
    warnings.push_back(
        "--gvisor-root is accepted, and not needed: sandboxes tell all that is used");
  }
  if (flags.unbuffered) config.buffered_outputs = false;
  if (flags.verbose) config.log_level = "debug";

  const ListingOptions listing{flags.names_only, flags.markdown, flags.verbose};
  if (flags.version) return PrintVersion(config.format.json_output);
  if (flags.rule_schema) return PrintRuleSchema();
  if (flags.support) return PrintSupport(words, flags.rules.config_file, config);
  if (!flags.validate.empty()) {
    return PrintRulesVerdict(flags.validate, config, {flags.describe_all, flags.describe_rule});
  }
  if (flags.describe_all) return DescribeRules("", config);
  if (!flags.describe_rule.empty()) return DescribeRules(flags.describe_rule, config);
  if (app->count("--list") != 0) return ListFields(flags.list_source, listing);
  if (flags.list_events || flags.list_syscall_events) {
    return ListEvents(!flags.list_events, listing);
  }
  if (flags.list_ignored) return ListIgnoredSyscalls();
  if (app->count("--gvisor-generate-config") != 0) {
    return PrintSession(flags.generate_socket, config);
  }
  SetUpLog(config.log_level);
  for (const std::string& warning : warnings) spdlog::warn("{}", warning);
  if (const auto resolved = ResolveSocket(config); !resolved) return Report(resolved.error());
  if (flags.dry_run) {
    const auto loaded = LoadRules(config.rules_files, config.rules);
    if (!loaded) return Report(loaded.error());
    fmt::print("config and {} rules are valid; the socket would be {}\n",
               loaded->rules->rules().size(), config.socket_path);
    return kExitOk;
  }
  return Daemon(std::move(config), std::move(flags)).Run();
}

}  // namespace gyrfalcon
