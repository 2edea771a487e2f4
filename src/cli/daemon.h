// The daemon: what `gyrfalcon run` is, from its start to its end. Everything here runs on the main
// thread, but for what other threads call to ask for figures; the work is the engine's threads' and
// the channels'.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "channels/dispatcher.h"
#include "cli/attach_session.h"
#include "cli/daemon_config.h"
#include "cli/file_watch.h"
#include "cli/kept_session.h"
#include "cli/load_coverage.h"
#include "cli/runsc_toml.h"
#include "cli/setup_drift.h"
#include "engine/engine.h"
#include "service/control.h"
#include "service/fd_store.h"
#include "service/health.h"
#include "service/metrics_snapshot.h"
#include "service/reload_figures.h"
#include "service/systemd.h"
#include "service/takeover.h"
#include "service/watchdog.h"
#include "service/web_server.h"

namespace gyrfalcon {

// What a session config that is kept is to hold for these rules; nullopt where none is.
Result<std::optional<KeptSession>> KeptSessionOf(const Config& config,
                                                 const std::string& socket_path,
                                                 const RuleSet& rules);

class Daemon {
 public:
  Daemon(LoadedConfig loaded, std::string socket_path, DaemonFlags flags);

  // Returns when it is told to end, with the exit code. nullopt: it has stood by, and has to begin
  // anew. Once.
  std::optional<int> Run();

 private:
  using Clock = std::chrono::steady_clock;
  enum class End : uint8_t {
    kStop,
    kHandedOver,  // another process has the sandboxes, and the files beside their socket
    kFailed,      // it has not, and neither have we
  };

  enum class Turn : uint8_t {
    kNow,      // no newer instance listens
    kLater,    // one did, and has ended
    kStopped,  // by a signal
  };

  // Instances of this machine that are older or newer (daemon_standby.cc).
  Result<void> TakeNumber();

  // As long as a newer instance listens this one does nothing, and is there for when that one ends.
  Turn AwaitTurn() const;

  // An older instance stands by for as long as it is kept here.
  void KeepWaiting(TakeoverClient client);

  // What the sandboxes took that are another process's now.
  void ReleaseMemory();

  // Start and end (daemon.cc).
  int RunOnTurn();

  // The signals that end the daemon, or tell it something, come through a descriptor, so that no
  // thread is interrupted.
  static UniqueFd BlockSignals();
  Result<void> StartEngine(const std::shared_ptr<const RuleSet>& rules, Inheritance inherited);
  SessionUpdaterOptions SessionOptionsFor(const EngineOptions& options) const;
  static DispatcherOptions DispatcherOptionsOf(const Config& config);

  // Only once the socket is ours: what lies beside it is another daemon's before.
  Result<void> StartBesides(const std::optional<KeptSession>& session);
  Result<void> StartControl();

  // Any thread.
  DaemonStatus Status();

  // webserver and metrics of the config (daemon_serve.cc).
  Result<void> StartServing();
  Result<void> WritePidFile() const;

  // None where systemd does not ask for signs of life.
  void StartWatchdog();

  // Watches what `gyrfalcon install` has set up on this node (daemon_setup.cc).
  void StartDrift();
  Result<NodeSession> RemakeNodeSession(const SessionRecord& record) const;

  void LogStart();
  static void Tell(const std::string& text);
  std::string StatusText() const;

  // Sandboxes that another process had, or is to have (daemon_handover.cc).

  // The socket that a socket unit keeps, where there is one.
  Result<Inheritance> TakeFromSystemd();

  // The connections that systemd has kept since the process before this one.
  Result<void> TakeFromStore(std::vector<ReceivedFd>& received, Inheritance& inherited);

  // What comes when everything else is ready. nullopt: not asked for, or nobody is there.
  Result<std::optional<Inheritance>> TakeOverIfAsked(const RuleSet& rules);
  void OpenTakenState(TakenOver& taken);
  static void LogPause(int64_t stopped_ns);

  // Gives everything to the process that asks for it. nullopt: this one goes on with what it has.
  std::optional<End> HandOver();

  // Who asks for the status has to wait for that.
  Result<void> GoOn(Inheritance left);

  // Where it gets what is known of sandboxes, made only now: nobody else would read it. nullptr: it
  // could not.
  static std::unique_ptr<SnapshotFile> MakeStateFor(const TakeoverAsk& ask);

  // Before the other process is told to begin: the files that it makes anew, and whatever store of
  // alerts both would write.
  void CloseWhatTwoCannotHave();

  // Signals, changed files, and what is made anew with them (daemon_reload.cc).
  End WaitForEnd(const UniqueFd& signals);
  void Watch(const LoadedConfig& loaded);

  // Of all that is watched.
  uint64_t WatchedContent() const { return ContentOf(watched_files_, watched_folders_); }
  void ReloadIfChanged();
  void Reload();

  // Bad files change nothing: what is in force stays.
  bool TryReload();
  bool RefuseReload(const Error& error);

  // Only once the socket is ours, as the pid file.
  Result<void> KeepSession(const std::optional<KeptSession>& session);
  Result<void> WriteAttachSession() const;

  // Only once the socket listens and a session config that runsc takes is there: sandboxes go where
  // it says.
  void StartKeepingRunscToml();

  // At what is kept: the session config, and the TOML that names it.
  bool IsKeepingFiles() const { return !kept_session_.empty() || runsc_toml_.has_value(); }
  void LookAtKeptFiles();
  void LookAtKeptSession();
  void LookAtRunscToml();

  // For the new rules: sandboxes that were attached get what these need.
  void RemakeAttachSession(const RuleSet& rules);
  void AskCoverage(const Config& config);

  const LoadedConfig loaded_;
  const Config& config_;  // as at the start
  const std::string socket_path_;
  const DaemonFlags flags_;
  AttachSession attach_session_;
  LoadCoverage coverage_;
  FileWatch watch_;
  std::vector<std::string> watched_files_;
  std::vector<std::string> watched_folders_;
  uint64_t tried_content_ = 0;  // of them, when they were last read, be it in vain
  ReloadLog reloads_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<FdStore> store_;             // none without systemd
  std::unique_ptr<SnapshotFile> taken_state_;  // until the engine has read it
  std::mutex engine_mutex_;                    // held where another thread may see engine_ change
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ControlServer> control_;
  std::unique_ptr<TakeoverServer> takeover_;
  std::vector<TakeoverClient> standing_by_;
  std::string kept_session_;          // as last written; "": none is kept
  std::string kept_session_trouble_;  // as last told; "": none
  std::optional<RunscTomlKeeper> runsc_toml_;
  Clock::time_point next_look_;  // at those files
  std::unique_ptr<Watchdog> watchdog_;
  std::unique_ptr<SetupDrift> drift_;
  uint64_t instance_ = 0;  // its number; 0: it has none
  bool has_handed_over_ = false;
  std::unique_ptr<HealthCheck> health_;
  WebCounters web_counters_;
  std::unique_ptr<WebServer> web_;
  std::unique_ptr<MetricsSnapshots> snapshots_;
  size_t rules_enabled_ = 0;        // as last loaded
  bool changed_meanwhile_ = false;  // while the watch was made anew
};

}  // namespace gyrfalcon
