#include "cli/commands.h"

#include <fmt/format.h>

#include "alerts/alert_format.h"

namespace gyrfalcon {
namespace {

constexpr Command kCommands[] = {
    {"run", RunDaemon, "Listen to sandboxes and raise alerts, until stopped.",
     "gyrfalcon run -r rules.yaml -g /etc/gyrfalcon/pod-init.json"},
    {"replay", Replay, "Feed captures through the same pipeline and print the alerts.",
     "gyrfalcon replay sandbox.trace -r rules.yaml --summary"},
    {"capture", RecordCaptures, "Record each connection as a capture file.",
     "gyrfalcon capture --listen /run/gyrfalcon/gvisor.sock --dir captures"},
    {"dump", DumpCaptures, "Print each message of captures, decoded.",
     "gyrfalcon dump sandbox.trace --json"},
    {"rules check", CheckRules, "Say what is wrong with rules files.",
     "gyrfalcon rules check my_rules.yaml"},
    {"rules coverage", CoverRules, "Say what each rule sees of what a sandbox sends.",
     "gyrfalcon rules coverage -r rules.yaml --session /etc/gyrfalcon/pod-init.json --fail-on "
     "blind"},
    {"rules explain", ExplainRuleCommand, "Say why a rule did or did not fire on captures.",
     "gyrfalcon rules explain \"Write below etc\" sandbox.trace -r rules.yaml --event 142"},
    {"session generate", GenerateSessionCommand,
     "Print the session config for runsc's --pod-init-config.",
     "gyrfalcon session generate -r rules.yaml > /etc/gyrfalcon/pod-init.json"},
    {"install docker", InstallInDocker,
     "Have Docker's gVisor runtimes report to gyrfalcon; --undo takes it back.",
     "gyrfalcon install docker --dry-run"},
    {"install containerd", InstallInContainerd,
     "Have containerd's gVisor runtimes report to gyrfalcon; --undo takes it back.",
     "gyrfalcon install containerd --prove"},
    {"install systemd", InstallInSystemd,
     "Install, enable and start the units gyrfalcon.socket and gyrfalcon.service.",
     "gyrfalcon install systemd"},
    {"policy check", CheckPolicyCommand,
     "Say what is wrong with a list of system calls to be seen, and what tells of each.",
     "gyrfalcon policy check policy.toml"},
    {"policy suggest", SuggestPolicyCommand, "Print the smallest policy that rules can do with.",
     "gyrfalcon policy suggest -r rules.yaml > policy.toml"},
    {"policy diff", DiffPoliciesCommand,
     "Say what another policy changes: names, points, messages of a call.",
     "gyrfalcon policy diff old.toml new.toml"},
    {"session list", ListSandboxSessions, "Say of each sandbox that runs who traces it.",
     "gyrfalcon session list --root /run/containerd/runsc/k8s.io"},
    {"session attach", AttachSandboxes,
     "Give sandboxes that run a session config; --update: also in place of ours.",
     "gyrfalcon session attach --update -g /etc/gyrfalcon/pod-init.json"},
    {"session detach", DetachSandboxes, "End our trace session of sandboxes that run.",
     "gyrfalcon session detach 4f1c9ad03b7e"},
    {"status", ShowStatus, "Ask a running daemon for its counters.", "gyrfalcon status --json"},
    {"doctor", RunDoctor,
     "Say what is wrong with this node's set-up, and the command that mends it.",
     "gyrfalcon doctor"},
    {"alerts", ShowAlerts, "Print the alerts that the daemon has kept, and those that come.",
     "gyrfalcon alerts --since 2h --priority warning --sandbox 4f1c9ad03b7e --follow"},
    {"bench", Bench, "Measure what the pipeline costs, with captures looped over sockets.",
     "gyrfalcon bench sandbox.trace -r rules.yaml --connections 8 --json"},
    {"fields", ShowFields, "List what a rule can ask, or explain one field.",
     "gyrfalcon fields proc.name"},
    {"points", ShowPoints, "List gVisor's trace points and their fields.",
     "gyrfalcon points syscall/openat"},
};

}  // namespace

std::span<const Command> Commands() {
  return kCommands;
}

int ExitCodeOf(Fault fault) {
  switch (fault) {
    case Fault::kInput:
      return kExitNotWell;
    case Fault::kUsage:
      return kExitUsage;
    case Fault::kEnvironment:
      return kExitEnvironment;
  }
  return kExitNotWell;
}

int Report(const Error& error) {
  fmt::print(stderr, "gyrfalcon: {}\n", PrintableLines(error.message));
  return ExitCodeOf(error.fault);
}

}  // namespace gyrfalcon
