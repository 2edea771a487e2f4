#include <spdlog/spdlog.h>

#include "cli/daemon.h"
#include "cli/file.h"
#include "cli/load_rules.h"
#include "cli/setup_files.h"

namespace gyrfalcon {

void Daemon::StartDrift() {
  SetupDriftOptions options;
  options.record_folder = NodeFiles().RecordFolder();
  options.builtins = config_.builtins;
  options.socket_path = AbsolutePath(socket_path_);
  if (!config_.session_file.empty()) options.session_file = AbsolutePath(config_.session_file);
  options.on_alert = [this](Alert alert) { dispatcher_->Put(std::move(alert)); };
  options.on_warning = [](const std::string& text) { spdlog::warn("{}", text); };
  options.on_note = [](const std::string& text) { spdlog::info("{}", text); };
  options.on_new_session = [this] {
    const std::scoped_lock lock(engine_mutex_);
    engine_->UpdateSessions();
  };
  if (config_.visibility_policy.empty()) {
    options.remake = [this](const SessionRecord& record) { return RemakeNodeSession(record); };
  }
  drift_ = std::make_unique<SetupDrift>(std::move(options));
}

// On the drift's thread: the rules are read anew, as those in force are the engine's.
Result<NodeSession> Daemon::RemakeNodeSession(const SessionRecord& record) const {
  const auto loaded = ReadDaemonConfig(flags_);
  if (!loaded) return std::unexpected(loaded.error());
  const auto rules = LoadRules(loaded->config.rules_files, loaded->config.rules);
  if (!rules) return std::unexpected(rules.error());
  const auto before = ParseSessionConfig(record.path, record.text);
  if (!before) return std::unexpected(before.error());
  SessionOptions options;
  options.socket_path = before->endpoint;
  options.on_failure = before->on_failure;
  options.profile = ParseSessionProfile(record.profile).value_or(options.profile);
  return MakeNodeSession(options, PointsFor(*rules->rules, options.profile), record.runscs);
}

}  // namespace gyrfalcon
