#include "cli/daemon_config.h"

#include <algorithm>
#include <filesystem>

#include "base/environment.h"
#include "cli/attach_session.h"
#include "cli/file.h"
#include "cli/kept_session.h"
#include "cli/log.h"
#include "cli/setup_files.h"
#include "engine/sandbox_sessions.h"
#include "runsc/roots.h"

namespace gyrfalcon {
namespace {

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
    {"gvisor.runsc_toml*, gvisor.session_profile, gvisor.on_failure",
     [](const Config& a, const Config& b) {
       return a.runsc_toml == b.runsc_toml && a.session_profile == b.session_profile &&
              a.on_failure == b.on_failure && a.runsc_toml_interval_ms == b.runsc_toml_interval_ms;
     }},
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
    {"metadata.*",
     [](const Config& a, const Config& b) {
       return a.metadata_wait_ms == b.metadata_wait_ms && a.docker_socket == b.docker_socket &&
              a.cri_socket == b.cri_socket && a.pod_watch == b.pod_watch &&
              a.pods_node == b.pods_node && a.pods_server == b.pods_server;
     }},
    {"alerts.*", [](const Config& a, const Config& b) { return a.alert_budget == b.alert_budget; }},
    {"overload.*", [](const Config& a, const Config& b) { return a.overload == b.overload; }},
    {"limits.*", [](const Config& a, const Config& b) { return SameLimits(a.limits, b.limits); }},
    {"webserver.*",
     [](const Config& a, const Config& b) {
       return a.web_enabled == b.web_enabled && WebOptionsOf(a) == WebOptionsOf(b) &&
              a.web_pages == b.web_pages;
     }},
    {"metrics.*", [](const Config& a, const Config& b) { return a.metrics == b.metrics; }},
    {"workers", [](const Config& a, const Config& b) { return a.workers == b.workers; }},
};

// Whom metadata.pods.watch asks, and for what.
Result<void> CompletePodWatch(Config& config) {
  if (!config.pod_watch) return {};
  if (config.pods_node.empty()) {
    return Fail(Fault::kInput,
                "metadata.pods.watch needs this node's name: metadata.pods.node, in a pod "
                "${NODE_NAME} with that variable from the field spec.nodeName");
  }
  std::string& url = config.pods_server.url;
  if (url.empty()) {
    const std::string host(Environment("KUBERNETES_SERVICE_HOST"));
    const std::string port(Environment("KUBERNETES_SERVICE_PORT"));
    if (host.empty() || port.empty()) {
      return Fail(Fault::kInput,
                  "metadata.pods.watch needs the API server: this is no pod "
                  "($KUBERNETES_SERVICE_HOST is not set), so name it, "
                  "metadata.pods.server: https://HOST:PORT");
    }
    url = "https://" + (host.contains(':') ? "[" + host + "]" : host) + ":" + port;
  }
  while (url.ends_with('/')) url.pop_back();
  const auto place = CheckHttpOptions({.url = url});
  if (!place || *place != url || !url.starts_with("https://")) {
    return Fail(
        Fault::kInput,
        "metadata.pods.server must be https://HOST:PORT and no more, for it is sent a token "
        "(it is not shown here, it may hold a secret)");
  }
  return {};
}

}  // namespace

Result<LoadedConfig> ReadDaemonConfig(const DaemonFlags& flags) {
  RunFlags rules = flags.rules;
  if (rules.config_file.empty()) {
    rules.config_file = DefaultIfThere(kDefaultConfigFile);
  }
  Config base;
  base.rules.append_output = {{.suggested_output = true}};  // each alert says who
  auto loaded = ApplyFlags(rules, base);
  if (!loaded) return loaded;
  Config& config = loaded->config;
  if (!flags.session_file.empty()) config.session_file = flags.session_file;
  if (config.rules_files.empty() && loaded->missing_rules_files.empty()) {
    const std::string folder = DefaultIfThere(kDefaultRulesFolder);
    const auto files =
        ExpandRulesPaths(folder.empty() ? std::vector<std::string>{} : std::vector{folder});
    if (files && !files->empty()) config.rules_files = {folder};
  }
  if (config.session_file.empty() && config.socket_path.empty()) {
    config.session_file = DefaultSessionFile();
  }
  if (!config.visibility_policy.empty() && config.session_file.empty()) {
    return Fail(
        Fault::kInput,
        "visibility_policy needs a session config that gyrfalcon keeps by it: name its file "
        "by engine.gvisor.config or -g");
  }
  if (!config.runsc_toml.empty() && config.session_file.empty()) {
    return Fail(Fault::kInput,
                "gvisor.runsc_toml needs a session config that gyrfalcon keeps and names there: "
                "name its file by engine.gvisor.config or -g");
  }
  if (const auto complete = CompletePodWatch(config); !complete) {
    return std::unexpected(complete.error());
  }
  if (!flags.runsc_root.empty()) config.runsc_root = flags.runsc_root;
  config.takeover_sessions |= flags.takeover_sessions;
  config.detach_at_stop |= flags.detach_at_stop;
  if (flags.unbuffered) config.buffered_outputs = false;
  if (flags.verbose) config.log_level = "debug";
  return loaded;
}

Result<std::string> DaemonSocketPath(Config config) {
  std::error_code error;
  const bool is_kept = KeptSessionWishOf(config, "").has_value();
  if (is_kept && !std::filesystem::exists(config.session_file, error)) config.session_file.clear();
  return SocketPathOf(config);
}

Result<void> CheckServing(const Config& config) {
  return config.web_enabled ? CheckWebServer(WebOptionsOf(config)) : Result<void>();
}

void WarnFixedAtStart(const Config& now, const Config& wanted) {
  for (const auto& row : kFixedAtStart) {
    if (!row.same(now, wanted)) spdlog::warn("changed, taken up at the next start: {}", row.keys);
  }
}

std::vector<std::string> RootsOf(const Config& config) {
  std::vector<std::string> roots = config.runsc_roots;
  if (!config.runsc_root.empty()) roots.insert(roots.begin(), config.runsc_root);
  return roots;
}

std::vector<std::string> RootsToAsk(const std::vector<std::string>& given, const Config& config,
                                    const std::optional<DockerDaemon>& docker) {
  std::vector<std::string> roots;
  const auto add = [&roots](const std::string& root) {
    const std::string path = AbsolutePath(root);
    const bool is_known = std::ranges::any_of(roots, [&path](const std::string& known) {
      return CanonicalPath(known) == CanonicalPath(path);
    });
    if (!is_known) roots.push_back(path);
  };
  for (const std::string& root : given) add(root);
  if (!roots.empty()) return roots;
  for (const std::string& root : RootsOf(config)) add(root);
  for (const std::string& root : UsualRoots()) add(root);
  if (!docker) return roots;
  for (const std::string& root : DockerRoots(docker->exec_root)) add(root);
  return roots;
}

// Without a runsc there are no sandboxes, and each of these folders would be a warning.
bool LooksAtUsualRoots(const Config& config) {
  return config.usual_roots && IsProgramThere(config.runsc_path);
}

}  // namespace gyrfalcon
