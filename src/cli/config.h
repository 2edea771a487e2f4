// The configuration: Falco's falco.yaml keys that have a meaning here, and ours. What each key is,
// stands in config_table.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alerts/alert_format.h"
#include "alerts/builtin.h"
#include "base/result.h"
#include "channels/http_options.h"
#include "channels/program_channel.h"
#include "channels/syslog_channel.h"
#include "engine/alert_budget.h"
#include "engine/limits.h"
#include "engine/shedding.h"
#include "metadata/kube_api.h"
#include "rules/rule_loader.h"
#include "service/metrics_snapshot.h"
#include "service/web_pages.h"
#include "store/spool_options.h"

namespace gyrfalcon {

struct Config {
  std::vector<std::string> rules_files;  // files and folders; empty: the embedded rules
  LoadOptions rules;
  AlertFormatOptions format;
  BuiltinSettings builtins;
  bool buffered_outputs = false;
  bool stdout_enabled = true;
  bool file_enabled = false;
  bool file_keep_alive = false;  // else the file is opened anew for each write
  std::string file_name;
  bool syslog_enabled = false;
  SyslogOptions syslog;
  bool program_enabled = false;
  ProgramOptions program;
  bool http_enabled = false;
  HttpOptions http;
  std::string session_file;             // engine.gvisor.config
  std::string visibility_policy;        // empty: none; else session_file is ours to write
  std::vector<std::string> runsc_toml;  // gvisor.runsc_toml; not empty: the same
  uint64_t runsc_toml_interval_ms = 30'000;
  std::string session_profile = "standard";  // of a session config that is ours to write
  std::string on_failure;                    // the same; empty: as the file has it, else open
  std::string socket_path;  // gvisor.socket; empty: the session file's endpoint, or the default
  std::string runsc_path = "runsc";      // gvisor.runsc; empty: not to be run
  std::string runsc_root;                // gvisor.root; empty: only those of sandboxes that connect
  std::vector<std::string> runsc_roots;  // gvisor.roots, beside runsc_root
  bool usual_roots = true;
  uint64_t metadata_wait_ms = 300;
  std::string docker_socket = "/run/docker.sock";  // empty: Docker's daemon is not asked
  std::string cri_socket;                          // empty: no CRI runtime is asked
  bool pod_watch = false;                          // metadata.pods.watch
  std::string pods_node;                           // what follows: only with it
  KubeServer pods_server{.url = "",                // empty: as a pod is told by its environment
                         .token_file = std::string(kServiceAccountFolder) + "/token",
                         .ca_file = std::string(kServiceAccountFolder) + "/ca.crt"};
  bool attach = true;
  bool takeover_sessions = false;
  bool detach_at_stop = false;
  uint64_t reconcile_interval_ms = 30'000;
  uint64_t watch_interval_ms = 10'000;
  uint64_t watch_grace_ms = 30'000;
  uint64_t clock_skew_ms = 5'000;
  AlertBudgetOptions alert_budget{.burst = 1'000, .per_minute = 600};
  OverloadOptions overload{.sheds = true};
  Limits limits;
  uint64_t state_grace_ms = 30'000;
  uint64_t workers = 0;         // 0: one per processor
  uint64_t queue_capacity = 0;  // alerts that may wait for the channels; 0: the default bound
  bool store_enabled = true;    // `replay`: only where a config says so
  std::string store_path;       // empty: DefaultStorePath
  uint64_t store_bytes_max = uint64_t{256} << 20;
  uint64_t store_age_hours = 168;
  uint64_t store_share_percent = 25;
  bool store_sync_each_commit = false;
  uint64_t store_sync_interval_ms = 1'000;
  std::string log_level = "info";
  bool log_stderr = true;
  bool log_json = false;  // log_format
  bool web_enabled = false;
  bool web_tls = false;
  std::string web_certificate = "/etc/falco/falco.pem";
  WebServerOptions web;  // its certificate is found out by WebOptionsOf
  WebPagesOptions web_pages;
  MetricsSnapshotOptions metrics;
  bool watch_files = true;
};

inline constexpr size_t kConfigBytesMax = size_t{4} << 20;  // each file

// Where a config comes from, in the order in which it is applied.
struct ConfigSources {
  std::string file;                      // "" for none
  std::vector<std::string> assignments;  // -o KEY=VALUE
};

struct LoadedConfig {
  Config config;
  std::vector<std::string> files;                // read, the main one first
  std::vector<std::string> folders;              // of config_files
  std::vector<std::string> warnings;             // one line each
  bool is_empty = false;                         // the main file has no key at all
  std::vector<std::string> missing_rules_files;  // that the config names and ApplyFlags dropped
};

// Reads the file, what its config_files name, and the assignments, over the config that is there
// (`base`). The error has all that is wrong, a line each, with file, line and column, or with the
// assignment: Fault::kInput for a file's content, kUsage for an assignment, kEnvironment for a file
// that can't be read. Keys that are known and have no effect here are named in one warning.
Result<LoadedConfig> LoadConfig(const ConfigSources& sources, const Config& base = {});

// The same for a text that is at hand and includes nothing: `config_files` is checked, not
// followed.
Result<LoadedConfig> ReadConfig(const std::string& name, std::string_view text,
                                const std::vector<std::string>& assignments = {},
                                const Config& base = {});

// /run/gyrfalcon/gvisor.sock, or below $XDG_RUNTIME_DIR for a user who is not root.
std::string DefaultSocketPath();

// alerts.db in the folder that systemd gives ($STATE_DIRECTORY), in /var/lib/gyrfalcon, or for a
// user who is not root in $XDG_STATE_HOME/gyrfalcon. "": that user has no home.
std::string DefaultStorePath();

// webserver.*, as the server wants it.
WebServerOptions WebOptionsOf(const Config& config);

// Where alerts are kept by this config; without a path: they are not.
SpoolOptions StoreOf(const Config& config);

}  // namespace gyrfalcon
