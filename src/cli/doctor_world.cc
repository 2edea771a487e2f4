#include "cli/doctor_world.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "cli/containerd_files.h"
#include "cli/file.h"
#include "cli/install_session.h"
#include "cli/load_rules.h"
#include "cli/node_program.h"
#include "runsc/attach.h"
#include "runsc/session.h"
#include "service/control.h"
#include "setup/containerd_config.h"
#include "setup/docker_config.h"
#include "setup/json_text.h"
#include "setup/runsc_config.h"

namespace gyrfalcon {
namespace {

std::optional<DiskFacts> DiskOf(const std::string& path) {
  std::error_code error;
  const std::string there = std::filesystem::exists(path, error) ? path : FolderThere(path);
  struct statfs type{};
  struct statvfs disk{};
  if (::statfs(there.c_str(), &type) != 0 || ::statvfs(there.c_str(), &disk) != 0) {
    return std::nullopt;
  }
  return DiskFacts{.type = static_cast<uint64_t>(type.f_type),
                   .free_bytes = uint64_t{disk.f_bavail} * disk.f_frsize,
                   .read_only = (disk.f_flag & ST_RDONLY) != 0};
}

// What the shim of a runtime reads. A TOML that is not there is an empty one to it.
void ReadToml(DoctorWorld& world, const std::string& path, NodeRuntime& runtime,
              std::vector<Error>& troubles) {
  runtime.place = path;
  const auto text = world.node.Read(path);
  const auto config =
      text ? ReadRunscConfig(path, text->value_or("")) : std::unexpected(text.error());
  if (!config) {
    troubles.push_back(config.error());
    return;
  }
  runtime.session_file = config->session_file;
  runtime.program = config->binary;
  runtime.platform = config->platform;
  if (!config->platform.empty()) runtime.args = {"--platform=" + config->platform};
  world.runtimes->push_back(std::move(runtime));
}

// "FILE:LINE:COLUMN" of a runtime in daemon.json.
std::string PlaceOfRuntime(const std::string& path, const std::string& text,
                           const std::string& name) {
  const auto json = ReadJsonText(path, text);
  const JsonNode* runtimes = json ? json->FindValue("runtimes") : nullptr;
  const JsonMember* runtime = runtimes == nullptr ? nullptr : runtimes->Find(name);
  if (runtime == nullptr) return path;
  std::string place = PlaceOf(path, text, runtime->begin);
  return place.substr(0, place.rfind(':'));
}

void AddDockersRuntimes(DoctorWorld& world) {
  const std::string path = DockerConfigFile(world);
  const auto text = world.node.Read(path);
  const auto found =
      text ? ReadDockerRuntimes(path, text->value_or("")) : std::unexpected(text.error());
  if (!found) {
    world.docker_troubles.push_back(found.error());
    return;
  }
  for (const DockerRuntime& one : *found) {
    const std::vector<std::string_view> args(one.args.begin(), one.args.end());
    NodeRuntime runtime{.engine = "docker",
                        .name = one.name,
                        .has_toml = !one.path.empty() || !one.config_path.empty(),
                        .place = PlaceOfRuntime(path, text->value_or(""), one.name),
                        .program = one.path,
                        .platform = FlagOf(args, "platform").value_or(""),
                        .session_file = one.session_file,
                        .args = one.args};
    if (!one.config_path.empty()) {
      ReadToml(world, one.config_path, runtime, world.docker_troubles);
    } else {
      world.runtimes->push_back(std::move(runtime));
    }
  }
}

// Gives back what the file imports.
std::vector<std::string> AddContainerdFile(DoctorWorld& world, const std::string& path,
                                           int& version) {
  const auto text = world.node.Read(path);
  const auto config = text ? ReadContainerdConfig(path, text->value_or(""), {}, version)
                           : std::unexpected(text.error());
  if (!config) {
    world.containerd_troubles.push_back(config.error());
    return {};
  }
  for (const ContainerdRuntime& one : config->runtimes) {
    NodeRuntime runtime{.engine = "containerd",
                        .name = one.name,
                        .has_toml = !one.config_path.empty(),
                        .place = path,
                        .program = {},
                        .platform = {},
                        .session_file = {},
                        .args = {}};
    if (one.config_path.empty()) {
      world.runtimes->push_back(std::move(runtime));
    } else {
      ReadToml(world, one.config_path, runtime, world.containerd_troubles);
    }
  }
  version = config->version;
  return config->imports;
}

void AddContainerdsRuntimes(DoctorWorld& world) {
  int version = 0;
  const auto imports = AddContainerdFile(world, kContainerdConfigFile, version);
  for (const std::string& path : ImportedFiles(world.node, kContainerdConfigFile, imports)) {
    int imported = version;
    AddContainerdFile(world, path, imported);
  }
  std::vector<std::string> tomls = world.config.runsc_toml;
  const auto gke = world.node.Read(kGkeRunscToml);
  if (gke && *gke) tomls.emplace_back(kGkeRunscToml);
  for (const std::string& toml : tomls) {
    if (std::ranges::find(*world.runtimes, toml, &NodeRuntime::place) != world.runtimes->end()) {
      continue;
    }
    NodeRuntime runtime{.engine = "containerd",
                        .name = {},
                        .place = {},
                        .program = {},
                        .platform = {},
                        .session_file = {},
                        .args = {}};
    ReadToml(world, toml, runtime, world.containerd_troubles);
  }
}

std::optional<std::string> EndpointOf(const DoctorWorld& world, const std::string& session_file) {
  if (session_file.empty()) return std::nullopt;
  const auto text = world.node.Read(session_file);
  const auto session =
      text && *text ? ParseSessionConfig(session_file, **text) : Fail(Fault::kInput, "none");
  return session ? std::optional(session->endpoint) : std::nullopt;
}

bool IsAnsweredAt(const std::string& socket_path) {
  return AskDaemon(ControlSocketPath(socket_path), "/status").has_value();
}

}  // namespace

std::string DaemonsSocket(const DoctorWorld& world) {
  if (!world.config.socket_path.empty()) return world.config.socket_path;
  const auto endpoint = EndpointOf(world, world.session_file);
  if (endpoint && !world.flags.session_file.empty()) return *endpoint;
  const auto record = ReadSessionRecord(world.node.RecordFolder());
  if (record && !record->path.empty() && record->path == world.session_file) {
    const auto made = ParseSessionConfig(record->path, record->text);
    if (made) return made->endpoint;
  }
  const std::string usual = world.usual_socket;
  const bool is_usual =
      !endpoint || (world.is_live && !IsAnsweredAt(*endpoint) && IsAnsweredAt(usual));
  return is_usual ? usual : *endpoint;
}

bool IsInMemory(const DiskFacts& disk) {
  return disk.type == TMPFS_MAGIC || disk.type == RAMFS_MAGIC;
}

DoctorWorld MakeWorld(const DaemonFlags& flags, const std::string& node_root) {
  DoctorWorld world;
  world.flags = flags;
  world.docker_socket = DockerSocket();
  world.disk_of = DiskOf;
  world.node = NodeFiles(node_root);
  world.is_live = !world.node.is_copy();
  world.is_root = geteuid() == 0;
  world.loaded = ReadDaemonConfig(flags);
  if (world.loaded) world.config = world.loaded->config;
  world.session_file = world.config.session_file;
  if (world.session_file.empty() && world.config.socket_path.empty()) {
    const auto text = world.node.Read(kDefaultSessionFile);
    if (text && *text && !IsEmptySession(**text)) world.session_file = kDefaultSessionFile;
  }
  world.socket_path = AbsolutePath(DaemonsSocket(world));
  const ChildLimits limits{.patience = world.patience};
  world.run_program = [limits](const std::vector<std::string>& words) {
    return RunChild(words, limits);
  };
  return world;
}

const std::optional<DockerDaemon>& RunningDocker(DoctorWorld& world) {
  if (!world.docker) {
    world.docker = world.is_live ? world.find_docker(world.docker_socket) : std::nullopt;
  }
  return *world.docker;
}

std::string DockerConfigFile(DoctorWorld& world) {
  const auto& daemon = RunningDocker(world);
  return daemon ? daemon->config_file : kDockerConfigFile;
}

const std::vector<NodeRuntime>& NodeRuntimes(DoctorWorld& world) {
  if (!world.runtimes) {
    world.runtimes.emplace();
    AddDockersRuntimes(world);
    AddContainerdsRuntimes(world);
  }
  return *world.runtimes;
}

std::vector<std::string> RunscNames(DoctorWorld& world) {
  std::vector<std::string> names;
  const auto add = [&names](const std::string& name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  if (!world.runsc.empty()) return {world.runsc};
  for (const NodeRuntime& runtime : NodeRuntimes(world)) {
    add(ProgramOf(runtime.program));
  }
  if (!world.config.runsc_path.empty()) add(world.config.runsc_path);
  return names;
}

std::vector<std::string> RunscPrograms(DoctorWorld& world) {
  std::vector<std::string> programs;
  for (const std::string& name : RunscNames(world)) {
    const auto program = FindNodeProgram(world.node, name);
    if (program && std::ranges::find(programs, *program) == programs.end()) {
      programs.push_back(*program);
    }
  }
  return programs;
}

const Result<SentPoints>& KnownTo(DoctorWorld& world, const std::string& program) {
  const auto known = world.known_points.find(program);
  if (known != world.known_points.end()) return known->second;
  world.on_progress(fmt::format("asking {} what it knows", program));
  return world.known_points.emplace(program, world.ask_runsc(program)).first->second;
}

const Result<LoadedRules>& RulesOf(DoctorWorld& world, bool keep_whole) {
  const auto known = world.rules.find(keep_whole);
  if (known != world.rules.end()) return known->second;
  LoadOptions options = world.config.rules;
  options.keep_whole = keep_whole;
  return world.rules.emplace(keep_whole, LoadRules(world.config.rules_files, options))
      .first->second;
}

std::optional<pid_t> DaemonPid(DoctorWorld& world) {
  if (!world.daemon) {
    world.daemon = ListenerPid(ControlSocketPath(world.socket_path), SOCK_STREAM);
  }
  return *world.daemon == 0 ? std::nullopt : world.daemon;
}

std::optional<std::string> ReadNode(const DoctorWorld& world, const std::string& path) {
  constexpr size_t kBytesMax = size_t{1} << 20;
  auto text = ReadWholeFile(world.node.Place(path), kBytesMax);
  if (!text) return std::nullopt;
  return std::move(*text);
}

std::string ConfigFile(const DoctorWorld& world) {
  return world.flags.rules.config_file.empty() ? kDefaultConfigFile : world.flags.rules.config_file;
}

std::string ConfigFileWords(const DoctorWorld& world) {
  const std::string& file = world.flags.rules.config_file;
  return file.empty() ? "" : " -c " + ShellWord(AbsolutePath(file));
}

std::string ConfigWords(const DoctorWorld& world) {
  std::string words = ConfigFileWords(world);
  const RunFlags& flags = world.flags.rules;
  for (const std::string& rules : flags.rules_files) {
    words += " -r " + ShellWord(AbsolutePath(rules));
  }
  for (const std::string& setting : flags.settings) words += " -o " + ShellWord(setting);
  return words;
}

std::string DryRunMend(const DoctorWorld& world) {
  return "gyrfalcon run --dry-run" + ConfigWords(world);
}

std::string InstallMend(const DoctorWorld& world, const std::string& engine,
                        const std::string& more) {
  std::string words = "gyrfalcon install " + engine + ConfigWords(world);
  if (world.node.is_copy()) words += " --root=" + ShellWord(world.node.Place(""));
  const std::string usual =
      world.config.socket_path.empty() ? DefaultSocketPath() : world.config.socket_path;
  if (world.socket_path != AbsolutePath(usual)) {
    words += " --socket=" + ShellWord(world.socket_path);
  }
  if (engine == "docker" && world.docker_socket != DockerSocket()) {
    words += " --docker-socket=" + ShellWord(world.docker_socket);
  }
  if (!world.runsc.empty()) words += " --runsc=" + ShellWord(world.runsc);
  return words + more;
}

std::string SessionMend(DoctorWorld& world, const std::string& session_file) {
  const auto& runtimes = NodeRuntimes(world);
  const auto named = std::ranges::find(runtimes, session_file, &NodeRuntime::session_file);
  const auto text = world.node.Read(session_file);
  const auto record = ReadSessionRecord(world.node.RecordFolder());
  const bool is_ours =
      text && (!*text || IsEmptySession(**text) || (record && record->text == **text));
  if (named != runtimes.end() && is_ours) {
    return InstallMend(
        world, named->engine,
        session_file == kDefaultSessionFile ? "" : " --session-config=" + ShellWord(session_file));
  }
  std::string words = "gyrfalcon session generate" + ConfigWords(world);
  const bool has_rules = !world.flags.rules.rules_files.empty();
  if (!has_rules && world.config.rules_files == std::vector<std::string>{kDefaultRulesFolder}) {
    words += fmt::format(" -r {}", kDefaultRulesFolder);
  }
  const auto programs = RunscPrograms(world);
  if (!programs.empty()) words += " --runsc " + ShellWord(programs.front());
  return fmt::format("{} --socket {} > {}", words, ShellWord(world.socket_path),
                     ShellWord(world.node.Place(session_file)));
}

bool RunsSystemd(const DoctorWorld& world) {
  std::error_code error;
  return world.is_live &&
         std::filesystem::is_directory(world.node.Place("/run/systemd/system"), error);
}

std::string StartMend(const DoctorWorld& world) {
  if (RunsSystemd(world)) {
    const bool is_installed = std::ranges::any_of(kUnitFolders, [&](std::string_view folder) {
      std::error_code error;
      return std::filesystem::exists(world.node.Place(std::string(folder) + "gyrfalcon.service"),
                                     error);
    });
    return is_installed ? "systemctl start gyrfalcon.socket gyrfalcon.service"
                        : "gyrfalcon install systemd";
  }
  std::string words = "gyrfalcon run" + ConfigWords(world);
  if (!world.session_file.empty()) {
    words += " -g " + ShellWord(world.node.Place(world.session_file));
    const auto endpoint = EndpointOf(world, world.session_file);
    if (endpoint && world.config.socket_path.empty() &&
        CanonicalPath(*endpoint) != CanonicalPath(world.socket_path)) {
      words += " -o gvisor.socket=" + ShellWord(world.socket_path);
    }
  } else if (world.config.socket_path.empty() && world.socket_path != DefaultSocketPath()) {
    words += " -o gvisor.socket=" + ShellWord(world.socket_path);
  }
  return words + " &";
}

std::string EditKey(const DoctorWorld& world, std::string_view key) {
  return fmt::format("{}  # {}", EditMend("", ConfigFile(world)), key);
}

std::string EditMend(const std::string& text, const std::string& file) {
  const size_t colon = text.find(':');
  const std::string path = text.substr(0, colon);
  size_t end = colon == std::string::npos ? colon : text.find_first_not_of("0123456789", colon + 1);
  const bool has_line =
      end != std::string::npos && end > colon + 1 && path.contains('.') && !path.contains(' ');
  if (!has_line) return "${EDITOR:-vi} " + ShellWord(file);
  return fmt::format("${{EDITOR:-vi}} +{} {}", text.substr(colon + 1, end - colon - 1),
                     ShellWord(path));
}

}  // namespace gyrfalcon
