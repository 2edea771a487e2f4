// Falco's flags that several commands share, and what they do to a config.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "channels/channel.h"
#include "cli/config.h"

namespace gyrfalcon {

struct RunFlags {
  std::string config_file;                      // -c
  std::vector<std::string> rules_files;         // -r
  std::vector<std::string> settings;            // -o
  std::vector<std::string> enable_tags;         // -t
  std::vector<std::string> disable_tags;        // -T
  std::vector<std::string> disable_substrings;  // -D
  std::vector<std::string> extra_formats;       // -p
};

// -c -r -o -t -T -D -p
void AddRulesFlags(CLI::App& app, RunFlags& flags);

// Config file, then flags. -r replaces the rules of the config. Errors are whole.
Result<void> ApplyFlags(const RunFlags& flags, Config& config, std::vector<std::string>& warnings);

// `path` when something is there, else "": for the files below /etc/gyrfalcon that `run` reads
// unasked.
std::string DefaultIfThere(std::string path);

Result<std::vector<std::unique_ptr<Channel>>> MakeChannels(const Config& config);

}  // namespace gyrfalcon
