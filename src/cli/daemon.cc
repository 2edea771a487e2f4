#include "cli/daemon.h"

#include <algorithm>
#include <csignal>
#include <thread>

#include <fmt/ranges.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd_limit.h"
#include "cli/commands.h"
#include "cli/daemon_log.h"
#include "cli/file.h"
#include "cli/listings.h"
#include "cli/load_rules.h"
#include "cli/log.h"
#include "rules/plan.h"

namespace gyrfalcon {

Result<std::optional<KeptSession>> KeptSessionOf(const Config& config,
                                                 const std::string& socket_path,
                                                 const RuleSet& rules) {
  const auto wish = KeptSessionWishOf(config, socket_path);
  if (!wish) return std::nullopt;
  auto session = MakeKeptSession(*wish, rules);
  if (!session) return std::unexpected(session.error());
  return std::move(*session);
}

Daemon::Daemon(LoadedConfig loaded, std::string socket_path, DaemonFlags flags)
    : loaded_(std::move(loaded)),
      config_(loaded_.config),
      socket_path_(std::move(socket_path)),
      flags_(std::move(flags)) {}

UniqueFd Daemon::BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC));
}

std::optional<int> Daemon::Run() {
  if (const auto numbered = TakeNumber(); !numbered) return Report(numbered.error());
  const Turn turn = AwaitTurn();
  if (turn != Turn::kNow) return turn == Turn::kStopped ? std::optional(kExitOk) : std::nullopt;
  const int code = RunOnTurn();
  if (!has_handed_over_ || instance_ == 0) return code;
  ReleaseMemory();
  return AwaitTurn() == Turn::kStopped ? std::optional(kExitOk) : std::nullopt;
}

int Daemon::RunOnTurn() {
  // A reader of our alerts that ends is an error of a write, not our end.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGCHLD, SIG_DFL);  // we wait for our children, whatever we were started with
  for (const std::string& file : loaded_.files) spdlog::info("config file: {}", file);
  auto inherited = TakeFromSystemd();
  if (!inherited) return Report(inherited.error());
  Watch(loaded_);  // before the rules are read: none of their changes is missed
  auto loaded = LoadRules(config_.rules_files, config_.rules);
  if (!loaded) return Report(loaded.error());
  LogRules(*loaded);
  const auto session = KeptSessionOf(config_, socket_path_, *loaded->rules);
  if (!session) return Report(session.error());
  attach_session_ = MakeAttachSession(config_, socket_path_, *loaded->rules);
  const UniqueFd signals = BlockSignals();
  RaiseFdLimit();
  if (const auto served = CheckServing(config_); !served) return Report(served.error());
  auto channels = MakeChannels(config_);
  if (!channels) return Report(channels.error());
  if (channels->empty()) spdlog::warn("no output is enabled: alerts go nowhere");
  auto taken = TakeOverIfAsked(*loaded->rules);
  if (!taken) return Report(taken.error());
  // Only now: the store that it keeps alerts in is one process's.
  dispatcher_ = std::make_unique<Dispatcher>(
      DispatcherOptionsOf(config_), std::move(*channels),
      [](const Error& error) { spdlog::error("{}", error.message); },
      [](const std::string& note) { spdlog::warn("{}", note); },
      [](const std::string& good) { spdlog::info("{}", good); });
  const bool took_over = taken->has_value();
  if (took_over) inherited = std::move(**taken);
  const int64_t stopped_ns = inherited->stopped_ns;
  rules_enabled_ = CountEnabled(*loaded->rules);
  reloads_.Loaded(rules_enabled_, RealTimeNs());
  if (const auto started = StartEngine(loaded->rules, std::move(*inherited)); !started) {
    return Report(started.error());
  }
  taken_state_.reset();
  if (took_over) LogPause(stopped_ns);
  loaded->rules.reset();  // the engine has them, and frees them at a reload
  if (const auto started = StartBesides(*session); !started) {
    // The sandboxes have nobody else any more.
    if (!took_over) return Report(started.error());
    spdlog::error("{}", started.error().message);
  }
  dispatcher_->Begin();
  LogStart();
  if (!attach_session_.file.empty()) engine_->StartAttaching();
  AskCoverage(config_);
  StartDrift();
  StartWatchdog();
  Tell("READY=1\nSTATUS=" + StatusText());
  const End end = WaitForEnd(signals);
  drift_.reset();
  // TimeoutStopSec= has an eye on what follows.
  Tell("STOPPING=1\nSTATUS=taking up what sandboxes have sent");
  watchdog_.reset();
  snapshots_.reset();
  if (end != End::kHandedOver) {
    spdlog::info("stopping: no new sandboxes, taking up what the others have sent");
    engine_->Stop();
  }
  constexpr int kChannelPatienceMs = 5'000;
  dispatcher_->Stop(kChannelPatienceMs);
  LogTotals(engine_->totals(), dispatcher_->figures());
  has_handed_over_ = end == End::kHandedOver;
  if (end == End::kStop && !flags_.pid_file.empty()) unlink(flags_.pid_file.c_str());
  return end == End::kFailed ? kExitEnvironment : kExitOk;
}

