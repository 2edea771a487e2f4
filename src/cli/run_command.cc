#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <thread>

#include <fmt/ranges.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd_limit.h"
#include "cli/arguments.h"
#include "cli/attach_session.h"
#include "cli/config.h"
#include "cli/config_schema.h"
#include "cli/describe_rules.h"
#include "cli/falco_flags.h"
#include "cli/file.h"
#include "cli/file_watch.h"
#include "cli/kept_session.h"
#include "cli/listings.h"
#include "cli/load_coverage.h"
#include "cli/load_rules.h"
#include "cli/log.h"
#include "cli/run_flags.h"
#include "engine/engine.h"
#include "rules/plan.h"
#include "runsc/roots.h"
#include "service/control.h"
#include "service/fd_store.h"
#include "service/socket_unit.h"
#include "service/systemd.h"
#include "service/takeover.h"
#include "service/watchdog.h"

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
  bool takeover = false;
  bool config_schema = false;
  bool takeover_sessions = false;
  bool detach_at_stop = false;
};

// The signals that end the daemon, or tell it something, come through a descriptor, so that no
// thread is interrupted.
UniqueFd BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return UniqueFd(signalfd(-1, &signals, SFD_CLOEXEC));
}

// The config of the daemon: file, flags, and the files below /etc/gyrfalcon where nothing names
// others.
Result<LoadedConfig> ReadDaemonConfig(const DaemonFlags& flags) {
  RunFlags rules = flags.rules;
  if (rules.config_file.empty()) {
    rules.config_file = DefaultIfThere("/etc/gyrfalcon/gyrfalcon.yaml");
  }
  auto loaded = ApplyFlags(rules);
  if (!loaded) return loaded;
  Config& config = loaded->config;
  if (!flags.session_file.empty()) config.session_file = flags.session_file;
  if (config.rules_files.empty() && loaded->missing_rules_files.empty()) {
    const std::string folder = DefaultIfThere("/etc/gyrfalcon/rules.d");
    const auto files =
        ExpandRulesPaths(folder.empty() ? std::vector<std::string>{} : std::vector{folder});
    if (files && !files->empty()) config.rules_files = {folder};
  }
  if (config.session_file.empty() && config.socket_path.empty()) {
    config.session_file = DefaultIfThere("/etc/gyrfalcon/pod-init.json");
  }
  if (!config.visibility_policy.empty() && config.session_file.empty()) {
    return Fail(
        Fault::kInput,
        "visibility_policy needs a session config that gyrfalcon keeps by it: name its file "
        "by engine.gvisor.config or -g");
  }
  if (!flags.runsc_root.empty()) config.runsc_root = flags.runsc_root;
  config.takeover_sessions |= flags.takeover_sessions;
  config.detach_at_stop |= flags.detach_at_stop;
  if (flags.unbuffered) config.buffered_outputs = false;
  if (flags.verbose) config.log_level = "debug";
  return loaded;
}

bool SameLimits(Limits a, Limits b) {
  return std::ranges::all_of(LimitRows(), [&](const LimitRow& row) {
    return !row.is_configurable() || row.in(a) == row.in(b);
  });
}

// What a reload does not take up, by its keys.
constexpr struct {
  std::string_view keys;
  bool (*same)(const Config&, const Config&);
} kFixedAtStart[] = {
    {"json_*, time_format_iso_8601",
     [](const Config& a, const Config& b) { return a.format == b.format; }},
    {"outputs",
     [](const Config& a, const Config& b) {
       return a.buffered_outputs == b.buffered_outputs && a.stdout_enabled == b.stdout_enabled &&
              a.file_enabled == b.file_enabled && a.file_keep_alive == b.file_keep_alive &&
              a.file_name == b.file_name && a.queue_capacity == b.queue_capacity &&
              a.syslog_enabled == b.syslog_enabled && a.syslog == b.syslog &&
              a.program_enabled == b.program_enabled && a.program == b.program &&
              a.http_enabled == b.http_enabled && a.http == b.http;
     }},
    {"store", [](const Config& a, const Config& b) { return StoreOf(a) == StoreOf(b); }},
    {"builtin_alerts", [](const Config& a, const Config& b) { return a.builtins == b.builtins; }},
    {"engine.gvisor.config",
     [](const Config& a, const Config& b) { return a.session_file == b.session_file; }},
    {"visibility_policy",
     [](const Config& a, const Config& b) { return a.visibility_policy == b.visibility_policy; }},
    {"gvisor.socket",
     [](const Config& a, const Config& b) { return a.socket_path == b.socket_path; }},
    {"gvisor.attach, gvisor.reconcile_interval_ms, gvisor.takeover_sessions, gvisor.detach_at_stop",
     [](const Config& a, const Config& b) {
       return a.attach == b.attach && a.reconcile_interval_ms == b.reconcile_interval_ms &&
              a.takeover_sessions == b.takeover_sessions && a.detach_at_stop == b.detach_at_stop;
     }},
    {"gvisor.runsc, gvisor.root*, gvisor.usual_roots, gvisor.watch_*, gvisor.clock_skew_ms, "
     "gvisor.state_grace_ms",
     [](const Config& a, const Config& b) {
       return a.runsc_path == b.runsc_path && a.runsc_root == b.runsc_root &&
              a.runsc_roots == b.runsc_roots && a.usual_roots == b.usual_roots &&
              a.watch_interval_ms == b.watch_interval_ms && a.watch_grace_ms == b.watch_grace_ms &&
              a.clock_skew_ms == b.clock_skew_ms && a.state_grace_ms == b.state_grace_ms;
     }},
    {"alerts.*", [](const Config& a, const Config& b) { return a.alert_budget == b.alert_budget; }},
    {"overload.*", [](const Config& a, const Config& b) { return a.overload == b.overload; }},
    {"limits.*", [](const Config& a, const Config& b) { return SameLimits(a.limits, b.limits); }},
    {"workers", [](const Config& a, const Config& b) { return a.workers == b.workers; }},
};

