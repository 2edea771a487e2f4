#include "cli/falco_flags.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace gyrfalcon {
namespace {

using enum FlagEffect;

constexpr std::string_view kNoDriver = "there is no kernel driver: gVisor itself tells";
constexpr std::string_view kNoPlugins = "there are no plugins";
constexpr std::string_view kOneSource = "the only source is `syscall`, from gVisor";
constexpr std::string_view kNoKubernetes = "Kubernetes is not asked through this flag";
constexpr std::string_view kSessionDecides = "the session config says which points a sandbox sends";

// Those of Falco 0.43 first, then older ones.
constexpr FalcoFlag kFlags[] = {
    {"-c", kDiffers, "without it, /etc/gyrfalcon/gyrfalcon.yaml is read if it is there"},
    {"-r", kSame, ""},
    {"-o", kSame, ""},
    {"-p", kSame, ""},
    {"-g, --gvisor-config", kSame, ""},
    {"--gvisor-generate-config", kDiffers,
     "prints a session config that is fitted to the rules, with gVisor's newer points"},
    {"--gvisor-root", kDiffers,
     "sandboxes tell all that rules ask; it says where sandboxes run that must be traced"},
    {"-V", kDiffers, "our diagnostics with caret and suggestion stand on standard error beside it"},
    {"-L, -l", kSame, ""},
    {"--list, -N", kDiffers, "lists the fields that are there; `gyrfalcon fields` tells more"},
    {"-M", kSame, ""},
    {"-P", kSame, ""},
    {"-U", kDiffers, "flushing each alert is the default"},
    {"-v", kDiffers, "log level debug"},
    {"--dry-run", kSame, ""},
    {"--config-schema", kSame, ""},
    {"-i", kDiffers, "lists the system calls that gVisor tells nothing of"},
    {"--list-events, --list-syscall-events, --markdown", kDiffers,
     "lists the event types that Falco knows; gVisor sends some of them"},
    {"--rule-schema", kDiffers, "prints our own JSON schema of the same language"},
    {"--support", kDiffers, "prints our own facts"},
    {"--version", kDiffers, "prints our version, and Falco's engine version"},
    {"--page-size", kRefused, kNoDriver},
    {"--list-plugins", kRefused, kNoPlugins},
    {"--plugin-info", kRefused, kNoPlugins},
    {"--enable-source", kRefused, kOneSource},
    {"--disable-source", kRefused, kOneSource},
    {"-t", kSame, ""},
    {"-T", kSame, ""},
    {"-D", kSame, ""},
    {"-e", kRefused,
     "use `gyrfalcon replay CAPTURE` with a gVisor trace; kernel captures are not read"},
    {"-A", kRefused, kSessionDecides},
    {"-b", kRefused, "gVisor sends no data that could be encoded"},
    {"-S", kRefused, "gVisor sends no data to cut"},
    {"-k", kRefused, kNoKubernetes},
    {"-K", kRefused, kNoKubernetes},
    {"--modern-bpf", kRefused, kNoDriver},
    {"--nodriver", kRefused, kNoDriver},
    {"--userspace", kRefused, kNoDriver},
    {"--cri", kRefused, "gVisor tells the containers of a sandbox"},
    {"--disable-cri-async", kRefused, "gVisor tells the containers of a sandbox"},
};

bool Names(const FalcoFlag& row, std::string_view name) {
  for (std::string_view rest = row.flag;;) {
    const size_t comma = rest.find(", ");
    if (rest.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) return false;
    rest.remove_prefix(comma + 2);
  }
}

}  // namespace

std::span<const FalcoFlag> FalcoFlags() {
  return kFlags;
}

std::optional<Error> FindRefusedFlag(const std::vector<std::string>& args) {
  for (const std::string& arg : args) {
    const std::string_view name = std::string_view(arg).substr(0, arg.find('='));
    for (const FalcoFlag& row : kFlags) {
      if (row.effect != kRefused || !Names(row, name)) continue;
      return Error{fmt::format("{} has no meaning here: {}", name, row.why), Fault::kUsage};
    }
  }
  return std::nullopt;
}

bool IsPrintPreset(std::string_view format) {
  constexpr std::array<std::string_view, 8> kPresets = {
      "c", "container", "cg", "container-gvisor", "k", "kubernetes", "kg", "kubernetes-gvisor"};
  return std::ranges::find(kPresets, format) != kPresets.end();
}

std::string FalcoFlagsMarkdown() {
  std::string out = "| flag | | how |\n|---|---|---|\n";
  for (const FalcoFlag& row : kFlags) {
    if (row.effect == kSame) continue;
    const std::string_view effect = row.effect == kRefused    ? "refused"
                                    : row.effect == kNoEffect ? "no effect"
                                                              : "differs";
    out += fmt::format("| `{}` | {} | {} |\n", row.flag, effect, row.why);
  }
  return out;
}

}  // namespace gyrfalcon
