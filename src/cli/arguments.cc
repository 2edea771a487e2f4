#include "cli/arguments.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace gyrfalcon {
namespace {

struct ValueName {
  std::string_view option;
  std::string_view value;
};

// What --help calls the value of a flag: one of a name means the same in every command.
constexpr auto kValueNames = std::to_array<ValueName>({
    {"--arch", "MACHINE"},         {"--config", "FILE"},
    {"--config-file", "FILE"},     {"--dir", "FOLDER"},
    {"--docker-socket", "SOCKET"}, {"--fail-on", "VERDICT"},
    {"--gvisor-config", "FILE"},   {"--html", "FILE"},
    {"--instance", "NAME"},        {"--junit", "FILE"},
    {"--listen", "SOCKET"},        {"--node-root", "FOLDER"},
    {"--on-failure", "FORM"},      {"--policy", "FILE"},
    {"--priority", "PRIORITY"},    {"--profile", "PROFILE"},
    {"--root", "FOLDER"},          {"--rule", "RULE"},
    {"--runsc", "FILE"},           {"--runsc-config", "FILE"},
    {"--runsc-metadata", "FILE"},  {"--runtime", "NAME"},
    {"--runtime-arg", "ARGUMENT"}, {"--sandbox", "ID"},
    {"--session", "FILE"},         {"--session-config", "FILE"},
    {"--since", "SINCE"},          {"--socket", "SOCKET"},
    {"--store", "FILE"},           {"-c", "FILE"},
});

// In place of CLI11's names of C++ types, which its ranges tell once more: "UINT:UINT in [1 - 8]".
void NameValue(CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::string base = type.substr(0, type.find(':'));
  const bool is_text = base == "TEXT";
  if (!is_text && base != "UINT" && base != "INT" && base != "FLOAT") return;
  const auto* found = std::ranges::find(kValueNames, option.get_name(), &ValueName::option);
  if (found != kValueNames.end()) {
    option.type_name(std::string(found->value));
  } else if (is_text) {
    option.type_name(option.get_positional() ? "" : "VALUE");
  } else {
    option.type_name("NUMBER");
    const std::string range = base + ":" + base + " ";
    if (type.starts_with(range)) option.get_validator(0)->description(type.substr(range.size()));
  }
}

}  // namespace

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
    NameValue(*option);
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
