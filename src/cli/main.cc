#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/commands.h"

namespace gyrfalcon {
namespace {

// Those whose names begin so; "" is all of them.
void PrintCommands(std::string_view begin) {
  for (const Command& command : Commands()) {
    if (command.name.starts_with(begin)) {
      fmt::print("  {:<18} {}\n", command.name, command.help);
    }
  }
}

bool AsksHelp(const std::string& word) {
  return word == "-h" || word == "--help" || word == "help";
}

void PrintHelp() {
  fmt::print(
      "gyrfalcon: runtime threat detection for gVisor sandboxes, with Falco's rules\n\n"
      "usage: gyrfalcon COMMAND …   or, with Falco's flags, gyrfalcon -r RULES -g SESSION …\n\n");
  PrintCommands("");
  fmt::print(
      "\n`gyrfalcon COMMAND --help` has the flags and an example.\n"
      "Exit codes: 0 well, 1 the thing asked about is not, 2 usage, 3 the machine is at fault.\n");
}

// The command whose words the arguments begin with; longest first, "session generate" before
// "session".
const Command* FindCommand(std::span<const std::string> args, size_t& word_count) {
  for (const size_t words : {size_t{2}, size_t{1}}) {
    if (args.size() < words) continue;
    const std::string name = Join(args.first(words), " ");
    for (const Command& command : Commands()) {
      if (command.name == name) {
        word_count = words;
        return &command;
      }
    }
  }
  return nullptr;
}

// `gyrfalcon rules`, `gyrfalcon rules --help`; nullopt: the first word begins no command's name, or
// another word follows.
std::optional<int> PrintGroup(std::span<const std::string> args) {
  const std::string begin = args[0] + " ";
  const bool is_group = std::ranges::any_of(
      Commands(), [&](const Command& command) { return command.name.starts_with(begin); });
  const bool asks_help = args.size() > 1 && AsksHelp(args[1]);
  if (!is_group || (args.size() > 1 && !asks_help)) return std::nullopt;
  fmt::print("usage: gyrfalcon {} COMMAND …\n\n", args[0]);
  PrintCommands(begin);
  fmt::print("\n`gyrfalcon {} COMMAND --help` has the flags and an example.\n", args[0]);
  return asks_help ? kExitOk : kExitUsage;
}

int UnknownCommand(const std::string& word) {
  std::vector<std::string_view> names;
  for (const Command& command : Commands()) names.push_back(command.name);
  auto nearest = NearestWord(word, names);
  const auto begins = std::ranges::find_if(
      names, [&word](std::string_view name) { return name.starts_with(word + " "); });
  if (begins != names.end()) nearest = *begins;  // half of a command's name
  fmt::print(stderr, "gyrfalcon: no command `{}`{}; see `gyrfalcon --help`\n", word,
             nearest ? fmt::format("; did you mean `{}`?", *nearest) : "");
  return kExitUsage;
}

int Main(std::vector<std::string> args) {
  const bool asks_help = !args.empty() && AsksHelp(args[0]);
  if (args.empty() || asks_help) {
    PrintHelp();
    return asks_help ? kExitOk : kExitUsage;
  }
  // Falco's way of calling: flags at once mean `run`.
  if (args[0].starts_with('-')) return RunDaemon(std::move(args));
  size_t words = 0;
  const Command* command = FindCommand(args, words);
  if (command == nullptr) {
    if (const auto code = PrintGroup(args)) return *code;
    return UnknownCommand(args[0]);
  }
  args.erase(args.begin(), args.begin() + static_cast<std::ptrdiff_t>(words));
  return command->run(std::move(args));
}

int FailedOutput(const std::string& why) {
  fmt::print(stderr, "gyrfalcon: standard output: {}\n", why);
  return kExitEnvironment;
}

// A result that did not get out is no result: `session generate > FILE` on a full disk must not
// look well.
int MainWithCheckedOutput(std::vector<std::string> args) {
  try {
    const int code = Main(std::move(args));
    errno = 0;
    const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
    return written ? code : FailedOutput(ErrnoText(errno != 0 ? errno : EIO));
  } catch (const std::system_error& error) {  // fmt's, where a buffer could not be written
    return FailedOutput(ErrnoText(error.code().value()));
  }
}

}  // namespace
}  // namespace gyrfalcon

int main(int argc, char** argv) {
  return gyrfalcon::MainWithCheckedOutput({argv + 1, argv + argc});
}
