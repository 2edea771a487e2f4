// Falco's flags that several commands share, and what they do to a config.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "channels/channel.h"
#include "channels/dispatcher.h"
#include "cli/config.h"

namespace CLI {
class App;
}

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

// Config file, then -o, then the other flags. -r replaces the rules of the config; rules files that
// only the config names may be missing, as in Falco: they are dropped, with a warning. -t with -T
// or -D, and any of these with `rules`, is an error (Fault::kUsage), as in Falco.
Result<LoadedConfig> ApplyFlags(const RunFlags& flags, const Config& base = {});

// For commands that load rules. Falco's error where a config was given and leaves no rules: a
// config file without any key, or one of whose rules files none is there.
Result<void> RequireRules(const RunFlags& flags, const LoadedConfig& loaded);

// `path` when something is there, else "": for the files below /etc/gyrfalcon that `run` reads
// unasked.
std::string DefaultIfThere(const std::string& path);

// The session config of `install`.
inline constexpr const char* kDefaultSessionFile = "/etc/gyrfalcon/pod-init.json";
// That, unless it is not there or the empty one that `install --undo` leaves: then "".
std::string DefaultSessionFile();

// Where the daemon listens: gvisor.socket, else the endpoint of the session config, else the
// default. Fault::kEnvironment, with the mend, for a session config that is not there or none.
Result<std::string> SocketPathOf(const Config& config);

Result<std::vector<std::unique_ptr<Channel>>> MakeChannels(const Config& config);

// What of the outputs and of the store's place would be an error or a loss at a start. Writes
// nothing.
Result<void> CheckOutputs(const Config& config);

// With a new boot id, but for a replay without a store.
DispatcherOptions MakeDispatcherOptions(const Config& config, WhenFull when_full);

}  // namespace gyrfalcon
