// What the daemon is told at its start: flags and config, and which of it a reload takes up.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/config.h"
#include "cli/docker_daemon.h"
#include "cli/run_flags.h"

namespace gyrfalcon {

// Read unasked where they are there, and where nothing names others.
inline constexpr const char* kDefaultConfigFile = "/etc/gyrfalcon/gyrfalcon.yaml";
inline constexpr const char* kDefaultRulesFolder = "/etc/gyrfalcon/rules.d";

struct DaemonFlags {
  RunFlags rules;
  std::string session_file;  // -g
  std::string runsc_root;
  std::string pid_file;
  double seconds = 0;  // -M; 0: no end
  bool unbuffered = false;
  bool verbose = false;
  bool takeover = false;
  std::string instance;  // of several on this machine; "": no name
  bool takeover_sessions = false;
  bool detach_at_stop = false;
};

// The config of the daemon: file, flags, and the files below /etc/gyrfalcon where nothing names
// others. Errors as ApplyFlags; Fault::kInput also for a visibility policy, or
// gvisor.runsc_toml, without a session config, and for a watch of pods without node or server.
Result<LoadedConfig> ReadDaemonConfig(const DaemonFlags& flags);

// SocketPathOf, but that a session config that is kept need not be there before the
// first start.
Result<std::string> DaemonSocketPath(Config config);

// What of webserver.* would make a start fail.
Result<void> CheckServing(const Config& config);

// A line in the log for each group of keys that a reload does not take up and that differs.
void WarnFixedAtStart(const Config& now, const Config& wanted);

// runsc's roots that are asked for, and not those that are only known where something is.
std::vector<std::string> RootsOf(const Config& config);

// Those below which a command looks for sandboxes: `given`, else the config's and the usual ones
// that are there. Absolute, each once; spelt as they are named, for the daemon knows a sandbox by
// the text of its root.
std::vector<std::string> RootsToAsk(const std::vector<std::string>& given, const Config& config,
                                    const std::optional<DockerDaemon>& docker);

// Whether to look below runsc's usual roots too.
bool LooksAtUsualRoots(const Config& config);

}  // namespace gyrfalcon
