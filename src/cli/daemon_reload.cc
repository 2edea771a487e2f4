#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <utility>

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/daemon.h"
#include "cli/daemon_log.h"
#include "cli/file.h"
#include "cli/load_rules.h"
#include "cli/log.h"

namespace gyrfalcon {

Daemon::End Daemon::WaitForEnd(const UniqueFd& signals) {
  std::optional<Clock::time_point> end;
  if (flags_.seconds > 0) {
    end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                             std::chrono::duration<double>(flags_.seconds));
  }
  for (;;) {
    while (std::exchange(changed_meanwhile_, false)) Reload();
    if (IsKeepingFiles() && Clock::now() >= next_look_) LookAtKeptFiles();
    auto wake = end;
    if (IsKeepingFiles() && (!wake || next_look_ < *wake)) wake = next_look_;
    int timeout_ms = -1;
    if (wake) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*wake - Clock::now());
      timeout_ms = static_cast<int>(std::max<int64_t>(0, left.count()));
    }
    const int takeover_fd = takeover_ ? takeover_->fd() : -1;
    std::array<pollfd, 3> waiting = {
        {{signals.get(), POLLIN, 0}, {watch_.fd(), POLLIN, 0}, {takeover_fd, POLLIN, 0}}};
    const int ready = poll(waiting.data(), waiting.size(), timeout_ms);
    if (ready == 0 && end && Clock::now() >= *end) return End::kStop;
    if (ready == 0) continue;
    if (ready < 0) continue;
    if (waiting[1].revents != 0 && watch_.TakeChange()) {
      ReloadIfChanged();
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

void Daemon::Watch(const LoadedConfig& loaded) {
  if (!loaded.config.watch_files) {
    watch_ = FileWatch();
    watched_files_.clear();
    watched_folders_.clear();
    return;
  }
  watched_files_ = loaded.files;
  std::ranges::copy(loaded.missing_rules_files, std::back_inserter(watched_files_));
  watched_folders_ = loaded.folders;
  for (const std::string& path : loaded.config.rules_files) {
    std::error_code error;
    const bool is_folder = std::filesystem::is_directory(path, error);
    (is_folder ? watched_folders_ : watched_files_).push_back(path);
  }
  if (!config_.visibility_policy.empty()) watched_files_.push_back(config_.visibility_policy);
  // What is read unasked once it is there.
  if (flags_.rules.config_file.empty() && loaded.files.empty()) {
    watched_files_.emplace_back(kDefaultConfigFile);
  }
  if (loaded.config.rules_files.empty() && loaded.missing_rules_files.empty()) {
    watched_folders_.emplace_back(kDefaultRulesFolder);
  }
  FileWatch next(watched_files_, watched_folders_);
  if (next.problem() != watch_.problem() && !next.problem().empty()) {
    spdlog::warn("changes of config and rules are not all seen, send SIGHUP: {}", next.problem());
  }
  tried_content_ = WatchedContent();
  // What changed since the files were read, the new one does not tell.
  pollfd old{.fd = watch_.fd(), .events = POLLIN, .revents = 0};
  changed_meanwhile_ = poll(&old, 1, 0) > 0 && watch_.TakeChange();
  watch_ = std::move(next);
}

// A file that is written anew as it was, or moved to and fro, is no reason to compile all rules.
void Daemon::ReloadIfChanged() {
  if (WatchedContent() == tried_content_) {
    reloads_.Unchanged();
    spdlog::debug("config, rules or policy files were touched: their content is the same");
    return;
  }
  spdlog::info("config, rules or policy files changed");
  Reload();
}

void Daemon::Reload() {
  tried_content_ = WatchedContent();
  Tell(ReloadingText());
  const bool done = TryReload();
  Tell("READY=1\nSTATUS=" + StatusText() +
       (done ? "" : "; a reload was refused, the log says why"));
}

bool Daemon::TryReload() {
  auto config = ReadDaemonConfig(flags_);
  if (!config) return RefuseReload(config.error());
  if (const auto required = RequireRules(flags_.rules, *config); !required) {
    return RefuseReload(required.error());
  }
  Watch(*config);
  const auto rules = LoadRules(config->config.rules_files, config->config.rules);
  if (!rules) return RefuseReload(rules.error());
  const auto session = KeptSessionOf(config_, socket_path_, *rules->rules);
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
  StartKeepingRunscToml();
  rules_enabled_ = CountEnabled(*rules->rules);
  reloads_.Loaded(rules_enabled_, RealTimeNs());
  reloads_.Succeeded();
  RemakeAttachSession(*rules->rules);
  AskCoverage(config->config);
  return true;
}

bool Daemon::RefuseReload(const Error& error) {
  reloads_.Refused(error.message);
  spdlog::error("reload refused, the rules in force stay:\n{}", error.message);
  return false;
}

Result<void> Daemon::KeepSession(const std::optional<KeptSession>& session) {
  if (!session) return {};
  const auto fitting = FitToRunsc(*session, config_.runsc_path);
  if (!fitting) {
    // With it no sandbox would start; without it they are not watched, and this daemon serves who
    // comes.
    spdlog::error("{} stays as it is, and no TOML is made to name it: {}", config_.session_file,
                  fitting.error().message);
    return {};
  }
  for (const std::string& warning : fitting->warnings) spdlog::warn("{}", warning);
  const auto is_new = WriteKeptSession(config_.session_file, *fitting);
  if (!is_new) return std::unexpected(is_new.error());
  kept_session_ = fitting->text;
  const std::string policy =
      config_.visibility_policy.empty() ? "" : config_.visibility_policy + " and ";
  spdlog::info("session config {} is kept by gyrfalcon, from {}the rules: {} points{}",
               config_.session_file, policy, fitting->points, *is_new ? "" : ", as before");
  if (!*is_new) return {};
  if (config_.runsc_path.empty()) {
    spdlog::warn("gvisor.runsc is empty: sandboxes that run keep the session that they have");
  }
  engine_->UpdateSessions();
  return {};
}

void Daemon::StartKeepingRunscToml() {
  if (config_.runsc_toml.empty() || kept_session_.empty() || runsc_toml_) return;
  runsc_toml_.emplace(config_.runsc_toml, AbsolutePath(config_.session_file));
  LookAtKeptFiles();
}

void Daemon::LookAtKeptFiles() {
  if (!kept_session_.empty()) LookAtKeptSession();
  if (runsc_toml_) LookAtRunscToml();
  next_look_ = Clock::now() + std::chrono::milliseconds(config_.runsc_toml_interval_ms);
}

void Daemon::LookAtKeptSession() {
  const auto restored = RestoreKeptSession(config_.session_file, kept_session_);
  if (restored && *restored) {
    spdlog::warn(
        "{} was gone, and is written again: a runtime that names it could start no sandbox",
        config_.session_file);
  }
  const std::string trouble = restored ? "" : restored.error().message;
  if (std::exchange(kept_session_trouble_, trouble) != trouble && !trouble.empty()) {
    spdlog::error("{}", trouble);
  }
}

void Daemon::LookAtRunscToml() {
  for (const RunscTomlKeeper::Note& note : runsc_toml_->Look()) {
    using enum RunscTomlKeeper::Note::Kind;
    const auto level = note.kind == kInfo      ? spdlog::level::info
                       : note.kind == kWarning ? spdlog::level::warn
                                               : spdlog::level::err;
    spdlog::log(level, "{}", note.text);
  }
}

Result<void> Daemon::WriteAttachSession() const {
  if (!attach_session_.trouble.empty()) {
    spdlog::warn("{}; sandboxes that are not traced are attached with {}", attach_session_.trouble,
                 attach_session_.file);
  }
  if (!attach_session_.text) return {};
  return ReplaceFile(attach_session_.file, *attach_session_.text);
}

void Daemon::RemakeAttachSession(const RuleSet& rules) {
  AttachSession session = MakeAttachSession(config_, socket_path_, rules);
  if (!attach_session_.text || !session.text || *session.text == *attach_session_.text) return;
  attach_session_.text = std::move(session.text);
  if (const auto written = WriteAttachSession(); !written) {
    spdlog::error("{}", written.error().message);
    return;
  }
  engine_->UpdateSessions();
}

void Daemon::AskCoverage(const Config& config) {
  coverage_.Ask({.rules_files = config.rules_files,
                 .options = config.rules,
                 .session_file = config_.session_file,
                 .runsc = config_.runsc_path});
}

}  // namespace gyrfalcon
