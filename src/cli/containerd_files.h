// containerd's own config on a node: where it lies, and what it imports.
#pragma once

#include <string>
#include <vector>

#include "cli/setup_files.h"

namespace gyrfalcon {

inline constexpr const char* kContainerdConfigFile = "/etc/containerd/config.toml";

// runsc's TOML on GKE's nodes.
inline constexpr const char* kGkeRunscToml = "/run/containerd/runsc/config.toml";

// The files that `main` imports by these patterns, in their order, as the node sees them. Those
// that are not there are left out.
std::vector<std::string> ImportedFiles(const NodeFiles& files, const std::string& main,
                                       const std::vector<std::string>& patterns);

}  // namespace gyrfalcon
