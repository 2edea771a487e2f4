// Command-line parsing for one command: CLI11 with our exit codes and the example in --help.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/commands.h"

namespace gyrfalcon {

// An app for the command of that name, with its help line and its example.
std::unique_ptr<CLI::App> MakeApp(std::string_view name);

// The exit code to end with at once (help, or a usage error, already printed), or nullopt to go on.
std::optional<int> Parse(CLI::App& app, std::vector<std::string> args);

}  // namespace gyrfalcon
