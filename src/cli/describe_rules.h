// What the daemon's flags -V, -L, -l and --gvisor-generate-config print; the commands of our own
// that do the same call these too.
#pragma once

#include <string>
#include <vector>

#include "cli/config.h"

namespace gyrfalcon {

// -L or -l NAME beside -V.
struct DescribeRequest {
  bool all = false;
  std::string rule;

  bool wanted() const { return all || !rule.empty(); }
};

// -V: Falco's verdict on each file to standard output, as text or JSON (json_output), and what
// helps to mend them to standard error. With `describe` the rules too, if all files are valid.
// Exit code.
int PrintRulesVerdict(const std::vector<std::string>& paths, const Config& config,
                      const DescribeRequest& describe = {});

// -L, or -l NAME: rules with their description, as a table or JSON.
int DescribeRules(const std::string& name, const Config& config);

// --gvisor-generate-config: for the config's socket, or `socket` when given.
int PrintSession(const std::string& socket, const Config& config);

}  // namespace gyrfalcon
