// Where the programs of a node lie.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cli/setup_files.h"

namespace gyrfalcon {

// As a runtime of Docker or containerd names it; where it names none, "runsc".
std::string ProgramOf(const std::string& named);

// The value of `--FLAG=VALUE` or `--FLAG VALUE` among a program's arguments, the last one where
// there are several; nullopt: none has it. `flag` is without its dashes.
std::optional<std::string> FlagOf(std::span<const std::string_view> words, std::string_view flag);

// A path, or a name that is looked for in PATH and where nodes have runsc (GKE's, too); of a copy
// of a node's tree, in there first. nullopt: none is there that can be run.
std::optional<std::string> FindNodeProgram(const NodeFiles& files, const std::string& name);

}  // namespace gyrfalcon