Result<void> Daemon::StartEngine(const std::shared_ptr<const RuleSet>& rules,
                                 Inheritance inherited) {
  EngineOptions options;
  options.inherited = std::move(inherited);
  options.handshake.keeper = store_.get();
  options.socket_path = socket_path_;
  options.pipeline.builtins = config_.builtins;
  options.pipeline.alert_budget = config_.alert_budget;
  options.pipeline.overload = config_.overload;
  options.pipeline.limits = config_.limits.sandbox;
  options.source = config_.limits.source;
  options.source.keeper = store_.get();
  // Without systemd's store nobody could read it after us, but who takes over: for that it is
  // made then.
  if (store_) options.pipeline.snapshots = &store_->state();
  options.handshake.deadline_ms = static_cast<int64_t>(config_.limits.handshake_ms);
  options.handshake.prober = ::getpid();
  options.handshake.pending_max = config_.limits.handshakes_waiting_max;
  options.total_bytes_max = config_.limits.total_bytes_max;
  options.workers =
      config_.workers != 0 ? config_.workers : std::max(1u, std::thread::hardware_concurrency());
  constexpr int64_t kNsPerMs = 1'000'000;
  options.pipeline.clock_skew_ns = static_cast<int64_t>(config_.clock_skew_ms) * kNsPerMs;
  options.pipeline.metadata_wait_ns = static_cast<int64_t>(config_.metadata_wait_ms) * kNsPerMs;
  options.pipeline.held_bytes_max = config_.limits.held_bytes_max;
  options.pipeline.held_total_bytes_max = config_.limits.held_total_bytes_max;
  options.metadata = {.docker_socket = config_.docker_socket,
                      .cri_socket = config_.cri_socket,
                      .roots = RootsOf(config_),
                      .usual_roots = config_.usual_roots,
                      .on_problem = [](const Error& error) {
                        spdlog::warn("what containers are is not known: {}", error.message);
                      }};
  if (config_.pod_watch) {
    options.pods.node = config_.pods_node;
    options.pods.server = config_.pods_server;
    options.pods.on_problem = LogPodsUnknown;
    options.pods.on_watching = LogPodsWatched;
  }
  options.pipeline.grace_ns = static_cast<int64_t>(config_.state_grace_ms) * kNsPerMs;
  options.watch = {.runsc = config_.runsc_path,
                   .roots = RootsOf(config_),
                   .usual_roots = LooksAtUsualRoots(config_),
                   .session_file = AbsolutePath(config_.session_file),
                   .socket_path = AbsolutePath(socket_path_),
                   .interval_ms = static_cast<int>(config_.watch_interval_ms),
                   .reconcile_interval_ms = static_cast<int>(config_.reconcile_interval_ms),
                   .grace_ms = static_cast<int>(config_.watch_grace_ms),
                   .builtins = options.pipeline.builtins};
  options.attach = !attach_session_.file.empty();
  options.detach_at_stop = config_.detach_at_stop;
  if (KeptSessionWishOf(config_, "") || options.attach || options.detach_at_stop) {
    options.sessions = SessionOptionsFor(options);
  }
  options.processes.runsc = config_.runsc_path;
  options.processes.prefer_connecting = config_.runsc_path == Config().runsc_path;
  if (config_.runsc_path.empty()) {
    spdlog::info("gvisor.runsc is empty: exec sessions show only what their messages tell");
  }
  auto engine = Engine::Start(
      std::move(options), rules, *dispatcher_,
      [](const HandshakeRejected& rejected) {
        if (rejected.reason == HandshakeRejection::kClosedEarly) return;
        spdlog::warn("connection of pid {} uid {} closed: {}{}", rejected.peer.pid,
                     rejected.peer.uid, HandshakeRejectionText(rejected.reason),
                     rejected.untold_before == 0
                         ? ""
                         : fmt::format("; {} more before it", rejected.untold_before));
      },
      [](const Error& error) {
        spdlog::warn("which sandboxes run is not known: {}", error.message);
      },
      [](const Error& error) {
        spdlog::warn("exec sessions show only what their messages tell: {}", error.message);
      });
  if (!engine) return std::unexpected(engine.error());
  const std::scoped_lock lock(engine_mutex_);
  engine_ = std::move(*engine);
  return {};
}

