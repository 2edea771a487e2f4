#include "cli/config_table.h"

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "cli/config_setters.h"

namespace gyrfalcon {
namespace {

using enum ConfigType;
constexpr auto kYes = ConfigEffect::kHonoured;
constexpr auto kNotYet = ConfigEffect::kNotYet;
constexpr auto kNone = ConfigEffect::kNoMeaning;
constexpr auto kOurs = ConfigOrigin::kOurs;

template <auto member>
void Bool(const YamlNode& node, Config& config) {
  ParseYamlBool(node.scalar, config.*member);
}

template <auto member>
void Format(const YamlNode& node, Config& config) {
  ParseYamlBool(node.scalar, config.format.*member);
}

// The options of an output: BoolOf<&Config::http, &HttpOptions::insecure>.
template <auto group, auto member>
void BoolOf(const YamlNode& node, Config& config) {
  ParseYamlBool(node.scalar, config.*group.*member);
}

template <auto group, auto member>
void TextOf(const YamlNode& node, Config& config) {
  config.*group.*member = node.scalar;
}

template <auto group, auto member>
void NumberOf(const YamlNode& node, Config& config) {
  config.*group.*member = std::strtoull(node.scalar.c_str(), nullptr, 10);
}

template <auto member>
void Text(const YamlNode& node, Config& config) {
  config.*member = node.scalar;
}

template <auto member>
void Number(const YamlNode& node, Config& config) {
  config.*member = std::strtoull(node.scalar.c_str(), nullptr, 10);
}

template <auto member>
void Budget(const YamlNode& node, Config& config) {
  config.alert_budget.*member = std::strtoull(node.scalar.c_str(), nullptr, 10);
}

void StoreSync(const YamlNode& node, Config& config) {
  config.store_sync_each_commit = node.scalar == "commit";
}

constexpr std::string_view kLogLevels =
    "emergency|alert|critical|error|warning|notice|info|informational|debug";
constexpr double kMaxU32 = 4'294'967'295;

constexpr ConfigKey kKeys[] = {
    // Files.
    {"config_files", kTextsOrMappings, "[]", kYes,
     "More config files, or folders of them, read after this one; what they have wins, key by key"},
    {"config_files[].path", kText, "", kYes, "A file, or a folder whose files are read by name"},
    {.path = "config_files[].strategy",
     .type = kText,
     .default_value = "append",
     .effect = kYes,
     .help = "append: lists grow, other keys are replaced; override: lists are replaced too; "
             "add-only: keys that are there already stay",
     .choices = "append|override|add-only"},
    {"watch_config_files", kBool, "true", kYes,
     "Read config and rules again when one of their files changes", Bool<&Config::watch_files>},
    {"rules_files", kTexts, "[]", kYes,
     "Rules files, and folders of *.yaml and *.yml; none: the rules that are built in",
     SetRulesFiles},
    {"rules_file", kTexts, "", kYes, "Older name of rules_files", SetRulesFiles},
    {"rule_files", kTexts, "", kNone, "In Falco's schema, but Falco reads rules_files only"},
    {"rules", kMappings, "[]", kYes,
     "Rules to enable and disable, in order, once all files are read", SetSelection,
     CheckSelection},
    {"rules[].enable.rule", kText, "", kYes, "Pattern of rule names, with * for any text"},
    {"rules[].enable.tag", kText, "", kYes, "A tag"},
    {"rules[].disable.rule", kText, "", kYes, "Pattern of rule names, with * for any text"},
    {"rules[].disable.tag", kText, "", kYes, "A tag"},
    {"priority", kText, "debug", kYes, "Rules less urgent than this are left out", SetPriority,
     CheckPriority},
    {.path = "builtin_alerts",
     .type = kMappings,
     .default_value = "[]",
     .effect = kYes,
     .help = "Built-in alerts (docs/sensor.md) that are not as they come: all are on, each with a "
             "priority of its own; read at the start only",
     .set = SetBuiltinAlerts,
     .origin = kOurs,
     .check_item = CheckBuiltinAlert},
    {.path = "builtin_alerts[].name",
     .type = kText,
     .default_value = "",
     .effect = kYes,
     .help = "Its name, with or without `gyrfalcon: `",
     .check = CheckBuiltinName,
     .origin = kOurs},
    {.path = "builtin_alerts[].enabled",
     .type = kBool,
     .default_value = "true",
     .effect = kYes,
     .help = "false: it is never raised",
     .origin = kOurs},
    {.path = "builtin_alerts[].priority",
     .type = kText,
     .default_value = "",
     .effect = kYes,
     .help = "Instead of its own",
     .check = CheckPriority,
     .origin = kOurs},
    {.path = "rule_matching",
     .type = kText,
     .default_value = "first",
     .effect = kYes,
     .help = "first: an event is told by the first rule that fits; all: by each one",
     .set = SetMatching,
     .choices = "first|all"},

    // Where events come from.
    {.path = "engine.kind",
     .type = kText,
     .default_value = "gvisor",
     .effect = kNone,
     .help = "It is always gVisor",
     .choices = "gvisor|kmod|ebpf|modern_ebpf|replay|nodriver|none",
     .harmless = "gvisor"},
    {"engine.gvisor.config", kText, "", kYes,
     "The session config that runsc has (--pod-init-config); its endpoint is where to listen",
     Text<&Config::session_file>},
    {"engine.gvisor.root", kText, "", kYes, "Falco's name of gvisor.root",
     Text<&Config::runsc_root>},
    {"engine.kmod.buf_size_preset", kInteger, "4", kNone, "Kernel drivers do not exist here"},
    {"engine.kmod.drop_failed_exit", kBool, "false", kNone, "Kernel drivers do not exist here"},
    {"engine.ebpf.probe", kText, "", kNone, "Kernel drivers do not exist here"},
    {"engine.ebpf.buf_size_preset", kInteger, "4", kNone, "Kernel drivers do not exist here"},
    {"engine.ebpf.drop_failed_exit", kBool, "false", kNone, "Kernel drivers do not exist here"},
    {"engine.modern_ebpf.cpus_for_each_buffer", kInteger, "2", kNone,
     "Kernel drivers do not exist here"},
    {"engine.modern_ebpf.buf_size_preset", kInteger, "4", kNone,
     "Kernel drivers do not exist here"},
    {"engine.modern_ebpf.drop_failed_exit", kBool, "false", kNone,
     "Kernel drivers do not exist here"},
    {"engine.replay.capture_file", kText, "", kNone,
     "Kernel captures are not read; `gyrfalcon replay` reads gVisor's"},
    {.path = "visibility_policy",
     .type = kText,
     .default_value = "",
     .effect = kYes,
     .help =
         "A visibility policy (TOML): gyrfalcon keeps the session config of engine.gvisor.config "
         "by it and the rules, and gives it to sandboxes that run when either changes",
     .set = Text<&Config::visibility_policy>,
     .origin = kOurs},
    {.path = "gvisor.socket",
     .type = kText,
     .default_value = "",
     .effect = kYes,
     .help = "Where to listen; empty: the session config's endpoint, else "
             "/run/gyrfalcon/gvisor.sock",
     .set = Text<&Config::socket_path>,
     .origin = kOurs},
    {.path = "gvisor.runsc",
     .type = kText,
     .default_value = "runsc",
     .effect = kYes,
     .help =
         "The runsc that is asked which sandboxes run, below each root that is known, and which "
         "processes an exec session has; the latter, with the default, is asked of the very runsc "
         "that connected, where root alone can change it; empty: none is asked",
     .set = Text<&Config::runsc_path>,
     .origin = kOurs},
    {.path = "gvisor.root",
     .type = kText,
     .default_value = "",
     .effect = kYes,
     .help = "A root folder of runsc whose sandboxes must be traced; those of sandboxes that "
             "connect are known without it",
     .set = Text<&Config::runsc_root>,
     .origin = kOurs},
    {.path = "gvisor.roots",
     .type = kTexts,
     .default_value = "[]",
     .effect = kYes,
     .help = "More such folders",
     .set = SetRunscRoots,
     .origin = kOurs},
    {.path = "gvisor.usual_roots",
     .type = kBool,
     .default_value = "true",
     .effect = kYes,
     .help = "Those of runsc itself, Docker and containerd too, where they are there",
     .set = Bool<&Config::usual_roots>,
     .origin = kOurs},
    {.path = "gvisor.runsc_toml",
     .type = kTexts,
     .default_value = "[]",
     .effect = kYes,
     .help = "TOML files that gVisor's containerd shim reads (ConfigPath): gyrfalcon keeps the "
             "session config of engine.gvisor.config, for its rules, and that it is named there as "
             "pod-init-config",
     .set = SetRunscToml,
     .origin = kOurs},
    {.path = "gvisor.runsc_toml_interval_ms",
     .type = kInteger,
     .default_value = "30000",
     .effect = kYes,
     .help = "How often they are looked at, after the start",
     .set = Number<&Config::runsc_toml_interval_ms>,
     .min = 100,
     .max = 3'600'000,
     .origin = kOurs},
    {.path = "gvisor.session_profile",
     .type = kText,
     .default_value = "standard",
     .effect = kYes,
     .help = "What a session config that gyrfalcon keeps asks for beside what the rules need",
     .set = Text<&Config::session_profile>,
     .choices = "lean|standard|strict",
     .origin = kOurs},
    {.path = "gvisor.on_failure",
     .type = kText,
     .default_value = "keep",
     .effect = kYes,
     .help = "What a sandbox does, by a session config that gyrfalcon keeps, when nobody answers: "
             "open, it starts unwatched; closed, it does not start; keep: open, but with "
             "visibility_policy as the file says that was there",
     .set = SetOnFailure,
     .choices = "open|closed|keep",
     .origin = kOurs},
    {.path = "gvisor.attach",
     .type = kBool,
     .default_value = "true",
     .effect = kYes,
     .help = "Attach sandboxes that run below a known root and are not traced, with the session "
             "config of engine.gvisor.config, or else one made for the rules",
     .set = Bool<&Config::attach>,
     .origin = kOurs},
    {.path = "gvisor.reconcile_interval_ms",
     .type = kInteger,
     .default_value = "30000",
     .effect = kYes,
     .help = "How often such sandboxes are looked for, after the start",
     .set = Number<&Config::reconcile_interval_ms>,
     .min = 100,
     .max = 3'600'000,
     .origin = kOurs},
    {.path = "gvisor.takeover_sessions",
     .type = kBool,
     .default_value = "false",
     .effect = kYes,
     .help = "Attach also those that somebody else traces, whose session ends by that; else only "
             "where it drops more and more",
     .set = Bool<&Config::takeover_sessions>,
     .origin = kOurs},
    {.path = "gvisor.detach_at_stop",
     .type = kBool,
     .default_value = "false",
     .effect = kYes,
     .help = "End the sessions of the sandboxes that are connected when the daemon stops",
     .set = Bool<&Config::detach_at_stop>,
     .origin = kOurs},
    {.path = "gvisor.watch_interval_ms",
     .type = kInteger,
     .default_value = "10000",
     .effect = kYes,
     .help = "How often runsc is asked",
     .set = Number<&Config::watch_interval_ms>,
     .min = 100,
     .max = 3'600'000,
     .origin = kOurs},
    {.path = "gvisor.watch_grace_ms",
     .type = kInteger,
     .default_value = "30000",
     .effect = kYes,
     .help = "How long a running sandbox may be silent or without a connection before an alert",
     .set = Number<&Config::watch_grace_ms>,
     .min = 0,
     .max = 3'600'000,
     .origin = kOurs},
    {.path = "gvisor.clock_skew_ms",
     .type = kInteger,
     .default_value = "5000",
     .effect = kYes,
     .help = "How far the time of a message may lie from the time it came at; 0: any is believed",
     .set = Number<&Config::clock_skew_ms>,
     .min = 0,
     .max = 86'400'000,
     .origin = kOurs},
    {.path = "gvisor.state_grace_ms",
     .type = kInteger,
     .default_value = "30000",
     .effect = kYes,
     .help = "How long the state of a sandbox is kept after its connection has ended, for when it "
             "is attached again; 0: not at all",
     .set = Number<&Config::state_grace_ms>,
     .min = 0,
     .max = 3'600'000,
     .origin = kOurs},
    {.path = "metadata.wait_ms",
     .type = kInteger,
     .default_value = "300",
     .effect = kYes,
     .help = "How long the first messages of a container wait until it is known which image, name "
             "and pod it has; 0: not at all",
     .set = Number<&Config::metadata_wait_ms>,
     .min = 0,
     .max = 5'000,
     .origin = kOurs},
    {.path = "metadata.docker_socket",
     .type = kText,
     .default_value = "/run/docker.sock",
     .effect = kYes,
     .help = "Docker's socket, asked for its list of containers where its files can't be read; "
             "empty: not asked",
     .set = Text<&Config::docker_socket>,
     .origin = kOurs},
    {.path = "metadata.cri_socket",
     .type = kText,
     .default_value = "",
     .effect = kYes,
     .help = "The CRI socket of containerd or CRI-O, asked for the labels of pods and containers, "
             "digests and addresses; empty: not asked, names of pod and image are known without it",
     .set = Text<&Config::cri_socket>,
     .origin = kOurs},
    {.path = "workers",
     .type = kInteger,
     .default_value = "0",
     .effect = kYes,
     .help = "Threads that evaluate; 0: one per processor",
     .set = Number<&Config::workers>,
     .min = 0,
     .max = 256,
     .origin = kOurs},

    // What may be left out, and when.
    {.path = "alerts.per_rule_burst",
     .type = kInteger,
     .default_value = "1000",
     .effect = kYes,
     .help = "Alerts that one rule may raise about one sandbox at once; more are not raised, and "
             "told by their number (docs/overload.md); 0: as many as there are",
     .set = Budget<&AlertBudgetOptions::burst>,
     .min = 0,
     .max = kMaxU32,
     .origin = kOurs},
    {.path = "alerts.per_rule_per_minute",
     .type = kInteger,
     .default_value = "600",
     .effect = kYes,
     .help = "How many more a minute",
     .set = Budget<&AlertBudgetOptions::per_minute>,
     .min = 0,
     .max = kMaxU32,
     .origin = kOurs},
    {.path = "overload.shedding",
     .type = kBool,
     .default_value = "true",
     .effect = kYes,
     .help = "Leave out what is least urgent when a worker can't keep up, before queues are full",
     .set = [](const YamlNode& node,
               Config& config) { ParseYamlBool(node.scalar, config.overload.sheds); },
     .origin = kOurs},
    {.path = "overload.never_skip_priority",
     .type = kText,
     .default_value = "warning",
     .effect = kYes,
     .help = "Rules of this priority and above are asked about every event, also then",
     .set = SetNeverSkipPriority,
     .check = CheckPriority,
     .origin = kOurs},

    // Plugins.
    {"load_plugins", kTexts, "[]", kNone, "Plugins do not exist here"},
    {"plugins", kMappings, "[]", kNone,
     "Plugins do not exist here; the fields of the container plugin are built in"},
    {"plugins[].name", kText, "", kNone, "Plugins do not exist here"},
    {"plugins[].library_path", kText, "", kNone, "Plugins do not exist here"},
    {"plugins[].init_config", kAny, "", kNone, "Plugins do not exist here"},
    {"plugins[].open_params", kText, "", kNone, "Plugins do not exist here"},
    {"plugins_hostinfo", kBool, "true", kNone, "Plugins do not exist here"},
    {"container_engines.docker.enabled", kBool, "true", kNone,
     "gVisor tells the containers of a sandbox"},
    {"container_engines.cri.enabled", kBool, "true", kNone,
     "gVisor tells the containers of a sandbox"},
    {"container_engines.cri.sockets", kTexts, "[]", kNone,
     "gVisor tells the containers of a sandbox"},
    {"container_engines.cri.disable_async", kBool, "false", kNone,
     "gVisor tells the containers of a sandbox"},
    {"container_engines.podman.enabled", kBool, "true", kNone,
     "gVisor tells the containers of a sandbox"},
    {"container_engines.lxc.enabled", kBool, "true", kNone,
     "gVisor tells the containers of a sandbox"},
    {"container_engines.libvirt_lxc.enabled", kBool, "true", kNone,
     "gVisor tells the containers of a sandbox"},
    {"container_engines.bpm.enabled", kBool, "true", kNone,
     "gVisor tells the containers of a sandbox"},

    // What an alert looks like.
    {"time_format_iso_8601", kBool, "false", kYes, "ISO 8601 times in text alerts",
     Format<&AlertFormatOptions::time_format_iso_8601>},
    {"json_output", kBool, "false", kYes, "Alerts as JSON, one a line",
     Format<&AlertFormatOptions::json_output>},
    {"json_include_output_property", kBool, "true", kYes,
     "JSON has `output`: the line of a text alert",
     Format<&AlertFormatOptions::json_include_output_property>},
    {"json_include_message_property", kBool, "false", kYes,
     "JSON has `message`: that line without time and priority",
     Format<&AlertFormatOptions::json_include_message_property>},
    {"json_include_output_fields_property", kBool, "true", kYes,
     "JSON has `output_fields`: the value of each field that the output names",
     Format<&AlertFormatOptions::json_include_output_fields_property>},
    {"json_include_tags_property", kBool, "true", kYes, "JSON has `tags`: those of the rule",
     Format<&AlertFormatOptions::json_include_tags_property>},
    {.path = "json_include_sequence_property",
     .type = kBool,
     .default_value = "true",
     .effect = kYes,
     .help = "JSON has `boot_id` and `sequence`, by which a receiver sees gaps and repeats; not in "
             "`replay`",
     .set = Format<&AlertFormatOptions::json_include_sequence_property>,
     .origin = kOurs},
    {"buffer_format_base64", kBool, "false", kNone, "gVisor tells no data that could be encoded"},
    {"append_output", kMappings, "[{\"suggested_output\": true}]", kYes,
     "What is added to the outputs of rules, in order (`replay`: only to the built-in rules)",
     SetAppendOutput},
    {"append_output[].match.source", kText, "", kYes, "Only rules of this source"},
    {"append_output[].match.tags", kTexts, "", kYes, "Only rules that have all these tags"},
    {"append_output[].match.rule", kText, "", kYes, "Only the rule of this name"},
    {"append_output[].extra_output", kText, "", kYes, "A format, added behind the output"},
    {"append_output[].extra_fields", kTextsOrPairs, "", kYes,
     "Fields, or `name: format`, added to `output_fields` of JSON alerts"},
    {"append_output[].suggested_output", kBool, "false", kYes,
     "Add the fields that are worth having in each alert: container and pod"},
    {"static_fields", kTextMap, "{}", kNotYet, "Fields `static.NAME` of fixed texts"},

    // Where alerts go.
    {"buffered_outputs", kBool, "false", kYes,
     "Write when no more alerts wait, instead of after each one (`replay`: true)",
     Bool<&Config::buffered_outputs>},
    {.path = "outputs_queue.capacity",
     .type = kInteger,
     .default_value = "0",
     .effect = kYes,
     .help = "Alerts that may wait for slow outputs; one more is lost and counted; 0: 65536",
     .set = Number<&Config::queue_capacity>,
     .min = 0,
     .max = 16'777'216},
    {"output_timeout",
     kInteger,
     "2000",
     kNone,
     "Outputs have a thread of their own, so that a slow one holds up no sandbox",
     nullptr,
     nullptr,
     {},
     0,
     kMaxU32},
    {"stdout_output.enabled", kBool, "true", kYes, "Alerts on standard output",
     Bool<&Config::stdout_enabled>},
    {"file_output.enabled", kBool, "false", kYes, "Alerts appended to a file",
     Bool<&Config::file_enabled>},
    {"file_output.filename", kText, "", kYes, "That file; it is made with mode 0600",
     Text<&Config::file_name>},
    {"file_output.keep_alive", kBool, "false", kYes,
     "Keep the file open until SIGUSR1; else it is opened anew for each write, so that it may be "
     "rotated at any time",
     Bool<&Config::file_keep_alive>},
    {"syslog_output.enabled", kBool, "false", kYes,
     "Alerts to this machine's syslog, with their own priorities", Bool<&Config::syslog_enabled>},
    {.path = "syslog_output.ident",
     .type = kText,
     .default_value = "gyrfalcon",
     .effect = kYes,
     .help = "The name they stand under",
     .set = TextOf<&Config::syslog, &SyslogOptions::ident>,
     .origin = kOurs},
    {.path = "syslog_output.facility",
     .type = kText,
     .default_value = "user",
     .effect = kYes,
     .help = "The facility; Falco's is user",
     .set = TextOf<&Config::syslog, &SyslogOptions::facility>,
     .choices = kSyslogFacilities,
     .origin = kOurs},
    {.path = "syslog_output.socket",
     .type = kText,
     .default_value = "/dev/log",
     .effect = kYes,
     .help = "The syslog daemon's datagram socket",
     .set = TextOf<&Config::syslog, &SyslogOptions::socket>,
     .origin = kOurs},
    {"program_output.enabled", kBool, "false", kYes, "Alerts to a program's standard input",
     Bool<&Config::program_enabled>},
    {"program_output.keep_alive", kBool, "false", kYes,
     "One process is fed line by line; else each alert has a process of its own",
     BoolOf<&Config::program, &ProgramOptions::keep_alive>},
    {"program_output.program", kText, "", kYes,
     "The program and its arguments; no shell reads them, so what needs one is written sh -c '…'",
     TextOf<&Config::program, &ProgramOptions::program>},
    {.path = "program_output.timeout_ms",
     .type = kInteger,
     .default_value = "10000",
     .effect = kYes,
     .help =
         "How long it may take for an alert, or read nothing if it is kept, before it is killed",
     .set = NumberOf<&Config::program, &ProgramOptions::timeout_ms>,
     .min = 1,
     .max = 3'600'000,
     .origin = kOurs},
    {"http_output.enabled", kBool, "false", kYes, "Alerts by HTTP POST, each as JSON",
     Bool<&Config::http_enabled>},
    {"http_output.url", kText, "", kYes,
     "Where to, http: or https:; the log shows of it only host and port",
     TextOf<&Config::http, &HttpOptions::url>},
    {"http_output.user_agent", kText, "gyrfalcon", kYes, "The User-Agent header",
     TextOf<&Config::http, &HttpOptions::user_agent>},
    {.path = "http_output.headers",
     .type = kTextMap,
     .default_value = "{}",
     .effect = kYes,
     .help = "Further headers, `name: value`; ${NAME} takes a value from the environment",
     .set = SetHttpHeaders,
     .origin = kOurs},
    {"http_output.insecure", kBool, "false", kYes, "Believe any certificate",
     BoolOf<&Config::http, &HttpOptions::insecure>},
    {"http_output.ca_cert", kText, "", kYes,
     "A file with the certificate of the receiver's CA: no other is believed",
     TextOf<&Config::http, &HttpOptions::ca_cert>},
    {"http_output.ca_bundle", kText, "", kYes,
     "A file with the certificates of several; ca_cert goes before it",
     TextOf<&Config::http, &HttpOptions::ca_bundle>},
    {"http_output.ca_path", kText, "/etc/ssl/certs", kYes,
     "A folder of them, named by their hashes; the two files go before it",
     TextOf<&Config::http, &HttpOptions::ca_path>},
    {"http_output.mtls", kBool, "false", kYes, "Show the receiver a certificate",
     BoolOf<&Config::http, &HttpOptions::mtls>},
    {"http_output.client_cert", kText, "/etc/ssl/certs/client.crt", kYes, "That certificate",
     TextOf<&Config::http, &HttpOptions::client_cert>},
    {"http_output.client_key", kText, "/etc/ssl/certs/client.key", kYes, "Its key",
     TextOf<&Config::http, &HttpOptions::client_key>},
    {"http_output.echo", kBool, "false", kYes,
     "The log has what the receiver answers; Falco prints it among the alerts",
     BoolOf<&Config::http, &HttpOptions::echo>},
    {"http_output.compress_uploads", kBool, "false", kYes, "gzip, unless the receiver refuses it",
     BoolOf<&Config::http, &HttpOptions::compress_uploads>},
    {"http_output.keep_alive", kBool, "false", kYes,
     "TCP's keep-alive probes; the connection itself is always kept",
     BoolOf<&Config::http, &HttpOptions::keep_alive>},
    {.path = "http_output.max_consecutive_timeouts",
     .type = kInteger,
     .default_value = "5",
     .effect = kYes,
     .help = "So many timeouts in a row are tried again at once; one more is told, and waited for",
     .set = NumberOf<&Config::http, &HttpOptions::max_consecutive_timeouts>,
     .min = 0,
     .max = 255},
    {.path = "http_output.connect_timeout_ms",
     .type = kInteger,
     .default_value = "5000",
     .effect = kYes,
     .help = "How long a connection may take",
     .set = NumberOf<&Config::http, &HttpOptions::connect_timeout_ms>,
     .min = 1,
     .max = 600'000,
     .origin = kOurs},
    {.path = "http_output.timeout_ms",
     .type = kInteger,
     .default_value = "10000",
     .effect = kYes,
     .help = "How long a POST may take, to the end of its answer",
     .set = NumberOf<&Config::http, &HttpOptions::timeout_ms>,
     .min = 1,
     .max = 600'000,
     .origin = kOurs},
    {.path = "http_output.batch_max",
     .type = kInteger,
     .default_value = "1",
     .effect = kYes,
     .help = "Alerts in one POST; 1: a JSON object, Falco's form; more: an array",
     .set = NumberOf<&Config::http, &HttpOptions::batch_max>,
     .min = 1,
     .max = 10'000,
     .origin = kOurs},
    {.path = "http_output.parallel",
     .type = kInteger,
     .default_value = "1",
     .effect = kYes,
     .help = "POSTs at a time; with more than one, alerts may arrive out of order",
     .set = NumberOf<&Config::http, &HttpOptions::parallel>,
     .min = 1,
     .max = 64,
     .origin = kOurs},
    {"grpc_output.enabled", kBool, "false", kNotYet, "Alerts by gRPC"},
    {"grpc.enabled", kBool, "false", kNotYet, "Alerts by gRPC"},
    {"grpc.bind_address", kText, "unix:///run/falco/falco.sock", kNotYet, "Alerts by gRPC"},
    {"grpc.threadiness",
     kInteger,
     "0",
     kNotYet,
     "Alerts by gRPC",
     nullptr,
     nullptr,
     {},
     0,
     kMaxU32},

    // The store: what outputs could not take yet, and the history (docs/delivery.md).
    {.path = "store.enabled",
     .type = kBool,
     .default_value = "true",
     .effect = kYes,
     .help = "Keep alerts in a database before they go to the outputs (`replay`: false)",
     .set = Bool<&Config::store_enabled>,
     .origin = kOurs},
    {.path = "store.path",
     .type = kText,
     .default_value = "",
     .effect = kYes,
     .help = "That database; empty: $STATE_DIRECTORY/alerts.db, else "
             "/var/lib/gyrfalcon/alerts.db, or in $XDG_STATE_HOME/gyrfalcon for other users "
             "than root",
     .set = Text<&Config::store_path>,
     .origin = kOurs},
    {.path = "store.max_bytes",
     .type = kInteger,
     .default_value = "268435456",
     .effect = kYes,
     .help = "Bytes of alerts that are kept; the file is larger, by a fifth or so and by a log of "
             "up to 64 MiB",
     .set = Number<&Config::store_bytes_max>,
     .min = 1'048'576,
     .max = 1e15,
     .origin = kOurs},
    {.path = "store.max_age_hours",
     .type = kInteger,
     .default_value = "168",
     .effect = kYes,
     .help = "How long they are kept",
     .set = Number<&Config::store_age_hours>,
     .min = 1,
     .max = 1'000'000,
     .origin = kOurs},
    {.path = "store.sandbox_share_percent",
     .type = kInteger,
     .default_value = "25",
     .effect = kYes,
     .help = "When the store is full, sandboxes that have more of it than this lose their oldest "
             "alerts first",
     .set = Number<&Config::store_share_percent>,
     .min = 1,
     .max = 100,
     .origin = kOurs},
    {.path = "store.sync",
     .type = kText,
     .default_value = "interval",
     .effect = kYes,
     .help = "interval: a power cut loses what came in the last store.sync_interval_ms; commit: "
             "nothing, and each alert waits for the disk",
     .set = StoreSync,
     .choices = "interval|commit",
     .origin = kOurs},
    {.path = "store.sync_interval_ms",
     .type = kInteger,
     .default_value = "1000",
     .effect = kYes,
     .help = "How often what is in the store is synced to the disk",
     .set = Number<&Config::store_sync_interval_ms>,
     .min = 10,
     .max = 3'600'000,
     .origin = kOurs},

    // The program's own log and figures.
    {"log_stderr", kBool, "true", kYes,
     "The log on standard error; errors that end it stand there always", Bool<&Config::log_stderr>},
    {.path = "log_syslog",
     .type = kBool,
     .default_value = "false",
     .effect = kNotYet,
     .help = "The log to syslog",
     .harmless = "false"},
    {.path = "log_level",
     .type = kText,
     .default_value = "info",
     .effect = kYes,
     .help = "emergency to error: errors only; notice is info",
     .set = Text<&Config::log_level>,
     .choices = kLogLevels},
    {"libs_logger.enabled", kBool, "true", kNone, "Falco's libraries are not in here"},
    {.path = "libs_logger.severity",
     .type = kText,
     .default_value = "info",
     .effect = kNone,
     .help = "Falco's libraries are not in here",
     .choices = "fatal|critical|error|warning|notice|info|debug|trace"},
    {.path = "log_format",
     .type = kText,
     .default_value = "text",
     .effect = kYes,
     .help = "json: each line of the log is an object with time, level and message; errors that "
             "end the program stay text",
     .set = [](const YamlNode& node, Config& config) { config.log_json = node.scalar == "json"; },
     .choices = "text|json",
     .origin = kOurs},
    {"webserver.enabled", kBool, "false", kYes,
     "Health, versions and metrics by HTTP (docs/operating.md); read at the start only, as all "
     "below webserver",
     Bool<&Config::web_enabled>},
    {"webserver.threadiness",
     kInteger,
     "0",
     kYes,
     "Threads that make answers, 16 at most; 0: one. One more speaks with all clients",
     SetWebThreads,
     nullptr,
     {},
     0,
     kMaxU32},
    {"webserver.listen_port",
     kInteger,
     "8765",
     kYes,
     "Its port; 0: any that is free, which the log tells",
     SetWebPort,
     nullptr,
     {},
     0,
     65535},
    {"webserver.listen_address", kText, "127.0.0.1", kYes,
     "The address that it listens on, IPv4 or IPv6; whoever can reach it is answered",
     TextOf<&Config::web, &WebServerOptions::address>, CheckIpAddress},
    {"webserver.k8s_healthz_endpoint", kText, "/healthz", kYes, "The path of the health check",
     TextOf<&Config::web_pages, &WebPagesOptions::healthz_path>, CheckHealthzPath},
    {"webserver.prometheus_metrics_enabled", kBool, "true", kYes,
     "Serve /metrics too; Falco's default is false",
     BoolOf<&Config::web_pages, &WebPagesOptions::metrics>},
    {"webserver.ssl_enabled", kBool, "false", kYes, "TLS", Bool<&Config::web_tls>},
    {"webserver.ssl_certificate", kText, "/etc/falco/falco.pem", kYes,
     "For it: one PEM file with certificate and private key", Text<&Config::web_certificate>},
    {"metrics.enabled", kBool, "false", kYes,
     "Falco's periodic snapshots of what is counted; read at the start only, as all below metrics",
     BoolOf<&Config::metrics, &MetricsSnapshotOptions::enabled>},
    {"metrics.interval", kText, "1h", kYes, "How often: 30s, 15m, 1h30m; 100ms at least",
     SetMetricsInterval, CheckMetricsInterval},
    {"metrics.output_rule", kBool, "true", kYes,
     "As an alert of the rule `Falco internal: metrics snapshot`, priority informational",
     BoolOf<&Config::metrics, &MetricsSnapshotOptions::output_rule>},
    {"metrics.output_file", kText, "", kYes, "To this file, a line of JSON each",
     TextOf<&Config::metrics, &MetricsSnapshotOptions::output_file>},
    {"metrics.rules_counters_enabled", kBool, "true", kYes, "With the alerts of each rule",
     BoolOf<&Config::metrics, &MetricsSnapshotOptions::rules_counters>},
    {"metrics.resource_utilization_enabled", kBool, "true", kYes,
     "With processor and memory of this process",
     BoolOf<&Config::metrics, &MetricsSnapshotOptions::resource_utilization>},
    {"metrics.state_counters_enabled", kBool, "true", kYes, "With every counter of `status`",
     BoolOf<&Config::metrics, &MetricsSnapshotOptions::state_counters>},
    {"metrics.kernel_event_counters_enabled", kBool, "true", kYes,
     "With what sandboxes sent and dropped, under the names of Falco's kernel events",
     BoolOf<&Config::metrics, &MetricsSnapshotOptions::kernel_event_counters>},
    {.path = "metrics.kernel_event_counters_per_cpu_enabled",
     .type = kBool,
     .default_value = "false",
     .effect = kNone,
     .help = "Kernel drivers do not exist here",
     .harmless = "false"},
    {"metrics.libbpf_stats_enabled", kBool, "true", kNone, "Kernel drivers do not exist here"},
    {"metrics.plugins_metrics_enabled", kBool, "true", kNone, "There are no plugins"},
    {.path = "metrics.jemalloc_stats_enabled",
     .type = kBool,
     .default_value = "false",
     .effect = kNone,
     .help = "Another allocator is used",
     .harmless = "false"},
    {"metrics.convert_memory_to_mb", kBool, "true", kYes, "Memory in MB instead of KB",
     BoolOf<&Config::metrics, &MetricsSnapshotOptions::convert_memory_to_mb>},
    {"metrics.include_empty_values", kBool, "false", kYes, "With counters that are 0",
     BoolOf<&Config::metrics, &MetricsSnapshotOptions::include_empty_values>},

    // The kernel side.
    {"syscall_event_timeouts.max_consecutives",
     kInteger,
     "1000",
     kNone,
     "Sandboxes that are silent are not an error",
     nullptr,
     nullptr,
     {},
     1,
     kMaxU32},
    {.path = "syscall_event_drops.threshold",
     .type = kNumber,
     .default_value = "0.1",
     .effect = kNone,
     .help = "What sandboxes drop is counted in `gyrfalcon status` and told by `gyrfalcon: events "
             "lost`",
     .check = CheckDropThreshold},
    {.path = "syscall_event_drops.actions",
     .type = kTexts,
     .default_value = "[]",
     .effect = kNone,
     .help = "What sandboxes drop is counted in `gyrfalcon status` and told by `gyrfalcon: events "
             "lost`",
     .check = CheckDropActions,
     .choices = "ignore|log|alert|exit"},
    {"syscall_event_drops.rate", kNumber, "0.03333", kNone,
     "What sandboxes drop is counted in `gyrfalcon status` and told by `gyrfalcon: events lost`"},
    {"syscall_event_drops.max_burst", kNumber, "1", kNone,
     "What sandboxes drop is counted in `gyrfalcon status` and told by `gyrfalcon: events lost`"},
    {"syscall_event_drops.simulate_drops", kBool, "false", kNone,
     "What sandboxes drop is counted in `gyrfalcon status` and told by `gyrfalcon: events lost`"},
    {"base_syscalls.custom_set", kTexts, "[]", kNone,
     "The session config says which points a sandbox sends: `gyrfalcon session generate`"},
    {"base_syscalls.repair", kBool, "false", kNone,
     "The session config says which points a sandbox sends: `gyrfalcon session generate`"},
    {"base_syscalls.all", kBool, "false", kNone,
     "The session config says which points a sandbox sends: `gyrfalcon session generate`"},
    {"falco_libs.thread_table_size",
     kInteger,
     "262144",
     kNone,
     "Falco's libraries are not in here",
     nullptr,
     nullptr,
     {},
     0,
     kMaxU32},
    {"falco_libs.thread_table_auto_purging_interval_s",
     kInteger,
     "300",
     kNone,
     "Falco's libraries are not in here",
     nullptr,
     nullptr,
     {},
     0,
     kMaxU32},
    {"falco_libs.thread_table_auto_purging_thread_timeout_s",
     kInteger,
     "300",
     kNone,
     "Falco's libraries are not in here",
     nullptr,
     nullptr,
     {},
     0,
     kMaxU32},
    {"falco_libs.snaplen",
     kInteger,
     "80",
     kNone,
     "Falco's libraries are not in here",
     nullptr,
     nullptr,
     {},
     0,
     kMaxU32},
    {"capture.enabled", kBool, "false", kNone, "`gyrfalcon capture` records sandboxes"},
    {"capture.path_prefix", kText, "/tmp/falco", kNone, "`gyrfalcon capture` records sandboxes"},
    {.path = "capture.mode",
     .type = kText,
     .default_value = "rules",
     .effect = kNone,
     .help = "`gyrfalcon capture` records sandboxes",
     .choices = "rules|all_rules"},
    {"capture.default_duration",
     kInteger,
     "5000",
     kNone,
     "`gyrfalcon capture` records sandboxes",
     nullptr,
     nullptr,
     {},
     0,
     kMaxU32},
};

// `path` and what stands below it: "a" has "a.b" and "a[].b".
bool IsBelow(std::string_view path, std::string_view above) {
  if (above.empty()) return true;
  return path.size() > above.size() && path.starts_with(above) &&
         (path[above.size()] == '.' || path[above.size()] == '[');
}

template <size_t index>
void SetLimit(const YamlNode& node, Config& config) {
  LimitRows()[index].in(config.limits) = std::strtoull(node.scalar.c_str(), nullptr, 10);
}

template <size_t... index>
constexpr auto LimitSetters(std::index_sequence<index...> /*all*/) {
  return std::array{&SetLimit<index>...};
}

// The rows above, and one for each limit that can be changed.
struct AllKeys {
  std::vector<ConfigKey> keys{std::begin(kKeys), std::end(kKeys)};
  std::deque<std::string> texts;  // that the keys of limits view

