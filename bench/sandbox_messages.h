// Messages of a made-up sandbox, as a Sentry encodes them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gyrfalcon {

// A sandbox in which `processes` processes run: its init and its children, each child with a
// program, arguments, an environment and `files` open files. Whole messages, header included, in
// order.
std::vector<std::string> SandboxThatRuns(const std::string& container_id, int processes, int files);

// Of the init of that sandbox, at this moment: it has opened `path`.
std::string OpenedFile(const std::string& container_id, const std::string& path);

}  // namespace gyrfalcon
