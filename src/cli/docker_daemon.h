// The Docker daemon of this machine: asked over its socket, told to read its config anew. Never
// restarted.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace gyrfalcon {

inline constexpr const char* kDockerConfigFile = "/etc/docker/daemon.json";

// One that runs.
struct DockerDaemon {
  std::string socket;
  pid_t pid = 0;
  std::string config_file;                // that it was started with, or its default
  std::string exec_root = "/run/docker";  // below which runsc keeps its state; as config_file
};

// Its socket's path: of DOCKER_HOST (unix://PATH), or the default.
std::string DockerSocket();

// What a command line of dockerd, each word ended by a NUL, and the config that it names say.
DockerDaemon ReadDockerDaemon(const std::string& command_line);

// nullopt where none answers there, or it can't be told which process it is.
std::optional<DockerDaemon> FindDockerDaemon(const std::string& socket);

// --pod-init-config's file of a runtime as the daemon has it now; "" without one, nullopt where the
// daemon has no such runtime.
Result<std::optional<std::string>> DockersSessionFile(const DockerDaemon& daemon,
                                                      const std::string& runtime);

// SIGHUP, as `systemctl reload docker`, then waits for `is_as_wanted`, asked again and again, for
// that long at most: true. Containers go on.
inline constexpr std::chrono::seconds kDockerReloadPatience{10};
Result<bool> ReloadDocker(const DockerDaemon& daemon,
                          const std::function<Result<bool>()>& is_as_wanted,
                          std::chrono::seconds patience = kDockerReloadPatience);

// The names of the containers that a restart of the daemon would stop; none with live-restore.
Result<std::vector<std::string>> StoppedByDockerRestart(const DockerDaemon& daemon);

}  // namespace gyrfalcon