void WarnFixedAtStart(const Config& now, const Config& wanted) {
  for (const auto& row : kFixedAtStart) {
    if (!row.same(now, wanted)) spdlog::warn("changed, taken up at the next start: {}", row.keys);
  }
}

// A session config that is kept by a policy need not be there before the first start.
Result<std::string> DaemonSocketPath(Config config) {
  std::error_code error;
  const bool is_kept = !config.visibility_policy.empty();
  if (is_kept && !std::filesystem::exists(config.session_file, error)) config.session_file.clear();
  return SocketPathOf(config);
}

// nullopt where there is no policy.
Result<std::optional<KeptSession>> SessionByPolicy(const Config& config,
                                                   const std::string& socket_path,
                                                   const RuleSet& rules) {
  if (config.visibility_policy.empty()) return std::nullopt;
  auto session = MakeKeptSession(config.visibility_policy, config.session_file,
                                 AbsolutePath(socket_path), rules);
  if (!session) return std::unexpected(session.error());
  return std::move(*session);
}

void LogSessionUpdate(const SessionUpdate& update) {
  for (const std::string& problem : update.problems) spdlog::warn("{}", problem);
  size_t updated = 0;
  for (const AttachReport& report : update.reports) {
    if (report.result != AttachResult::kFailed) {
      ++updated;
    } else {
      spdlog::error("its session config could not be replaced: {}", report.problem);
    }
  }
  if (updated == 0) return;
  const AttachLoss loss = LossOf(update.reports);
  constexpr double kNsPerMs = 1e6;
  spdlog::info(
      "sandboxes that run and have the new session config: {}; {} messages dropped before, nothing "
      "was sent for at most {:.1f} ms, for all together {:.1f} ms",
      updated, loss.dropped_before, static_cast<double>(loss.window_longest_ns) / kNsPerMs,
      static_cast<double>(loss.window_ns) / kNsPerMs);
}

void LogReconciled(const ReconcileReport& told) {
  for (const ReconcileReport::Attached& attached : told.attached) {
    const AttachReport& report = attached.report;
    if (report.result == AttachResult::kFailed) {
      spdlog::warn("not attached, and tried again: {}", report.problem);
      continue;
    }
    const std::string where = fmt::format("sandbox {} below {}", report.id, report.root);
    const uint64_t dropped = report.dropped_before.value_or(0);
    switch (attached.reason) {
      case AttachReason::kUntraced:
        spdlog::info("{} was not traced: attached", where);
        break;
      case AttachReason::kLost:
        spdlog::warn("{}: attached again; {} messages were dropped while nobody listened", where,
                     dropped);
        break;
      case AttachReason::kTakenOver:
        spdlog::warn("{}: taken from who traced it, for whom it had dropped {} messages", where,
                     dropped);
        break;
    }
  }
  for (const SandboxLeftAlone& left : told.left) {
    spdlog::warn("sandbox {} below {} is left alone: {}", left.id, left.root, left.reason);
  }
}

void LogDetached(const std::vector<AttachReport>& reports) {
  size_t detached = 0;
  for (const AttachReport& report : reports) {
    if (report.result == AttachResult::kDetached) {
      ++detached;
    } else {
      spdlog::warn("not detached: {}", report.problem);
    }
  }
  spdlog::info("detached: {} sandboxes", detached);
}

