// What `doctor` looks at: the node's files, the daemon's config, and how programs and the kernel
// are asked. Tests put a folder and answers of their own in their place.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "cli/config.h"
#include "cli/daemon_config.h"
#include "cli/docker_daemon.h"
#include "cli/load_rules.h"
#include "cli/setup_files.h"
#include "engine/sandbox_sessions.h"
#include "runsc/child.h"
#include "runsc/sent_points.h"

namespace gyrfalcon {

// A runtime of gVisor that Docker or containerd has.
struct NodeRuntime {
  std::string engine;        // "docker", "containerd": as `install` calls it
  std::string name;          // of the runtime; "" where its TOML alone is known
  bool has_toml = true;      // false: one of a shim's that names none
  std::string place;         // file, or FILE:LINE:COLUMN, that names its session config, or should
  std::string program;       // as written, for ProgramOf()
  std::string platform;      // "": runsc's own choice
  std::string session_file;  // "": it has none
  std::vector<std::string> args;  // of runsc, without the session config
};

// Of the file system in which a path lies.
struct DiskFacts {
  uint64_t type = 0;  // statfs(2)'s f_type
  uint64_t free_bytes = 0;
  bool read_only = false;
};
bool IsInMemory(const DiskFacts& disk);

struct DoctorWorld {
  // As `run` would have it with the same flags.
  DaemonFlags flags;
  Result<LoadedConfig> loaded = LoadedConfig{};
  Config config;             // of it; the default where it is not valid
  std::string socket_path;   // where the daemon listens
  std::string session_file;  // the daemon's; "": it has none

  // The files of Docker, containerd, systemd and runsc, /proc and /dev. Where `is_live` is false
  // they are a copy: nothing that runs is held against them.
  NodeFiles node = NodeFiles();
  bool is_live = true;
  bool is_root = true;

  std::vector<std::string> runsc_roots;  // given by --root
  std::string runsc;                     // --runsc; "": the config's and the runtimes'
  std::string docker_socket;
  bool prove = false;
  std::string usual_socket = DefaultSocketPath();
  std::chrono::milliseconds patience{5'000};  // with a program or a socket

  // How the machine is asked.
  std::function<Result<std::string>(const std::vector<std::string>&)> run_program;
  std::function<Result<SentPoints>(const std::string&)> ask_runsc = AskRunsc;
  std::function<std::optional<DiskFacts>(const std::string&)> disk_of;
  std::function<std::optional<DockerDaemon>(const std::string&)> find_docker = FindDockerDaemon;
  std::function<Result<std::optional<std::string>>(const DockerDaemon&, const std::string&)>
      dockers_session = DockersSessionFile;
  std::function<TracedSandboxes(const SandboxesAsked&)> look_at_sandboxes = LookAtSandboxes;
  std::function<void(const std::string&)> on_progress = [](const std::string&) {};

  // What several checks ask for, asked once.
  std::optional<std::optional<DockerDaemon>> docker{};  // RunningDocker()
  std::optional<std::vector<NodeRuntime>> runtimes{};   // NodeRuntimes()
  std::vector<Error> docker_troubles{}, containerd_troubles{};
  std::map<std::string, Result<SentPoints>> known_points{};  // KnownTo()
  std::map<bool, Result<LoadedRules>> rules{};               // RulesOf()
  std::optional<pid_t> daemon{};                             // DaemonPid(); 0: none is seen
};

// The machine, or a copy of a node's files below `node_root`.
DoctorWorld MakeWorld(const DaemonFlags& flags, const std::string& node_root);

// Where the daemon listens: gvisor.socket, else what a session config says that was given by hand;
// else as `install` made the daemon's, whatever that has become since; else as it says now, unless
// nobody answers there, and a daemon does at the usual place.
std::string DaemonsSocket(const DoctorWorld& world);

// The Docker daemon whose config daemon.json is, and that file's path.
const std::optional<DockerDaemon>& RunningDocker(DoctorWorld& world);
std::string DockerConfigFile(DoctorWorld& world);

// Those of Docker's and containerd's files. What is wrong with a file is in `…_troubles` then.
const std::vector<NodeRuntime>& NodeRuntimes(DoctorWorld& world);

// The programs that runtimes and the config name, each once, as written.
std::vector<std::string> RunscNames(DoctorWorld& world);
// Those of them that are there.
std::vector<std::string> RunscPrograms(DoctorWorld& world);

// `PROGRAM trace metadata`.
const Result<SentPoints>& KnownTo(DoctorWorld& world, const std::string& program);

// The config's; `keep_whole` as in LoadOptions.
const Result<LoadedRules>& RulesOf(DoctorWorld& world, bool keep_whole = false);

// The process that answers on the control socket; nullopt: none does, or it can't be seen.
std::optional<pid_t> DaemonPid(DoctorWorld& world);

// The text of a small file of the node; nullopt where it can't be read.
std::optional<std::string> ReadNode(const DoctorWorld& world, const std::string& path);

// Where systemd looks for units; the first one goes before the others.
inline constexpr std::string_view kUnitFolders[] = {
    "/etc/systemd/system/", "/run/systemd/system/", "/usr/local/lib/systemd/system/",
    "/usr/lib/systemd/system/", "/lib/systemd/system/"};

// Commands for a finding's mend.
// Reads config and rules as the daemon does, and says all that is wrong.
std::string DryRunMend(const DoctorWorld& world);
std::string InstallMend(const DoctorWorld& world, const std::string& engine,
                        const std::string& more = {});
// A session config of this path, made anew.
std::string SessionMend(DoctorWorld& world, const std::string& session_file);
// `systemctl start …`, or what starts gyrfalcon here otherwise.
std::string StartMend(const DoctorWorld& world);
bool RunsSystemd(const DoctorWorld& world);
// `${EDITOR:-vi} +LINE FILE`, where `text` begins with "FILE:LINE:", else of `file`.
std::string EditMend(const std::string& text, const std::string& file);
// `${EDITOR:-vi} FILE  # KEY`, of a key of the config.
std::string EditKey(const DoctorWorld& world, std::string_view key);
// " -c FILE" as it was given to the doctor.
std::string ConfigFileWords(const DoctorWorld& world);
// That, and " -r RULES" and " -o KEY=VALUE".
std::string ConfigWords(const DoctorWorld& world);
// The config that `run` reads; where it reads none, where it would.
std::string ConfigFile(const DoctorWorld& world);

}  // namespace gyrfalcon
