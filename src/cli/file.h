// Whole files, read and listed for the commands.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

// Fails (Fault::kEnvironment, with path and reason) also when the file is larger than `bytes_max`.
Result<std::string> ReadWholeFile(const std::string& path, size_t bytes_max);

// Files as they are; of a folder its regular *.yaml and *.yml files, sorted by name, not those of
// folders in it. As Falco, other names are left out.
Result<std::vector<std::string>> ExpandRulesPaths(const std::vector<std::string>& paths);

}  // namespace gyrfalcon