  AllKeys() {
    constexpr auto kSetters = LimitSetters(std::make_index_sequence<kConfigurableLimits>());
    const auto before = std::ranges::find(keys, "load_plugins", &ConfigKey::path) - keys.begin();
    for (size_t i = 0; i < kConfigurableLimits; ++i) {
      const LimitRow& row = LimitRows()[i];
      keys.insert(keys.begin() + before + static_cast<std::ptrdiff_t>(i),
                  {.path = texts.emplace_back("limits." + std::string(row.name)),
                   .type = kInteger,
                   .default_value = texts.emplace_back(std::to_string(row.default_value())),
                   .effect = kYes,
                   .help = row.what,
                   .set = kSetters[i],
                   .min = static_cast<double>(row.min),
                   .max = static_cast<double>(row.max),
                   .origin = kOurs});
    }
  }
};

}  // namespace

std::span<const ConfigKey> ConfigKeys() {
  static const AllKeys all;
  return all.keys;
}

const ConfigKey* FindConfigKey(std::string_view path) {
  const auto found = std::ranges::find(ConfigKeys(), path, &ConfigKey::path);
  return found == ConfigKeys().end() ? nullptr : &*found;
}

bool IsConfigMapping(std::string_view path) {
  return FindConfigKey(path) == nullptr &&
         std::ranges::any_of(ConfigKeys(),
                             [path](const ConfigKey& key) { return IsBelow(key.path, path); });
}

std::vector<std::string_view> ConfigNamesBelow(std::string_view path) {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : ConfigKeys()) {
    if (!IsBelow(key.path, path)) continue;
    std::string_view name = key.path.substr(path.empty() ? 0 : path.size() + 1);
    name = name.substr(0, name.find_first_of(".["));
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

bool IsWithoutEffect(std::string_view path, ConfigEffect& effect) {
  bool first = true;
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.path != path && !IsBelow(key.path, path)) continue;
    if (key.effect == ConfigEffect::kHonoured || (!first && key.effect != effect)) return false;
    effect = key.effect;
    first = false;
  }
  return !first;
}

std::string ConfigPath(std::string_view path, std::string_view name) {
  return path.empty() ? std::string(name) : std::string(path) + "." + std::string(name);
}

}  // namespace gyrfalcon
