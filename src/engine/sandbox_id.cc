#include "engine/sandbox_id.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <vector>

#include "base/text.h"

namespace gyrfalcon {
namespace {

// runsc's commands that a connection may come from; the last argument of those that end in an id.
struct RunscCommand {
  std::string_view name;
  bool names_sandbox;
  bool begins_sandbox;
};
constexpr RunscCommand kCommands[] = {
    {"create", true, true},  {"run", true, true}, {"restore", true, false},
    {"trace", true, false},  {"do", false, true}, {"exec", false, false},
    {"start", false, false},
};

const RunscCommand* FindCommand(std::string_view arg) {
  const auto found = std::ranges::find(kCommands, arg, &RunscCommand::name);
  return found == std::end(kCommands) ? nullptr : found;
}

// The value of `--NAME=VALUE` or `--NAME VALUE`, with one dash or two, at args[at], which moves to
// the last argument that belongs to it; nullopt where another argument stands there.
std::optional<std::string_view> FlagValue(const std::vector<std::string_view>& args, size_t& at,
                                          std::string_view name) {
  std::string_view flag = args[at];
  if (!flag.starts_with('-')) return std::nullopt;
  flag.remove_prefix(flag.starts_with("--") ? 2 : 1);
  if (!flag.starts_with(name)) return std::nullopt;
  flag.remove_prefix(name.size());
  if (flag.starts_with('=')) return flag.substr(1);
  if (!flag.empty() || at + 1 >= args.size()) return std::nullopt;
  return args[++at];
}

struct CommandLine {
  std::string_view root, bundle, sandbox_id;
};

CommandLine ParseCommandLine(std::string_view command_line) {
  if (command_line.ends_with('\0')) command_line.remove_suffix(1);
  const std::vector<std::string_view> args = Split(command_line, '\0');
  CommandLine out;
  size_t at = 1;  // behind the program's name
  for (; at < args.size() && FindCommand(args[at]) == nullptr; ++at) {
    if (const auto root = FlagValue(args, at, "root")) out.root = *root;
  }
  if (at + 1 >= args.size() || !FindCommand(args[at])->names_sandbox) return {};
  const bool is_flag = args.back().starts_with('-');
  const bool is_bare_trace = args[at] == "trace" && at + 2 >= args.size();
  if (is_flag || is_bare_trace) return {};
  out.sandbox_id = args.back();
  for (++at; at + 1 < args.size(); ++at) {
    if (const auto bundle = FlagValue(args, at, "bundle")) out.bundle = *bundle;
  }
  return out;
}

// One text for one root: whoever attaches a sandbox later may name it otherwise than whoever began
// it. By text alone, for this is asked where nothing may wait: of links, /var/run is known.
std::string NormalRoot(std::string_view root) {
  constexpr std::string_view kVarRun = "/var/run/";
  if (root.empty()) root = kDefaultStateRoot;
  if (!root.starts_with('/')) return std::string(root);
  std::string normal;
  NormalizePath("/", root, normal);
  if (normal.starts_with(kVarRun)) normal.erase(0, std::string_view("/var").size());
  return normal;
}

// nullptr: none that is known.
const RunscCommand* CommandOf(std::string_view command_line) {
  const std::vector<std::string_view> args = Split(command_line, '\0');
  for (size_t at = 1; at < args.size(); ++at) {
    if (const RunscCommand* command = FindCommand(args[at])) return command;
    FlagValue(args, at, "root");  // its value is no command
  }
  return nullptr;
}

}  // namespace

bool BeginsSandbox(std::string_view command_line) {
  const RunscCommand* command = CommandOf(command_line);
  return command != nullptr && command->begins_sandbox;
}

bool RestoresSandbox(std::string_view command_line) {
  const RunscCommand* command = CommandOf(command_line);
  return command != nullptr && command->name == "restore";
}

std::string SandboxKeyFromCommandLine(std::string_view command_line) {
  const CommandLine parsed = ParseCommandLine(command_line);
  std::string key(parsed.sandbox_id);
  if (!key.empty()) key += '@' + NormalRoot(parsed.root);
  return key;
}

SandboxPlace SandboxPlaceFromCommandLine(std::string_view command_line) {
  const CommandLine parsed = ParseCommandLine(command_line);
  const std::string_view root = parsed.root.empty() ? kDefaultStateRoot : parsed.root;
  // A relative path means something in the peer's folder only.
  if (parsed.sandbox_id.empty() || !root.starts_with('/')) return {};
  return {.state_root = std::string(root),
          .sandbox_id = std::string(parsed.sandbox_id),
          .bundle = std::string(parsed.bundle.starts_with('/') ? parsed.bundle : "")};
}

}  // namespace gyrfalcon
