#include "cli/arguments.h"

#include <algorithm>

#include <fmt/format.h>

namespace gyrfalcon {

std::unique_ptr<CLI::App> MakeApp(std::string_view name) {
  for (const Command& command : Commands()) {
    if (command.name != name) continue;
    auto app =
        std::make_unique<CLI::App>(std::string(command.help), "gyrfalcon " + std::string(name));
    app->footer("Example: " + std::string(command.example));
    return app;
  }
  return nullptr;
}

std::optional<int> Parse(CLI::App& app, std::vector<std::string> args) {
  for (CLI::Option* option : app.get_options()) {
    // A flag takes no value: `--follow=3` is a slip.
    if (option->get_items_expected_max() == 0) option->disable_flag_override();
  }
  std::reverse(args.begin(), args.end());  // as CLI11 takes them
  try {
    app.parse(std::move(args));
    return std::nullopt;
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "{}: {}; see `{} --help`\n", app.get_name(), error.what(), app.get_name());
    return kExitUsage;
  }
}

}  // namespace gyrfalcon
