// What the daemon's flags -V, -L, -l, --list and --gvisor-generate-config print; the commands of
// our own that do the same call these too.
#pragma once

#include <string>
#include <vector>

#include "cli/config.h"

namespace gyrfalcon {

// -V: Falco's verdict on each file, as text or JSON (json_output). Exit code.
int PrintRulesVerdict(const std::vector<std::string>& paths, const Config& config);

// -L, or -l NAME: rules with their description, as text or JSON.
int DescribeRules(const std::string& name, const Config& config);

// --list
int ListFields(bool names_only);

// --gvisor-generate-config: for the config's socket, or `socket` when given.
int PrintSession(const std::string& socket, const Config& config);

}  // namespace gyrfalcon
