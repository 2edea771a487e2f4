// Whole files, read and listed for the commands.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

// Fails (Fault::kEnvironment, with path and reason) also when the file is larger than `bytes_max`.
Result<std::string> ReadWholeFile(const std::string& path, size_t bytes_max);

// Replaces a file, or makes it: whoever reads it has the old text or the new one. A link stays one.
// The mode is the old file's, or that of `like`; else 0644. Fails (Fault::kEnvironment, with path
// and mend).
Result<void> ReplaceFile(const std::string& path, const std::string& text,
                         const std::string& like = {});

// For another folder to read, or a command that is pasted there. "" stays.
std::string AbsolutePath(const std::string& path);

// Files as they are; of a folder its regular *.yaml and *.yml files, sorted by name, not those of
// folders in it. As Falco, other names are left out.
Result<std::vector<std::string>> ExpandRulesPaths(const std::vector<std::string>& paths);

}  // namespace gyrfalcon
