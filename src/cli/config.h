// The daemon's configuration: Falco's falco.yaml keys that have a meaning here, and ours. One table
// of keys in config.cc is the parser, the check for unknown keys and the help.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alerts/alert_format.h"
#include "base/result.h"
#include "rules/rule_loader.h"

namespace gyrfalcon {

struct Config {
  std::vector<std::string> rules_files;  // files and folders; empty: the embedded rules
  LoadOptions rules;
  AlertFormatOptions format;
  bool buffered_outputs = false;
  bool stdout_enabled = true;
  bool file_enabled = false;
  std::string file_name;
  std::string session_file;  // engine.gvisor.config
  std::string socket_path;   // gvisor.socket; empty: the session file's endpoint, or the default
  uint64_t workers = 0;      // 0: one per processor
  std::string log_level = "info";
};

// Reads `text` of the file `path` over what `config` already has. The error has all that is wrong,
// a line each, with file, line and column. Keys that Falco knows and that mean nothing here are
// named once in `warnings`.
Result<void> ReadConfig(const std::string& path, std::string_view text, Config& config,
                        std::vector<std::string>& warnings);

// `-o key=value`: the key as in the file, with dots; the value is YAML.
Result<void> SetConfigKey(std::string_view assignment, Config& config,
                          std::vector<std::string>& warnings);

// /run/gyrfalcon/gvisor.sock, or below $XDG_RUNTIME_DIR for a user who is not root.
std::string DefaultSocketPath();

}  // namespace gyrfalcon