SessionUpdaterOptions Daemon::SessionOptionsFor(const EngineOptions& options) const {
  return {
      .runsc = config_.runsc_path,
      .prefer_own_runsc = config_.runsc_path == Config().runsc_path,
      .roots = RootsOf(config_),
      .session_file = options.attach ? attach_session_.file : AbsolutePath(config_.session_file),
      .updates_attached_only = attach_session_.text.has_value(),
      .takes_over = config_.takeover_sessions,
      .builtins = config_.builtins,
      .socket_path = AbsolutePath(socket_path_),
      .on_update = LogSessionUpdate,
      .on_reconciled = LogReconciled,
      .on_detached = LogDetached};
}

DispatcherOptions Daemon::DispatcherOptionsOf(const Config& config) {
  DispatcherOptions options = MakeDispatcherOptions(config, WhenFull::kRefuse);
  if (!config.store_enabled) {
    spdlog::info("store.enabled is false: what an output can't take is lost with this process");
  } else if (options.spool.path.empty()) {
    spdlog::warn(
        "alerts are not kept: neither STATE_DIRECTORY nor XDG_STATE_HOME nor HOME is set; name a "
        "place by store.path, or set store.enabled to false");
  }
  // A start that fails leaves no store behind, and says nothing of one.
  options.held_back = true;
  return options;
}

Result<void> Daemon::StartBesides(const std::optional<KeptSession>& session) {
  std::vector<Error> failed;
  const auto note = [&failed](const Result<void>& result) {
    if (!result) failed.push_back(result.error());
    return result.has_value();
  };
  note(StartControl());
  if (auto takeover = TakeoverServer::Start(TakeoverSocketPath(socket_path_))) {
    takeover_ = std::move(*takeover);
  } else {
    failed.push_back(takeover.error());
  }
  note(StartServing());
  note(WritePidFile());
  if (note(KeepSession(session))) StartKeepingRunscToml();
  if (!note(WriteAttachSession())) attach_session_.file.clear();  // nobody can be given it
  if (failed.empty()) return {};
  for (size_t i = 1; i < failed.size(); ++i) spdlog::error("{}", failed[i].message);
  return std::unexpected(failed.front());
}

Result<void> Daemon::StartControl() {
  auto control = ControlServer::Start(ControlSocketPath(socket_path_), [this] { return Status(); });
  if (!control) return std::unexpected(control.error());
  control_ = std::move(*control);
  return {};
}

DaemonStatus Daemon::Status() {
  const std::scoped_lock lock(engine_mutex_);
  DaemonStatus status{engine_->totals(), engine_->sandbox_count(), dispatcher_->figures()};
  status.totals.rules = coverage_.figures();
  if (store_) {
    status.totals.engine.Add(EngineCounter::kConnectionsNotStored, store_->refused());
  }
  status.coverage = engine_->coverage();
  status.reload = reloads_.figures();
  status.instance = instance_;
  status.web = web_counters_.Snapshot();
  status.version = ProgramVersion();
  return status;
}

Result<void> Daemon::WritePidFile() const {
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

void Daemon::StartWatchdog() {
  const auto interval = WatchdogUsec();
  if (!interval || !IsNotified()) return;
  WatchdogOptions options;
  options.interval = *interval;
  options.threads = engine_->heartbeats();
  options.on_alive = [] { Tell("WATCHDOG=1"); };
  options.on_stalled = [](const std::vector<std::string>& stalled) {
    spdlog::critical("no progress: {}; systemd restarts gyrfalcon if it lasts",
                     fmt::join(stalled, ", "));
  };
  watchdog_ = std::make_unique<Watchdog>(std::move(options));
}

void Daemon::LogStart() {
  const std::string session =
      config_.session_file.empty() ? std::string("none given") : config_.session_file;
  spdlog::info("event collection from gVisor is enabled: session config {}, socket {}", session,
               socket_path_);
  LogBacklog();
  LogRoots(config_, attach_session_.file);
}

void Daemon::Tell(const std::string& text) {
  if (const auto told = Notify(text); !told) spdlog::warn("{}", told.error().message);
}

std::string Daemon::StatusText() const {
  return fmt::format("listening on {}, {} rules enabled", socket_path_, rules_enabled_);
}

}  // namespace gyrfalcon
