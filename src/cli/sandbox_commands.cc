// `session list`, `session attach` and `session detach`: sandboxes that run, and who traces them.
#include <algorithm>
#include <csignal>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/attach_session.h"
#include "cli/daemon_config.h"
#include "cli/docker_daemon.h"
#include "cli/file.h"
#include "cli/progress.h"
#include "cli/run_flags.h"
#include "engine/sandbox_sessions.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;

struct SandboxFlags {
  std::string config_file;
  std::vector<std::string> roots;
  std::string runsc;
  std::string session_file;
  std::vector<std::string> ids;
  bool update = false;
  bool json = false;
};

void AddSandboxFlags(CLI::App& app, SandboxFlags& flags) {
  app.add_option("--root", flags.roots,
                 "runsc's root folder; may be given again (default: the config's gvisor.root and "
                 ".roots, and "
                 "those of Docker, containerd and runsc itself that are there)")
      ->allow_extra_args(false);
  app.add_option("--runsc", flags.runsc,
                 "The runsc to call (default: the config's; with its default, for each sandbox the "
                 "one that runs it, where root alone can change it)");
  app.add_option(
      "-g,--gvisor-config", flags.session_file,
      fmt::format("The session config (default: the config's, or {})", kDefaultSessionFile));
  app.add_option(
      "-c,--config", flags.config_file,
      fmt::format("The daemon's config (default: {} where it is there)", kDefaultConfigFile));
  app.add_flag("--json", flags.json, "Print JSON");
}

// What the daemon goes by: its config and its files below /etc/gyrfalcon.
Result<Config> ReadSandboxConfig(const SandboxFlags& flags) {
  std::string file = flags.config_file;
  if (file.empty()) file = DefaultIfThere(kDefaultConfigFile);
  auto loaded = LoadConfig({file, {}});
  if (!loaded) return std::unexpected(loaded.error());
  Config& config = loaded->config;
  if (!flags.session_file.empty()) config.session_file = flags.session_file;
  if (config.session_file.empty()) {
    config.session_file = DefaultSessionFile();
  }
  if (!flags.runsc.empty()) config.runsc_path = flags.runsc;
  if (config.runsc_path.empty()) {
    return Fail(Fault::kUsage, "gvisor.runsc is empty in the config: name a runsc, --runsc BINARY");
  }
  return config;
}

Result<SandboxesAsked> WhomToAsk(const SandboxFlags& flags, const Config& config,
                                 const std::string& socket_path) {
  // Inherited from whoever ignores it, its children would be nobody's to wait for.
  std::signal(SIGCHLD, SIG_DFL);
  SandboxesAsked asked;
  std::error_code error;
  for (const std::string& root : flags.roots) {
    if (std::filesystem::is_directory(root, error)) continue;
    return Fail(Fault::kEnvironment,
                root + ": no such folder; runsc's --root, as in its command line");
  }
  const auto docker = flags.roots.empty() ? FindDockerDaemon(DockerSocket()) : std::nullopt;
  asked.roots = RootsToAsk(flags.roots, config, docker);
  if (asked.roots.empty()) {
    return Fail(Fault::kUsage, "no root of runsc is known: name one, --root DIR");
  }
  asked.runsc = config.runsc_path;
  asked.prefer_own_runsc = config.runsc_path == Config().runsc_path;
  asked.socket_path = AbsolutePath(socket_path);
  return asked;
}

// Errors where no root at all could be listed; else says of those that could not.
Result<TracedSandboxes> LookAt(SandboxesAsked& asked) {
  Progress progress;
  asked.progress = [&progress](size_t done, size_t count) {
    progress.Show(fmt::format("{} of {} sandboxes", done, count));
  };
  TracedSandboxes found = LookAtSandboxes(asked);
  asked.progress = {};
  if (found.problems.size() == asked.roots.size()) return std::unexpected(found.problems.front());
  for (const Error& problem : found.problems) Report(problem);
  return found;
}

