#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/config_schema.h"
#include "cli/daemon.h"
#include "cli/daemon_log.h"
#include "cli/describe_rules.h"
#include "cli/falco_flags.h"
#include "cli/listings.h"
#include "cli/load_rules.h"
#include "cli/log.h"
#include "rules/plan.h"
#include "service/instance.h"

namespace gyrfalcon {
namespace {

// What is printed instead of a start.
struct ShowFlags {
  std::string generate_socket;
  std::vector<std::string> validate;
  std::string describe_rule;
  std::string list_source;
  bool describe_all = false;
  bool list_events = false;
  bool list_syscall_events = false;
  bool list_ignored = false;
  bool names_only = false;
  bool markdown = false;
  bool rule_schema = false;
  bool support = false;
  bool version = false;
  bool dry_run = false;
  bool config_schema = false;
};

void AddDaemonFlags(CLI::App& app, DaemonFlags& flags, ShowFlags& show) {
  AddRulesFlags(app, flags.rules);
  app.add_option("-g,--gvisor-config", flags.session_file,
                 "Session config that runsc has as --pod-init-config; its endpoint is where to "
                 "listen")
      ->type_name("FILE");
  app.add_option("--gvisor-root", flags.runsc_root,
                 "runsc's root folder: a sandbox that runs there and is not traced is told")
      ->type_name("FOLDER");
  app.add_flag("--takeover-sessions", flags.takeover_sessions,
               "Attach also sandboxes that somebody else traces, whose session ends by that");
  app.add_flag("--detach-at-stop", flags.detach_at_stop,
               "At the end, end the sessions of the sandboxes that are connected");
  app.add_option("--gvisor-generate-config", show.generate_socket,
                 "Print a session config for this socket and exit")
      ->option_text("[=SOCKET]")
      ->expected(0, 1);
  app.add_option("-V,--validate", show.validate, "Check these rules files and exit")
      ->type_name("FILE|FOLDER");
  app.add_flag("-L", show.describe_all, "Describe all rules and exit");
  app.add_option("-l", show.describe_rule, "Describe one rule and exit")->type_name("RULE");
  app.add_option("--list", show.list_source, "List the fields that rules can ask and exit")
      ->option_text("[=SOURCE]")
      ->expected(0, 1);
  app.add_flag("--list-events", show.list_events, "List the event types and exit");
  app.add_flag("--list-syscall-events", show.list_syscall_events,
               "List those that are system calls and exit");
  app.add_flag("-i", show.list_ignored, "List the system calls that gVisor tells nothing of");
  app.add_flag("-N", show.names_only, "With a --list flag: names only");
  app.add_flag("--markdown", show.markdown, "With a --list flag: as markdown");
  app.add_flag("--rule-schema", show.rule_schema, "Print the JSON schema of rules files and exit");
  app.add_flag("--support", show.support, "Print what a report of a bug needs, as JSON, and exit");
  app.add_flag("--version", show.version, "Print the version and exit");
  app.add_option("-M", flags.seconds, "Stop after so many seconds; 0: never")
      ->option_text("SECONDS")
      ->check(CLI::NonNegativeNumber);
  app.add_option("-P,--pidfile", flags.pid_file, "Write the process id to this file")
      ->type_name("FILE");
  app.add_flag("-U,--unbuffered", flags.unbuffered, "Flush each alert at once (the default)");
  app.add_flag("-v", flags.verbose, "Log more");
  app.add_flag("--takeover", flags.takeover,
               "Take sandboxes and socket over from the gyrfalcon that listens there, if one does");
  app.add_option("--instance", flags.instance,
                 "With --takeover: a name that outlives this process, such as a pod's uid. Take "
                 "over only from instances that appeared earlier, and stand by while a newer one "
                 "listens")
      ->type_name("NAME")
      ->check([](const std::string& name) {
        return IsInstanceName(name) ? std::string()
                                    : "1 to 128 letters, digits, '.', '_' or '-' make a name";
      });
  app.add_flag("--dry-run", show.dry_run, "Check config and rules and exit");
  app.add_flag("--config-schema", show.config_schema, "Print a JSON schema of the config and exit");
}

// All of a start that can be tried without taking the socket.
int DryRun(const Config& config, const std::string& socket_path) {
  const auto rules = LoadRules(config.rules_files, config.rules);
  if (!rules) return Report(rules.error());
  LogRules(*rules);
  if (const auto session = KeptSessionOf(config, socket_path, *rules->rules); !session) {
    return Report(session.error());
  }
  if (const auto outputs = CheckOutputs(config); !outputs) return Report(outputs.error());
  if (const auto served = CheckServing(config); !served) return Report(served.error());
  fmt::print("config and rules are valid: {} rules, {} of them enabled; the socket would be {}\n",
             rules->rules->rules().size(), CountEnabled(*rules->rules), socket_path);
  return kExitOk;
}

int RunToTheEnd(LoadedConfig loaded, const DaemonFlags& flags, bool is_dry) {
  for (;;) {
    SetUpLog(loaded.config);
    for (const std::string& warning : loaded.warnings) spdlog::warn("{}", warning);
    const auto socket_path = DaemonSocketPath(loaded.config);
    if (!socket_path) return Report(socket_path.error());
    if (is_dry) return DryRun(loaded.config, *socket_path);
    if (const auto code = Daemon(std::move(loaded), *socket_path, flags).Run()) return *code;
    // It has stood by, for who knows how long.
    auto again = ReadDaemonConfig(flags);
    if (!again) return Report(again.error());
    if (const auto required = RequireRules(flags.rules, *again); !required) {
      return Report(required.error());
    }
    loaded = std::move(*again);
  }
}

// Flags that only change a listing would else start the daemon on the default socket.
std::optional<Error> FindIdleFlag(const CLI::App& app, const DaemonFlags& flags,
                                  const ShowFlags& show) {
  const bool lists = app.count("--list") != 0 || show.list_events || show.list_syscall_events;
  if ((show.names_only || show.markdown) && !lists) {
    return Error{"-N and --markdown go with --list, --list-events or --list-syscall-events",
                 Fault::kUsage};
  }
  if (!flags.instance.empty() && !flags.takeover) {
    return Error{"--instance goes with --takeover", Fault::kUsage};
  }
  if (app.count("-l") != 0 && show.describe_rule.empty()) {
    return Error{"-l: expected the name of a rule; -L describes all", Fault::kUsage};
  }
  return std::nullopt;
}

}  // namespace

int RunDaemon(std::vector<std::string> args) {
  const auto app = MakeApp("run");
  app->footer(fmt::format(
      "By default: the config is {} where it is there, the rules are those of {} where some are "
      "there, else the built-in ones, and the socket is {}.\n\n{}",
      kDefaultConfigFile, kDefaultRulesFolder, DefaultSocketPath(), app->get_footer()));
  DaemonFlags flags;
  ShowFlags show;
  AddDaemonFlags(*app, flags, show);
  if (const auto refused = FindRefusedFlag(args)) return Report(*refused);
  const std::vector<std::string> words = args;
  if (const auto code = Parse(*app, std::move(args))) return *code;
  if (const auto idle = FindIdleFlag(*app, flags, show)) return Report(*idle);

  if (show.config_schema) {
    fmt::print("{}\n", ConfigSchemaJson());
    return kExitOk;
  }
  const auto loaded = ReadDaemonConfig(flags);
  if (!loaded) return Report(loaded.error());
  const Config& config = loaded->config;

  const ListingOptions listing{show.names_only, show.markdown, flags.verbose};
  if (show.version) return PrintVersion(config.format.json_output);
  if (show.rule_schema) return PrintRuleSchema();
  if (show.support) return PrintSupport(words, flags.rules.config_file, config);
  if (!show.validate.empty()) {
    return PrintRulesVerdict(show.validate, config, {show.describe_all, show.describe_rule});
  }
  if (app->count("--list") != 0) return ListFields(show.list_source, listing);
  if (show.list_events || show.list_syscall_events) {
    return ListEvents(!show.list_events, listing);
  }
  if (show.list_ignored) return ListIgnoredSyscalls();
  if (const auto required = RequireRules(flags.rules, *loaded); !required) {
    return Report(required.error());
  }
  if (show.describe_all) return DescribeRules("", config);
  if (!show.describe_rule.empty()) return DescribeRules(show.describe_rule, config);
  if (app->count("--gvisor-generate-config") != 0) {
    if (!show.generate_socket.empty()) return PrintSession(show.generate_socket, config);
    // Where `run` would listen; the session that it reads may be the one to be made.
    const auto endpoint = SocketPathOf(config);
    return PrintSession(endpoint ? *endpoint : DefaultSocketPath(), config);
  }
  return RunToTheEnd(*loaded, flags, show.dry_run);
}

}  // namespace gyrfalcon
