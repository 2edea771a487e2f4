#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/doctor.h"

namespace gyrfalcon {
namespace {

constexpr std::array<std::string_view, 4> kHealthNames = {"ok", "skipped", "warning", "broken"};

constexpr DoctorCheck kChecks[] = {
    {"config", "Is the config valid, and can its outputs be served?", CheckConfig},
    {"rules", "Do the rules load?", CheckRulesLoad},
    {"store", "Can alerts be kept?", CheckStore},
    {"runsc", "Is each runsc of this node there, does it answer, and does it have trace points?",
     CheckRunsc},
    {"platform", "Can runsc's platform work here? With --prove: does a sandbox really report?",
     CheckPlatform},
    {"docker",
     "Do all gVisor runtimes of Docker have the session config, and has Docker taken "
     "that up?",
     CheckDocker},
    {"containerd", "Do all gVisor runtimes of containerd have it?", CheckContainerd},
    {"session",
     "Is each session config there, kept over a reboot, understood by this node's "
     "runsc, and sent to our socket?",
     CheckSessions},
    {"units", "Does systemd keep the socket, from before Docker and containerd on?", CheckUnits},
    {"socket", "Can sandboxes reach the socket, and nobody else?", CheckSocket},
    {"handshake", "Does somebody listen, and answer as a sandbox needs it?", CheckHandshake},
    {"daemon",
     "Is the daemon that runs ready, the program that is installed, and do its outputs take "
     "alerts?",
     CheckDaemon},
    {"others", "Does anybody else want the sandboxes: Falco, another gyrfalcon?", CheckOthers},
    {"queue", "Is the kernel's send buffer, the queue between a sandbox and us, large enough?",
     CheckQueue},
    {"backlog", "May enough clients wait to be accepted?", CheckBacklog},
    {"descriptors", "May the daemon have a descriptor for each sandbox?", CheckDescriptors},
    {"namespaces", "Does the daemon see the processes and sockets of the node?", CheckNamespaces},
    {"sandboxes", "Is each sandbox that runs traced by us?", CheckSandboxes},
    {"coverage", "Do all rules see something of what sandboxes send?", CheckCoverage},
};

constexpr Health kBroken = Health::kBroken;
constexpr Health kWarning = Health::kWarning;

constexpr MistakeDef kMistakes[] = {
    {"config-invalid", "config", kBroken, "`gyrfalcon run` ends at once; a reload is refused",
     "opens the config at the line; then `--dry-run` says whether it is well"},
    {"config-warning", "config", kWarning, "a key of the config does nothing", "opens the config"},
    {"output-unusable", "config", kBroken,
     "`gyrfalcon run` ends at once, or alerts do not go where they should",
     "opens the config; then `--dry-run` tries the outputs"},
    {"rules-invalid", "rules", kBroken, "`gyrfalcon run` ends at once; a reload is refused",
     "opens the rules file at the line; then `rules check` says whether it is well"},
    {"rules-warning", "rules", kWarning, "a rule does not do what it says",
     "opens the rules file at the line"},
    {"rules-none", "rules", kBroken, "sandboxes connect, and no alert ever comes",
     "opens the config, whose `rules` or `-T`, `-t` and `-D` switch all of them off"},
    {"rules-missing", "rules", kWarning, "rules that were written are never asked",
     "opens the config, which names a file that is not there"},
    {"store-foreign", "store", kBroken, "`gyrfalcon run` ends at once with `store.path`",
     "opens the config: `store.path` has to name a file that is not there yet"},
    {"store-unwritable", "store", kBroken,
     "`gyrfalcon: alerts not spooled`; an output that is away loses alerts",
     "gives the folder to the daemon"},
    {"store-damaged", "store", kWarning, "`gyrfalcon alerts` says that the store is damaged",
     "begins a new one; the daemon does so at its next start, too"},
    {"store-disk-low", "store", kWarning, "`gyrfalcon: alerts not spooled` sooner or later",
     "shows what takes the space"},
    {"store-on-network", "store", kWarning,
     "the store is damaged, or locked for ever, after a while: SQLite's log needs a local disk",
     "opens the config: `store.path` on a local disk"},
    {"store-volatile", "store", kWarning, "no alert is there any more after a reboot",
     "opens the config: `store.path` on a disk"},
    {"runsc-missing", "runsc", kBroken, "no sandbox starts: `executable file not found`",
     "installs Debian's"},
    {"runsc-unusable", "runsc", kBroken, "no sandbox starts, or each start hangs",
     "asks it again, in the open"},
    {"runsc-too-old", "runsc", kBroken, "sandboxes run, and never connect", "installs a newer one"},
    {"runsc-unnamed", "runsc", kWarning,
     "sandboxes that run untraced are not attached, and not told of",
     "opens the config: `gvisor.runsc` has to name the node's runsc"},
    {"kvm-missing", "platform", kBroken, "no sandbox starts, or each start hangs",
     "opens the file that says `platform`: `systrap` works everywhere"},
    {"proof-failed", "platform", kBroken, "sandboxes do not start, or run and send nothing",
     "runs a sandbox in the open, with runsc's own words"},
    {"session-absent", "session", kBroken,
     "no container of the runtime starts any more, `--on-failure open` or not: `opening session "
     "config file: no such file`",
     "makes it"},
    {"session-invalid", "session", kBroken,
     "no container of the runtime starts: `invalid trace session config`", "makes it anew"},
    {"session-volatile", "session", kBroken,
     "all is well until the next reboot; then no gVisor container starts",
     "makes one on the disk, and has the runtimes name it"},
    {"session-empty", "session", kBroken,
     "sandboxes start, never connect, and are not traced: it is what `install --undo` leaves",
     "makes it anew"},
    {"session-elsewhere", "session", kBroken,
     "sandboxes start, and report to somebody else, as to Falco, or to nobody",
     "makes it anew, or has the runtimes name ours"},
    {"session-unhostable", "session", kBroken, "nobody can listen there: a socket's path is short",
     "makes it anew, with a path that a socket can have"},
    {"session-refused", "session", kBroken,
     "no container starts: this runsc does not know a key of the session config",
     "makes one that each runsc of this node takes"},
    {"session-silent", "session", kBroken, "sandboxes start and connect, and no message ever comes",
     "makes one with what this runsc knows"},
    {"session-too-new", "session", kWarning,
     "rules see less than it seems: runsc leaves out points and fields that it does not know",
     "makes it for what this node's runsc knows; a newer one shows more"},
    {"session-wide", "session", kWarning,
     "programs in sandboxes run slower than they need to: they send what no rule asks for",
     "makes it anew, with what the rules need"},
    {"session-open", "session", kWarning,
     "nothing; but who may write it decides where all sandboxes report to",
     "takes that from others"},
    {"docker-config-invalid", "docker", kBroken, "Docker does not start, or does not reload",
     "opens daemon.json at the line"},
    {"docker-unconfigured", "docker", kBroken,
     "containers of that runtime start and are not traced, or only once they are attached",
     "has every gVisor runtime name the session config"},
    {"docker-not-reloaded", "docker", kBroken,
     "daemon.json is right, and new containers are not traced all the same",
     "tells Docker to read it; nothing is restarted"},
    {"containerd-config-invalid", "containerd", kBroken, "containerd does not start",
     "opens its config at the line"},
    {"containerd-unconfigured", "containerd", kBroken,
     "pods start and are not traced: the runtime names no TOML",
     "has every gVisor runtime name one; containerd takes that up when it is restarted"},
    {"shim-unconfigured", "containerd", kBroken,
     "pods start and are not traced, or only once they are attached",
     "puts the session config into the TOML; no restart is needed"},
    {"units-partial", "units", kWarning,
     "a restart of gyrfalcon closes the socket: sandboxes that start meanwhile are not watched",
     "installs the socket unit"},
    {"unit-disabled", "units", kBroken,
     "after a reboot nobody listens: sandboxes start unwatched, or not at all", "enables it"},
    {"unit-order", "units", kBroken,
     "containers that start at boot are not watched, or do not start: they come before the socket",
     "puts the socket before Docker and containerd"},
    {"unit-elsewhere", "units", kBroken,
     "the service does not start: the socket unit listens elsewhere than the config says",
     "has the unit listen where the config says"},
    {"unit-private-tmp", "units", kBroken,
     "the daemon listens, and no sandbox finds the socket: with PrivateTmp= the service has a /tmp "
     "of its own",
     "opens the config: a socket below /run"},
    {"socket-invalid", "socket", kBroken, "nobody can listen there",
     "opens the config: a shorter path in a folder that is there"},
    {"socket-absent", "socket", kBroken,
     "sandboxes start unwatched, or with `closed` not at all: `connect: no such file`",
     "starts gyrfalcon"},
    {"socket-foreign", "socket", kBroken, "`gyrfalcon run` says that it is no socket, or in use",
     "shows what lies there"},
    {"socket-open", "socket", kWarning,
     "anybody may pretend to be a sandbox, or take the socket's place", "takes that from others"},
    {"socket-in-tmp", "socket", kWarning,
     "whoever cleans /tmp removes it, and a service with PrivateTmp= does not see it",
     "opens the config: a socket below /run"},
    {"nobody-listens", "handshake", kBroken,
     "sandboxes start unwatched, or with `closed` not at all: `connect: connection refused`",
     "starts gyrfalcon"},
    {"no-handshake", "handshake", kBroken, "each start of a sandbox hangs",
     "restarts the daemon; sandboxes that wait are served then"},
    {"daemon-silent", "daemon", kBroken,
     "sandboxes report to somebody who listens there and is no gyrfalcon, or one that hangs",
     "shows who it is"},
    {"daemon-not-ready", "daemon", kBroken, "`/readyz` says so; new rules do not count",
     "reads config and rules as the daemon does, and says all that is wrong; or shows the whole "
     "of what `/healthz` says"},
    {"daemon-replaced", "daemon", kWarning, "an upgrade has changed nothing",
     "restarts it; no sandbox is lost under systemd"},
    {"output-failing", "daemon", kWarning,
     "no alert arrives there, or late: `failing true` in `gyrfalcon status`",
     "shows the output's figures; the daemon's log says why"},
    {"falco-runs", "others", kWarning, "sandboxes report to Falco instead, or to either",
     "stops it; first what it still watches has to go over, docs/moving-from-falco.md"},
    {"second-daemon", "others", kWarning, "some sandboxes' alerts come from another gyrfalcon",
     "shows both; one of them has to go"},
    {"queue-small", "queue", kWarning, "`gyrfalcon: events lost` with short bursts",
     "sets the kernel's own default again"},
    {"queue-overrun", "queue", kWarning, "`gyrfalcon: events lost`",
     "makes the queue larger, for sandboxes that start from then on"},
    {"backlog-small", "backlog", kWarning, "many sandboxes that start at once wait for each other",
     "sets the kernel's limit"},
    {"descriptors-few", "descriptors", kWarning,
     "from some number of sandboxes on, starts hang or are not watched",
     "raises LimitNOFILE= of the service"},
    {"namespace-other", "namespaces", kWarning,
     "sandboxes are not attached, and who traces them is not known, or not which sandbox it is",
     "runs the daemon in the node's own namespaces"},
    {"root-unlistable", "sandboxes", kWarning, "which sandboxes run there is not known",
     "asks runsc again, in the open"},
    {"sandbox-untraced", "sandboxes", kBroken,
     "no alert of that sandbox ever comes; `gyrfalcon: sandbox not traced`",
     "gives it the session config"},
    {"sandbox-unheard", "sandboxes", kBroken,
     "no alert of that sandbox comes any more; its drops rise", "gives it the session config anew"},
    {"sandbox-others", "sandboxes", kBroken,
     "no alert of that sandbox comes: its events go to somebody else",
     "takes it over; who listened until then hears nothing more"},
    {"sandbox-drops", "sandboxes", kWarning, "`gyrfalcon: events lost` for that sandbox",
     "shows how many; a session with fewer points, or a larger queue, mends it"},
    {"sandbox-unknown", "sandboxes", kWarning, "whether that sandbox is traced is not known",
     "asks runsc again, in the open"},
    {"rule-blind-by-session", "coverage", kWarning,
     "that rule never fires, though gVisor could show what it asks",
     "makes the session config anew for the rules"},
    {"rule-blind", "coverage", kWarning, "that rule never fires: gVisor does not show what it asks",
     "says why, and what shows something of it"},
};
static_assert(std::size(kMistakes) == static_cast<size_t>(Mistake::kCount));

constexpr bool IsKnown(std::string_view check) {
  return std::ranges::find(kChecks, check, &DoctorCheck::id) != std::end(kChecks);
}
static_assert(std::ranges::all_of(kMistakes, IsKnown, &MistakeDef::check));

}  // namespace

std::string_view Name(Health health) {
  return kHealthNames[static_cast<size_t>(health)];
}

const MistakeDef& Describe(Mistake mistake) {
  return kMistakes[static_cast<size_t>(mistake)];
}

std::span<const DoctorCheck> DoctorChecks() {
  return kChecks;
}

std::span<const MistakeDef> Mistakes() {
  return kMistakes;
}

Finding Well(std::string text) {
  return {.health = Health::kOk, .text = std::move(text), .mend = {}, .mistake = {}};
}

Finding Skipped(std::string why) {
  return {.health = Health::kSkipped, .text = std::move(why), .mend = {}, .mistake = {}};
}

Finding Found(Mistake mistake, std::string text, std::string mend) {
  const MistakeDef& def = Describe(mistake);
  return {
      .health = def.health, .text = std::move(text), .mend = std::move(mend), .mistake = def.name};
}

std::string DoctorChecksMarkdown() {
  std::string out = "| check | what it asks | what it finds |\n|---|---|---|\n";
  for (const DoctorCheck& check : kChecks) {
    std::string found;
    for (const MistakeDef& def : kMistakes) {
      if (def.check == check.id)
        found += fmt::format("{}`{}`", found.empty() ? "" : ", ", def.name);
    }
    out += fmt::format("| `{}` | {} | {} |\n", check.id, check.title, found);
  }
  return out;
}

std::string MistakesMarkdown() {
  std::string out =
      "| what is seen | what the doctor finds | what the command does that it prints |\n"
      "|---|---|---|\n";
  for (const MistakeDef& def : kMistakes) {
    out +=
        fmt::format("| {} | `{}` ({}) | {} |\n", def.symptom, def.name, Name(def.health), def.mend);
  }
  return out;
}

}  // namespace gyrfalcon