// Those that are asked for, and not those that are only known where something is.
std::vector<std::string> RootsOf(const Config& config) {
  std::vector<std::string> roots = config.runsc_roots;
  if (!config.runsc_root.empty()) roots.insert(roots.begin(), config.runsc_root);
  return roots;
}

size_t CountEnabled(const RuleSet& rules) {
  return static_cast<size_t>(std::ranges::count_if(rules.rules(), &Rule::enabled));
}

void LogRules(const LoadedRules& loaded) {
  const size_t enabled = CountEnabled(*loaded.rules);
  for (const std::string& file : loaded.files) spdlog::info("rules file: {}", file);
  spdlog::info("rules: {} loaded, {} enabled", loaded.rules->rules().size(), enabled);
  if (enabled == 0) spdlog::warn("no rule is enabled: nothing will be found");
  for (const std::string& warning : loaded.warnings) spdlog::warn("{}", warning);
}

class Daemon {
 public:
  Daemon(LoadedConfig loaded, std::string socket_path, DaemonFlags flags)
      : loaded_(std::move(loaded)),
        config_(loaded_.config),
        socket_path_(std::move(socket_path)),
        flags_(std::move(flags)) {}

  int Run() {
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
    const auto session = SessionByPolicy(config_, socket_path_, *loaded->rules);
    if (!session) return Report(session.error());
    attach_session_ = MakeAttachSession(config_, socket_path_, *loaded->rules);
    const UniqueFd signals = BlockSignals();
    RaiseFdLimit();
    auto channels = MakeChannels(config_);
    if (!channels) return Report(channels.error());
    if (channels->empty()) spdlog::warn("no output is enabled: alerts go nowhere");
    auto taken = TakeOverIfAsked(*loaded->rules);
    if (!taken) return Report(taken.error());
    // Only now: the store that it keeps alerts in is one process's.
    dispatcher_ = std::make_unique<Dispatcher>(
        DispatcherOptionsOf(config_), std::move(*channels),
        [](const Error& error) { spdlog::error("{}", error.message); },
        [](const std::string& note) { spdlog::warn("{}", note); });
    const bool took_over = taken->has_value();
    if (took_over) inherited = std::move(**taken);
    const int64_t stopped_ns = inherited->stopped_ns;
    rules_enabled_ = CountEnabled(*loaded->rules);
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
    LogStart();
    if (!attach_session_.file.empty()) engine_->StartAttaching();
    AskCoverage(config_);
    StartWatchdog();
    Tell("READY=1\nSTATUS=" + StatusText());
    const End end = WaitForEnd(signals);
    // TimeoutStopSec= has an eye on what follows.
    Tell("STOPPING=1\nSTATUS=taking up what sandboxes have sent");
    watchdog_.reset();
    if (end != End::kHandedOver) {
      spdlog::info("stopping: no new sandboxes, taking up what the others have sent");
      engine_->Stop();
    }
    constexpr int kChannelPatienceMs = 5'000;
    dispatcher_->Stop(kChannelPatienceMs);
    LogTotals(engine_->totals(), dispatcher_->figures());
    if (end == End::kStop && !flags_.pid_file.empty()) unlink(flags_.pid_file.c_str());
    return end == End::kFailed ? kExitEnvironment : kExitOk;
  }

 private:
  enum class End : uint8_t {
    kStop,
    kHandedOver,  // another process has the sandboxes, and the files beside their socket
    kFailed,      // it has not, and neither have we
  };

  // The socket that a socket unit keeps, where there is one.
  Result<Inheritance> TakeFromSystemd() {
    Inheritance inherited;
    auto received = ReceivedFds();
    if (!received) return std::unexpected(received.error());
    auto listener = TakeListener(*received, socket_path_);
    if (!listener) return std::unexpected(listener.error());
    if (auto stored = TakeFromStore(*received, inherited); !stored) {
      return std::unexpected(stored.error());
    }
    for (const ReceivedFd& unknown : *received) {
      spdlog::warn("systemd hands over a descriptor \"{}\" that is not known here: closed",
                   unknown.name);
    }
    if (!*listener) return inherited;
    spdlog::info("the socket is systemd's: it goes on listening when this process ends");
    if (const std::string problem = SocketFileProblem(**listener); !problem.empty()) {
      spdlog::error("{}", problem);
    }
    inherited.listener = std::move(**listener);
    return inherited;
  }