// The ones that are named, by id or the beginning of one; all where none is. Names that fit none
// or several are told.
std::vector<TracedSandbox> Choose(const TracedSandboxes& found, const std::vector<std::string>& ids,
                                  bool& all_found) {
  if (ids.empty()) return found.sandboxes;
  std::vector<TracedSandbox> chosen;
  for (const std::string& id : ids) {
    std::vector<const TracedSandbox*> fits;
    for (const TracedSandbox& sandbox : found.sandboxes) {
      if (!id.empty() && sandbox.id.starts_with(id)) fits.push_back(&sandbox);
    }
    const auto exact = std::ranges::find(fits, id, &TracedSandbox::id);
    if (std::ranges::count(fits, id, &TracedSandbox::id) == 1) fits = {*exact};
    if (fits.size() == 1) {
      chosen.push_back(*fits.front());
      continue;
    }
    all_found = false;
    Report({fits.empty()
                ? fmt::format("no sandbox that runs is called `{}`: `gyrfalcon session list`", id)
                : fmt::format("`{}` is the beginning of {} sandboxes, or of one below several "
                              "roots: give more of it, or --root",
                              id, fits.size()),
            Fault::kInput});
  }
  return chosen;
}

Json ListJson(const TracedSandboxes& found) {
  Json rows = Json::array();
  for (const TracedSandbox& sandbox : found.sandboxes) {
    Json row;
    row["sandbox"] = sandbox.id;
    row["root"] = sandbox.call.root;
    row["runsc"] = sandbox.call.program;
    row["pid"] = sandbox.pid;
    row["traced_by"] = Name(sandbox.tracing);
    row["endpoints"] = sandbox.endpoints;
    row["dropped"] = sandbox.dropped ? Json(*sandbox.dropped) : Json();
    if (!sandbox.problem.empty()) row["problem"] = sandbox.problem;
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string JoinedEndpoints(const TracedSandbox& sandbox) {
  std::string text;
  for (const std::string& endpoint : sandbox.endpoints) {
    text += (text.empty() ? "" : ",") + endpoint;
  }
  return text.empty() ? "-" : text;
}

void PrintList(const TracedSandboxes& found) {
  size_t width = std::string_view("SANDBOX").size();
  for (const TracedSandbox& sandbox : found.sandboxes) width = std::max(width, sandbox.id.size());
  fmt::print("{:<{}}  {:<9}  {:>7}  {}\n", "SANDBOX", width, "TRACED BY", "DROPPED",
             "ENDPOINT, ROOT");
  for (const TracedSandbox& sandbox : found.sandboxes) {
    fmt::print("{:<{}}  {:<9}  {:>7}  {} {}\n", Printable(sandbox.id), width, Name(sandbox.tracing),
               sandbox.dropped ? std::to_string(*sandbox.dropped) : "-", JoinedEndpoints(sandbox),
               sandbox.call.root);
  }
}

double Ms(int64_t ns) {
  constexpr double kNsPerMs = 1e6;
  return static_cast<double>(ns) / kNsPerMs;
}

struct Tally {
  size_t attached = 0, updated = 0, detached = 0, left_alone = 0, failed = 0;
};

struct LeftAlone {
  const TracedSandbox* sandbox;
  std::string reason;
  bool is_fault;  // it was asked for, and is not as it was to be
};

Tally Count(const std::vector<AttachReport>& reports, const std::vector<LeftAlone>& left) {
  Tally tally;
  for (const AttachReport& report : reports) {
    tally.attached += report.result == AttachResult::kAttached ? 1 : 0;
    tally.updated += report.result == AttachResult::kUpdated ? 1 : 0;
    tally.detached += report.result == AttachResult::kDetached ? 1 : 0;
    tally.failed += report.result == AttachResult::kFailed ? 1 : 0;
  }
  for (const LeftAlone& one : left) ++(one.is_fault ? tally.failed : tally.left_alone);
  return tally;
}

std::string CostOf(const AttachReport& report) {
  std::string cost;
  if (report.dropped_before) cost += fmt::format("; {} dropped before", *report.dropped_before);
  if (report.window_ns != 0) {
    cost += fmt::format("; nothing was sent for at most {:.1f} ms", Ms(report.window_ns));
  }
  return cost;
}

void PrintReports(const std::vector<AttachReport>& reports, const std::vector<LeftAlone>& left,
                  const Tally& tally) {
  for (const AttachReport& report : reports) {
    if (report.result == AttachResult::kFailed) {
      Report({report.problem, Fault::kInput});
    } else {
      fmt::print("{}: {}{}\n", report.id, Name(report.result), CostOf(report));
    }
  }
  for (const LeftAlone& one : left) {
    fmt::print(stderr, "gyrfalcon: sandbox {} below {} is left alone: {}\n", one.sandbox->id,
               one.sandbox->call.root, one.reason);
  }
  const AttachLoss loss = LossOf(reports);
  fmt::print("{} attached, {} updated, {} detached, {} left alone, {} failed", tally.attached,
             tally.updated, tally.detached, tally.left_alone, tally.failed);
  if (tally.updated != 0) {
    fmt::print("; {} dropped before; window at most {:.1f} ms, of one at most {:.1f} ms",
               loss.dropped_before, Ms(loss.window_ns), Ms(loss.window_longest_ns));
  }
  fmt::print("\n");
}

void PrintReportsJson(const std::vector<AttachReport>& reports, const std::vector<LeftAlone>& left,
                      const Tally& tally) {
  Json rows = Json::array();
  for (const AttachReport& report : reports) {
    Json row;
    row["sandbox"] = report.id;
    row["root"] = report.root;
    row["result"] = Name(report.result);
    row["dropped_before"] = report.dropped_before ? Json(*report.dropped_before) : Json();
    row["window_ms"] = Ms(report.window_ns);
    if (report.session_lost) row["session_lost"] = true;
    if (!report.problem.empty()) row["problem"] = report.problem;
    rows.push_back(std::move(row));
  }
  for (const LeftAlone& one : left) {
    Json row;
    row["sandbox"] = one.sandbox->id;
    row["root"] = one.sandbox->call.root;
    row["result"] = one.is_fault ? "failed" : "left alone";
    row["traced_by"] = Name(one.sandbox->tracing);
    row["endpoints"] = one.sandbox->endpoints;
    row["problem"] = one.reason;
    rows.push_back(std::move(row));
  }
  const AttachLoss loss = LossOf(reports);
  Json out;
  out["sandboxes"] = std::move(rows);
  out["total"] = {
      {"attached", tally.attached},      {"updated", tally.updated},
      {"detached", tally.detached},      {"left_alone", tally.left_alone},
      {"failed", tally.failed},          {"dropped_before", loss.dropped_before},
      {"window_ms", Ms(loss.window_ns)}, {"window_longest_ms", Ms(loss.window_longest_ns)}};
  fmt::print("{}\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

int Tell(const SandboxFlags& flags, const std::vector<AttachReport>& reports,
         const std::vector<LeftAlone>& left, bool complete) {
  const Tally tally = Count(reports, left);
  (flags.json ? PrintReportsJson : PrintReports)(reports, left, tally);
  return tally.failed == 0 && complete ? kExitOk : kExitNotWell;
}

std::string OthersReason(const TracedSandbox& sandbox) {
  return fmt::format("somebody else traces it, at {}; `runsc trace create --force` would take it",
                     JoinedEndpoints(sandbox));
}

struct Chosen {
  std::vector<TracedSandbox> wanted;
  std::vector<LeftAlone> left;
};

Chosen ChooseToAttach(const SandboxFlags& flags, const std::vector<TracedSandbox>& named) {
  Chosen chosen;
  const bool by_name = !flags.ids.empty();
  for (const TracedSandbox& sandbox : named) {
    switch (sandbox.tracing) {
      case Tracing::kNone:
      case Tracing::kNobody:
        chosen.wanted.push_back(sandbox);
        break;
      case Tracing::kOurs:
        if (flags.update) {
          chosen.wanted.push_back(sandbox);
        } else {
          chosen.left.push_back(
              {&sandbox, "gyrfalcon traces it already; --update gives it this session", false});
        }
        break;
      case Tracing::kOther:
        chosen.left.push_back({&sandbox, OthersReason(sandbox), by_name});
        break;
      case Tracing::kUnknown:
        chosen.left.push_back({&sandbox, sandbox.problem, true});
        break;
    }
  }
  return chosen;
}

Chosen ChooseToDetach(const SandboxFlags& flags, const std::vector<TracedSandbox>& named) {
  Chosen chosen;
  const bool by_name = !flags.ids.empty();
  for (const TracedSandbox& sandbox : named) {
    const bool is_nobodys = sandbox.tracing == Tracing::kNobody;
    if (sandbox.tracing == Tracing::kOurs || (by_name && is_nobodys)) {
      chosen.wanted.push_back(sandbox);
    } else if (sandbox.tracing == Tracing::kUnknown) {
      chosen.left.push_back({&sandbox, sandbox.problem, true});
    } else if (sandbox.tracing == Tracing::kOther) {
      chosen.left.push_back(
          {&sandbox, "somebody else traces it, at " + JoinedEndpoints(sandbox), by_name});
    } else if (by_name) {
      chosen.left.push_back({&sandbox, "it is not traced", false});
    }
  }
  return chosen;
}

using Change = std::vector<AttachReport> (*)(const SandboxesAsked&,
                                             const std::vector<TracedSandbox>&, const std::string&);

// Looks, chooses, changes, tells.
int ChangeSessions(const SandboxFlags& flags, SandboxesAsked asked, const std::string& session_file,
                   Chosen (*choose)(const SandboxFlags&, const std::vector<TracedSandbox>&),
                   Change change) {
  const auto found = LookAt(asked);
  if (!found) return Report(found.error());
  bool complete = found->problems.empty();
  const std::vector<TracedSandbox> named = Choose(*found, flags.ids, complete);
  const Chosen chosen = choose(flags, named);
  std::vector<AttachReport> reports;
  {
    Progress progress;
    asked.progress = [&progress](size_t done, size_t count) {
      progress.Show(fmt::format("{} of {} sandboxes", done, count));
    };
    reports = change(asked, chosen.wanted, session_file);
  }
  return Tell(flags, reports, chosen.left, complete);
}

std::string NoSessionConfig(const std::string& socket_path) {
  const std::string daemons = DefaultIfThere(AttachSessionFile(socket_path));
  return "no session config: name one, -g FILE; " +
         (daemons.empty() ? "`gyrfalcon session generate > FILE` makes one"
                          : "the daemon's own is " + daemons +
                                ", and `gyrfalcon session generate > FILE` makes another");
}

}  // namespace

int ListSandboxSessions(std::vector<std::string> args) {
  const auto app = MakeApp("session list");
  SandboxFlags flags;
  AddSandboxFlags(*app, flags);
  if (const auto code = Parse(*app, std::move(args))) return *code;
  const auto config = ReadSandboxConfig(flags);
  if (!config) return Report(config.error());
  const auto socket_path = SocketPathOf(*config);
  if (!socket_path) return Report(socket_path.error());
  auto asked = WhomToAsk(flags, *config, *socket_path);
  if (!asked) return Report(asked.error());
  const auto found = LookAt(*asked);
  if (!found) return Report(found.error());
  if (flags.json) {
    Json out;
    out["socket"] = asked->socket_path;
    out["sandboxes"] = ListJson(*found);
    fmt::print("{}\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    PrintList(*found);
  }
  bool complete = found->problems.empty();
  for (const TracedSandbox& sandbox : found->sandboxes) {
    if (sandbox.problem.empty()) continue;
    complete = false;
    if (!flags.json) Report({sandbox.problem, Fault::kInput});
  }
  return complete ? kExitOk : kExitNotWell;
}

int AttachSandboxes(std::vector<std::string> args) {
  const auto app = MakeApp("session attach");
  SandboxFlags flags;
  AddSandboxFlags(*app, flags);
  app->add_option("ID", flags.ids, "Sandboxes, by id or its beginning (default: all that run)");
  app->add_flag("--update", flags.update,
                "Also those that gyrfalcon traces: the session config takes the place of theirs");
  if (const auto code = Parse(*app, std::move(args))) return *code;
  const auto config = ReadSandboxConfig(flags);
  if (!config) return Report(config.error());
  if (config->session_file.empty()) {
    const auto socket = SocketPathOf(*config);
    return Report({NoSessionConfig(socket ? *socket : DefaultSocketPath()), Fault::kUsage});
  }
  Config session;
  session.session_file = config->session_file;
  const auto endpoint = SocketPathOf(session);
  if (!endpoint) return Report(endpoint.error());
  const auto asked = WhomToAsk(flags, *config, *endpoint);
  if (!asked) return Report(asked.error());
  return ChangeSessions(flags, *asked, AbsolutePath(config->session_file), ChooseToAttach,
                        AttachAll);
}

int DetachSandboxes(std::vector<std::string> args) {
  const auto app = MakeApp("session detach");
  SandboxFlags flags;
  AddSandboxFlags(*app, flags);
  app->add_option("ID", flags.ids,
                  "Sandboxes, by id or its beginning (default: all that gyrfalcon traces)");
  if (const auto code = Parse(*app, std::move(args))) return *code;
  const auto config = ReadSandboxConfig(flags);
  if (!config) return Report(config.error());
  const auto socket_path = SocketPathOf(*config);
  if (!socket_path) return Report(socket_path.error());
  const auto asked = WhomToAsk(flags, *config, *socket_path);
  if (!asked) return Report(asked.error());
  return ChangeSessions(flags, *asked, "", ChooseToDetach,
                        [](const SandboxesAsked& whom, const std::vector<TracedSandbox>& sandboxes,
                           const std::string&) { return DetachAll(whom, sandboxes); });
}

}  // namespace gyrfalcon
