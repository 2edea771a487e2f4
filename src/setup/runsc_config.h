// The TOML that gVisor's containerd shim reads at each sandbox's start (its ConfigPath): flags of
// runsc stand in its table [runsc_config]. Texts in, texts out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gyrfalcon {

struct RunscConfig {
  std::string session_file;  // pod-init-config; "": none
  std::string binary;        // binary_name; "": the shim looks for `runsc`
  std::string platform;      // "": runsc's own choice
};

// Errors (kInput) begin with "PATH:LINE:COLUMN: ".
Result<RunscConfig> ReadRunscConfig(const std::string& path, std::string_view text);

// With `pod-init-config`. An error where it names another one, and not `replace`.
Result<std::string> AddToRunscConfig(const std::string& path, std::string_view text,
                                     const std::string& session_file, bool replace);

// Without it, where it is that file; what stood in its place `before` comes back.
Result<std::string> RemoveFromRunscConfig(const std::string& path, std::string_view text,
                                          const std::string& session_file,
                                          const std::optional<std::string>& before);

}  // namespace gyrfalcon