  // The connections that systemd has kept since the process before this one.
  Result<void> TakeFromStore(std::vector<ReceivedFd>& received, Inheritance& inherited) {
    const size_t capacity = FdStore::Capacity();
    if (capacity == 0) return {};
    auto store = FdStore::Start(capacity, received,
                                [](const Error& error) { spdlog::error("{}", error.message); });
    if (!store) return std::unexpected(store.error());
    store_ = std::move(*store);
    inherited.connections = store_->TakeConnections();
    inherited.next_connection = store_->next_connection();
    inherited.state = store_->state_before();
    spdlog::info("systemd keeps up to {} connections over a restart, {} were kept", capacity,
                 inherited.connections.size());
    return {};
  }

  static void Tell(const std::string& text) {
    if (const auto told = Notify(text); !told) spdlog::warn("{}", told.error().message);
  }

  std::string StatusText() const {
    return fmt::format("listening on {}, {} rules enabled", socket_path_, rules_enabled_);
  }

  // None where systemd does not ask for signs of life.
  void StartWatchdog() {
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

  // What comes when everything else is ready. nullopt: not asked for, or nobody is there.
  Result<std::optional<Inheritance>> TakeOverIfAsked(const RuleSet& rules) {
    if (!flags_.takeover) return std::nullopt;
    if (store_) {
      spdlog::warn("--takeover: systemd keeps the connections here, nobody is asked for them");
      return std::nullopt;
    }
    rules.plan();  // compiled before sandboxes wait for it
    auto taken = TakeOver({.socket_path = socket_path_, .state_version = SessionSnapshotVersion()});
    if (!taken) return std::unexpected(taken.error());
    if (!*taken) {
      spdlog::info("nobody to take over from at {}", TakeoverSocketPath(socket_path_));
      return std::nullopt;
    }
    if (!(*taken)->is_done) {
      spdlog::warn("the process that ran before reads no more, but does not end");
    }
    const Inheritance& inherited = (*taken)->inherited;
    spdlog::info("took over {} connections, and {} clients that have not said anything",
                 inherited.connections.size(), inherited.silent.size());
    OpenTakenState(**taken);
    return std::move((*taken)->inherited);
  }

  void OpenTakenState(TakenOver& taken) {
    auto state = taken.state ? SnapshotFile::Open(std::move(taken.state), {})
                             : Fail(Fault::kInput, "the other process has another version");
    if (state) {
      taken_state_ = std::move(*state);
      taken.inherited.state = taken_state_.get();
    } else {
      spdlog::warn("what was known of their sandboxes can't be taken over: {}",
                   state.error().message);
    }
  }

  static void LogPause(int64_t stopped_ns) {
    constexpr double kNsPerMs = 1e6;
    spdlog::info("sandboxes were not read for {:.1f} ms",
                 static_cast<double>(SteadyNs() - stopped_ns) / kNsPerMs);
  }

  // Only once the socket is ours: what lies beside it is another daemon's before.
  Result<void> StartBesides(const std::optional<KeptSession>& session) {
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
    note(WritePidFile());
    note(KeepSession(session));
    if (!note(WriteAttachSession())) attach_session_.file.clear();  // nobody can be given it
    if (failed.empty()) return {};
    for (size_t i = 1; i < failed.size(); ++i) spdlog::error("{}", failed[i].message);
    return std::unexpected(failed.front());
  }

  // Gives everything to the process that asks for it. nullopt: this one goes on with what it has.
  std::optional<End> HandOver() {
    auto client = takeover_->Accept();
    if (!client) return std::nullopt;
    const auto ask = client->ReadAsk();
    if (!ask) {
      spdlog::warn("asked to hand over, but: {}", ask.error().message);
      return std::nullopt;
    }
    if (store_) {
      client->Refuse("systemd keeps its connections: systemctl restart gyrfalcon loses none");
      return std::nullopt;
    }
    const std::unique_ptr<SnapshotFile> state = MakeStateFor(*ask);
    watchdog_.reset();  // of the threads that end now
    Inheritance left =
        engine_->Release(state ? Engine::HeldBack::kKept : Engine::HeldBack::kTold, state.get());
    if (const auto given = client->Give(left, state ? state->fd() : -1); !given) {
      spdlog::error("not handed over, going on: {}", given.error().message);
      const auto on = GoOn(std::move(left));
      if (on) {
        StartWatchdog();
        return std::nullopt;
      }
      spdlog::error("{}", on.error().message);
      return End::kFailed;
    }
    left.listener->Disown();
    spdlog::info("handed over {} connections; another process goes on", left.connections.size());
    engine_->Stop();
    CloseWhatTwoCannotHave();
    client->SayDone();
    return End::kHandedOver;
  }

  // Who asks for the status has to wait for that.
  Result<void> GoOn(Inheritance left) {
    const std::scoped_lock lock(engine_mutex_);
    return engine_->GoOn(std::move(left));
  }

  // Where it gets what is known of sandboxes, made only now: nobody else would read it. nullptr: it
  // could not.
  static std::unique_ptr<SnapshotFile> MakeStateFor(const TakeoverAsk& ask) {
    if (ask.state_version != SessionSnapshotVersion()) {
      spdlog::warn("handing over to another version: what is known of sandboxes is not for it");
      return nullptr;
    }
    auto state = SnapshotFile::Create({});
    if (state) return std::move(*state);
    spdlog::error("{}", state.error().message);
    return nullptr;
  }

  // Before the other process is told to begin: the files that it makes anew, and whatever store of
  // alerts both would write.
  void CloseWhatTwoCannotHave() {
    control_.reset();
    takeover_.reset();
    // No sandbox is read meanwhile. What an output does not take by then, the store has for the
    // next process; without it, it is lost.
    constexpr int kPatienceMs = 100;
    constexpr int kPatienceWithoutStoreMs = 1'000;
    dispatcher_->Stop(dispatcher_->figures().spooling ? kPatienceMs : kPatienceWithoutStoreMs);
  }

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

  Result<void> StartEngine(const std::shared_ptr<const RuleSet>& rules, Inheritance inherited) {
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
    options.handshake.pending_max = config_.limits.handshakes_waiting_max;
    options.total_bytes_max = config_.limits.total_bytes_max;
    options.workers =
        config_.workers != 0 ? config_.workers : std::max(1u, std::thread::hardware_concurrency());
    constexpr int64_t kNsPerMs = 1'000'000;
    options.pipeline.clock_skew_ns = static_cast<int64_t>(config_.clock_skew_ms) * kNsPerMs;
    options.pipeline.grace_ns = static_cast<int64_t>(config_.state_grace_ms) * kNsPerMs;
    options.watch = {.runsc = config_.runsc_path,
                     .roots = RootsOf(config_),
                     .usual_roots = LooksAtUsualRoots(),
                     .session_file = AbsolutePath(config_.session_file),
                     .socket_path = AbsolutePath(socket_path_),
                     .interval_ms = static_cast<int>(config_.watch_interval_ms),
                     .reconcile_interval_ms = static_cast<int>(config_.reconcile_interval_ms),
                     .grace_ms = static_cast<int>(config_.watch_grace_ms),
                     .builtins = options.pipeline.builtins};
    options.attach = !attach_session_.file.empty();
    options.detach_at_stop = config_.detach_at_stop;
    if (!config_.visibility_policy.empty() || options.attach || options.detach_at_stop) {
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

  SessionUpdaterOptions SessionOptionsFor(const EngineOptions& options) const {
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

  // Without a runsc there are no sandboxes, and each of these folders would be a warning.
  bool LooksAtUsualRoots() const {
    return config_.usual_roots && IsProgramThere(config_.runsc_path);
  }

  // Only once the socket is ours, as the pid file.
  Result<void> WriteAttachSession() const {
    if (!attach_session_.trouble.empty()) {
      spdlog::warn("{}; sandboxes that are not traced are attached with {}",
                   attach_session_.trouble, attach_session_.file);
    }
    if (!attach_session_.text) return {};
    return ReplaceFile(attach_session_.file, *attach_session_.text);
  }

  // For the new rules: sandboxes that were attached get what these need.
  void RemakeAttachSession(const RuleSet& rules) {
    AttachSession session = MakeAttachSession(config_, socket_path_, rules);
    if (!attach_session_.text || !session.text || *session.text == *attach_session_.text) return;
    attach_session_.text = std::move(session.text);
    if (const auto written = WriteAttachSession(); !written) {
      spdlog::error("{}", written.error().message);
      return;
    }
    engine_->UpdateSessions();
  }

  static DispatcherOptions DispatcherOptionsOf(const Config& config) {
    DispatcherOptions options = MakeDispatcherOptions(config, WhenFull::kRefuse);
    if (!config.store_enabled) {
      spdlog::info("store.enabled is false: what an output can't take is lost with this process");
    } else if (options.spool.path.empty()) {
      spdlog::warn(
          "alerts are not kept: neither STATE_DIRECTORY nor XDG_STATE_HOME nor HOME is set; name a "
          "place by store.path, or set store.enabled to false");
    } else {
      spdlog::info("alerts are kept in {}, boot id {}", options.spool.path, options.boot_id);
    }
    return options;
  }

  Result<void> StartControl() {
    auto control = ControlServer::Start(ControlSocketPath(socket_path_), [this] {
      const std::scoped_lock lock(engine_mutex_);
      DaemonStatus status{engine_->totals(), engine_->sandbox_count(), dispatcher_->figures()};
      status.totals.rules = coverage_.figures();
      if (store_) {
        status.totals.engine.Add(EngineCounter::kConnectionsNotStored, store_->refused());
      }
      return status;
    });
    if (!control) return std::unexpected(control.error());
    control_ = std::move(*control);
    return {};
  }

  void AskCoverage(const Config& config) {
    coverage_.Ask({.rules_files = config.rules_files,
                   .options = config.rules,
                   .session_file = config_.session_file,
                   .runsc = config_.runsc_path});
  }

  // Only once the socket is ours, as the pid file.
  Result<void> KeepSession(const std::optional<KeptSession>& session) const {
    if (!session) return {};
    for (const std::string& warning : session->warnings) spdlog::warn("{}", warning);
    const auto is_new = WriteKeptSession(config_.session_file, *session);
    if (!is_new) return std::unexpected(is_new.error());
    spdlog::info("session config {} is kept by gyrfalcon, from {} and the rules: {} points{}",
                 config_.session_file, config_.visibility_policy, session->points,
                 *is_new ? "" : ", as before");
    if (!*is_new) return {};
    if (config_.runsc_path.empty()) {
      spdlog::warn("gvisor.runsc is empty: sandboxes that run keep the session that they have");
    }
    engine_->UpdateSessions();
    return {};
  }

  void LogStart() {
    const std::string session =
        config_.session_file.empty() ? std::string("none given") : config_.session_file;
    spdlog::info("event collection from gVisor is enabled: session config {}, socket {}", session,
                 socket_path_);
    LogBacklog();
    LogRoot();
  }

  void LogRoot() const {
    if (config_.runsc_path.empty()) return;
    std::vector<std::string> roots = RootsOf(config_);
    std::error_code error;
    for (const std::string& root : roots) {
      if (std::filesystem::is_directory(root, error)) continue;
      spdlog::warn("gvisor.root: {} is no folder (yet): sandboxes below it are not seen", root);
    }
    if (!IsProgramThere(config_.runsc_path)) {
      spdlog::warn(
          "gvisor.runsc: there is no program {}: sandboxes that run are not known, and not "
          "attached",
          config_.runsc_path);
    }
    if (LooksAtUsualRoots()) std::ranges::copy(UsualRoots(), std::back_inserter(roots));
    if (roots.empty()) {
      spdlog::info(
          "no root of runsc known: only sandboxes that connect are watched; set gvisor.root");
    } else if (!attach_session_.file.empty()) {
      spdlog::info(
          "sandboxes that run and are not traced are attached: session config {}, below {}",
          attach_session_.file, fmt::join(roots, ", "));
    }
  }

  void LogBacklog() const {
    const auto most = KernelBacklogMax();
    if (!most || *most >= Listener::kBacklog) return;
    spdlog::warn(
        "net.core.somaxconn is {}: more sandboxes that start at once than that wait before they "
        "are "
        "seen; sysctl -w net.core.somaxconn={}",
        *most, Listener::kBacklog);
  }

  void Watch(const LoadedConfig& loaded) {
    if (!loaded.config.watch_files) {
      watch_ = FileWatch();
      return;
    }
    std::vector<std::string> files = loaded.files;
    std::ranges::copy(loaded.missing_rules_files, std::back_inserter(files));
    std::vector<std::string> folders = loaded.folders;
    for (const std::string& path : loaded.config.rules_files) {
      std::error_code error;
      (std::filesystem::is_directory(path, error) ? folders : files).push_back(path);
    }
    if (!config_.visibility_policy.empty()) files.push_back(config_.visibility_policy);
    FileWatch next(files, folders);
    // What changed since the files were read, the new one does not tell.
    pollfd old{.fd = watch_.fd(), .events = POLLIN, .revents = 0};
    changed_meanwhile_ = poll(&old, 1, 0) > 0 && watch_.TakeChange();
    watch_ = std::move(next);
  }

  End WaitForEnd(const UniqueFd& signals) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(flags_.seconds));
    for (;;) {
      while (std::exchange(changed_meanwhile_, false)) Reload();
      int timeout_ms = -1;
      if (flags_.seconds > 0) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
        timeout_ms = static_cast<int>(std::max<int64_t>(0, left.count()));
      }
      const int takeover_fd = takeover_ ? takeover_->fd() : -1;
      std::array<pollfd, 3> waiting = {
          {{signals.get(), POLLIN, 0}, {watch_.fd(), POLLIN, 0}, {takeover_fd, POLLIN, 0}}};
      const int ready = poll(waiting.data(), waiting.size(), timeout_ms);
      if (ready == 0) return End::kStop;
      if (ready < 0) continue;
      if (waiting[1].revents != 0 && watch_.TakeChange()) {
        spdlog::info("config, rules or policy files changed");
        Reload();
      }
      if (waiting[2].revents != 0) {
        if (const auto handed = HandOver()) return *handed;
      }
      if (waiting[0].revents == 0) continue;
      signalfd_siginfo info{};
      if (read(signals.get(), &info, sizeof info) != sizeof info) continue;
      if (info.ssi_signo == SIGUSR1) {
        spdlog::info("SIGUSR1 received: outputs open their files anew");
        dispatcher_->Reopen();
        continue;
      }
      if (info.ssi_signo != SIGHUP) return End::kStop;
      spdlog::info("SIGHUP received, restarting...");  // Falco's words; here nothing stops
      Reload();
    }
  }

  void Reload() {
    Tell(ReloadingText());
    const bool done = TryReload();
    Tell("READY=1\nSTATUS=" + StatusText() +
         (done ? "" : "; a reload was refused, the log says why"));
  }

  // Bad files change nothing: what is in force stays.
  bool TryReload() {
    auto config = ReadDaemonConfig(flags_);
    if (!config) return RefuseReload(config.error());
    if (const auto required = RequireRules(flags_.rules, *config); !required) {
      return RefuseReload(required.error());
    }
    Watch(*config);
    const auto rules = LoadRules(config->config.rules_files, config->config.rules);
    if (!rules) return RefuseReload(rules.error());
    const auto session = SessionByPolicy(config_, socket_path_, *rules->rules);
    if (!session) return RefuseReload(session.error());
    SetUpLog(config->config);
    for (const std::string& warning : config->warnings) spdlog::warn("{}", warning);
    WarnFixedAtStart(config_, config->config);
    LogRules(*rules);
    engine_->SetRules(rules->rules);
    spdlog::info("rules reloaded");
    if (const auto kept = KeepSession(*session); !kept) {
      spdlog::error("{}", kept.error().message);
    }
    rules_enabled_ = CountEnabled(*rules->rules);
    RemakeAttachSession(*rules->rules);
    AskCoverage(config->config);
    return true;
  }

  static bool RefuseReload(const Error& error) {
    spdlog::error("reload refused, the rules in force stay:\n{}", error.message);
    return false;
  }

  static void LogTotals(const Totals& totals, const DeliveryFigures& delivery) {
    spdlog::info("totals: {} messages, {} alerts, {} undecodable, {} dropped by sandboxes",
                 totals.engine[EngineCounter::kMessages], totals.engine[EngineCounter::kAlerts],
                 totals.undecodable(), totals.engine[EngineCounter::kDroppedBySandboxes]);
    for (const Totals::Row& row : totals.Rows()) {
      if (row.value != 0 && row.def->severity == Severity::kDataLoss) {
        spdlog::warn("{} = {}: {}", row.def->name, row.value, row.def->help);
      }
    }
    for (const DeliveryFigures::Row& row : delivery.Rows()) {
      if (row.value != 0 && row.def->severity == Severity::kDataLoss) {
        spdlog::warn("{} = {}: {}", row.def->name, row.value, row.def->help);
      }
    }
    for (const ChannelFigures& channel : delivery.channels) {
      if (channel.waiting == 0) continue;
      spdlog::warn(
          "output {} has not had {} alerts{}", channel.name, channel.waiting,
          delivery.spooling ? ": they are in the store, and delivered after the next start" : "");
    }
  }

  const LoadedConfig loaded_;
  const Config& config_;  // as at the start
  const std::string socket_path_;
  const DaemonFlags flags_;
  AttachSession attach_session_;
  LoadCoverage coverage_;
  FileWatch watch_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<FdStore> store_;             // none without systemd
  std::unique_ptr<SnapshotFile> taken_state_;  // until the engine has read it
  std::mutex engine_mutex_;                    // held where another thread may see engine_ change
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<TakeoverServer> takeover_;
  std::unique_ptr<Watchdog> watchdog_;
  size_t rules_enabled_ = 0;        // as last loaded
  bool changed_meanwhile_ = false;  // while the watch was made anew
};

void AddDaemonFlags(CLI::App& app, DaemonFlags& flags) {
  AddRulesFlags(app, flags.rules);
  app.add_option(
      "-g,--gvisor-config", flags.session_file,
      "Session config that runsc has as --pod-init-config; its endpoint is where to listen");
  app.add_option("--gvisor-root", flags.runsc_root,
                 "runsc's root folder: a sandbox that runs there and is not traced is told");
  app.add_flag("--takeover-sessions", flags.takeover_sessions,
               "Attach also sandboxes that somebody else traces, whose session ends by that");
  app.add_flag("--detach-at-stop", flags.detach_at_stop,
               "At the end, end the sessions of the sandboxes that are connected");
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
  app.add_option("-M", flags.seconds, "Stop after so many seconds; 0: never")
      ->check(CLI::NonNegativeNumber);
  app.add_option("-P,--pidfile", flags.pid_file, "Write the process id to this file");
  app.add_flag("-U,--unbuffered", flags.unbuffered, "Flush each alert at once (the default)");
  app.add_flag("-v", flags.verbose, "Log more");
  app.add_flag("--takeover", flags.takeover,
               "Take sandboxes and socket over from the gyrfalcon that listens there, if one does");
  app.add_flag("--dry-run", flags.dry_run, "Check config and rules and exit");
  app.add_flag("--config-schema", flags.config_schema,
               "Print a JSON schema of the config and exit");
}

// All of a start that can be tried without taking the socket.
int DryRun(const Config& config, const std::string& socket_path) {
  const auto rules = LoadRules(config.rules_files, config.rules);
  if (!rules) return Report(rules.error());
  LogRules(*rules);
  if (const auto session = SessionByPolicy(config, socket_path, *rules->rules); !session) {
    return Report(session.error());
  }
  if (const auto channels = MakeChannels(config); !channels) return Report(channels.error());
  fmt::print("config and rules are valid: {} rules, {} of them enabled; the socket would be {}\n",
             rules->rules->rules().size(), CountEnabled(*rules->rules), socket_path);
  return kExitOk;
}

// Flags that only change a listing would else start the daemon on the default socket.
std::optional<Error> FindIdleFlag(const CLI::App& app, const DaemonFlags& flags) {
  const bool lists = app.count("--list") != 0 || flags.list_events || flags.list_syscall_events;
  if ((flags.names_only || flags.markdown) && !lists) {
    return Error{"-N and --markdown go with --list, --list-events or --list-syscall-events",
                 Fault::kUsage};
  }
  if (app.count("-l") != 0 && flags.describe_rule.empty()) {
    return Error{"-l: expected the name of a rule; -L describes all", Fault::kUsage};
  }
  return std::nullopt;
}

}  // namespace

