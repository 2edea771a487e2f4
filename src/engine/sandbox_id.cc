#include "engine/sandbox_id.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/text.h"

namespace gyrfalcon {

std::string SandboxIdFromCommandLine(std::string_view command_line) {
  constexpr std::array<std::string_view, 3> kCommands = {"create", "run", "restore"};
  if (command_line.ends_with('\0')) command_line.remove_suffix(1);
  const std::vector<std::string_view> args = Split(command_line, '\0');
  const auto command = std::ranges::find_if(args, [&](std::string_view arg) {
    return std::ranges::find(kCommands, arg) != kCommands.end();
  });
  // The id is the last argument, and no flag: `create --bundle DIR ID`.
  if (command == args.end() || command + 1 == args.end() || args.back().starts_with('-')) return {};
  return std::string(args.back());
}

}  // namespace gyrfalcon
