// Where the programs of a node lie.
#pragma once

#include <optional>
#include <string>

#include "cli/setup_files.h"

namespace gyrfalcon {

// As a runtime of Docker or containerd names it; where it names none, "runsc".
std::string ProgramOf(const std::string& named);

// A path, or a name that is looked for in PATH and where nodes have runsc (GKE's, too); of a copy
// of a node's tree, in there first. nullopt: none is there that can be run.
std::optional<std::string> FindNodeProgram(const NodeFiles& files, const std::string& name);

}  // namespace gyrfalcon