int RunDaemon(std::vector<std::string> args) {
  const auto app = MakeApp("run");
  DaemonFlags flags;
  AddDaemonFlags(*app, flags);
  if (const auto refused = FindRefusedFlag(args)) return Report(*refused);
  const std::vector<std::string> words = args;
  if (const auto code = Parse(*app, std::move(args))) return *code;
  if (const auto idle = FindIdleFlag(*app, flags)) return Report(*idle);

  if (flags.config_schema) {
    fmt::print("{}\n", ConfigSchemaJson());
    return kExitOk;
  }
  const auto loaded = ReadDaemonConfig(flags);
  if (!loaded) return Report(loaded.error());
  const Config& config = loaded->config;

  const ListingOptions listing{flags.names_only, flags.markdown, flags.verbose};
  if (flags.version) return PrintVersion(config.format.json_output);
  if (flags.rule_schema) return PrintRuleSchema();
  if (flags.support) return PrintSupport(words, flags.rules.config_file, config);
  if (!flags.validate.empty()) {
    return PrintRulesVerdict(flags.validate, config, {flags.describe_all, flags.describe_rule});
  }
  if (app->count("--list") != 0) return ListFields(flags.list_source, listing);
  if (flags.list_events || flags.list_syscall_events) {
    return ListEvents(!flags.list_events, listing);
  }
  if (flags.list_ignored) return ListIgnoredSyscalls();
  if (const auto required = RequireRules(flags.rules, *loaded); !required) {
    return Report(required.error());
  }
  if (flags.describe_all) return DescribeRules("", config);
  if (!flags.describe_rule.empty()) return DescribeRules(flags.describe_rule, config);
  if (app->count("--gvisor-generate-config") != 0) {
    if (!flags.generate_socket.empty()) return PrintSession(flags.generate_socket, config);
    // Where `run` would listen; the session that it reads may be the one to be made.
    const auto endpoint = SocketPathOf(config);
    return PrintSession(endpoint ? *endpoint : DefaultSocketPath(), config);
  }
  SetUpLog(config);
  for (const std::string& warning : loaded->warnings) spdlog::warn("{}", warning);
  const auto socket_path = DaemonSocketPath(config);
  if (!socket_path) return Report(socket_path.error());
  if (flags.dry_run) return DryRun(config, *socket_path);
  return Daemon(*loaded, *socket_path, std::move(flags)).Run();
}

}  // namespace gyrfalcon
