// Whole files, read and listed for the commands.
#pragma once

#include <string>
#include <string_view>
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

// Whether there is a file that can be run.
bool IsProgram(const std::string& path);

// For another folder to read, or a command that is pasted there. "" stays.
std::string AbsolutePath(const std::string& path);

// "/tmp" or "/var/tmp" where the path lies below it: a service with PrivateTmp= has others, and
// what is in them is cleaned now and then. "": it lies elsewhere.
std::string_view TmpFolderOf(std::string_view path);

// Files as they are; of a folder its regular *.yaml and *.yml files, sorted by name, not those of
// folders in it. As Falco, other names are left out.
Result<std::vector<std::string>> ExpandRulesPaths(const std::vector<std::string>& paths);

}  // namespace gyrfalcon
