#include "engine/sandbox_id.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "base/text.h"

namespace gyrfalcon {
namespace {

// runsc's commands that a connection may come from; the last argument of those that end in an id.
struct RunscCommand {
  std::string_view name;
  bool names_sandbox;
};
constexpr RunscCommand kCommands[] = {
    {"create", true}, {"run", true},   {"restore", true}, {"trace", true},
    {"do", false},    {"exec", false}, {"start", false},
};

const RunscCommand* FindCommand(std::string_view arg) {
  const auto found = std::ranges::find(kCommands, arg, &RunscCommand::name);
  return found == std::end(kCommands) ? nullptr : found;
}

}  // namespace

std::string SandboxKeyFromCommandLine(std::string_view command_line) {
  if (command_line.ends_with('\0')) command_line.remove_suffix(1);
  const std::vector<std::string_view> args = Split(command_line, '\0');
  std::string_view root;
  size_t at = 1;  // behind the program's name
  for (; at < args.size() && FindCommand(args[at]) == nullptr; ++at) {
    // `--root=DIR`, `--root DIR`, or either with one dash.
    std::string_view flag = args[at];
    if (!flag.starts_with('-')) continue;
    flag.remove_prefix(flag.starts_with("--") ? 2 : 1);
    if (flag.starts_with("root=")) root = flag.substr(5);
    if (flag == "root" && at + 1 < args.size()) root = args[++at];
  }
  if (at + 1 >= args.size() || !FindCommand(args[at])->names_sandbox) return {};
  const bool is_flag = args.back().starts_with('-');
  const bool is_bare_trace = args[at] == "trace" && at + 2 >= args.size();
  if (is_flag || is_bare_trace) return {};
  std::string key(args.back());
  if (!root.empty()) {
    key += '@';
    key += root;
  }
  return key;
}

}  // namespace gyrfalcon
