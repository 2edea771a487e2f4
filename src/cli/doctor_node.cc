// The doctor's checks of Docker's, containerd's and systemd's files.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/containerd_files.h"
#include "cli/doctor.h"
#include "cli/file.h"
#include "engine/sandbox_sessions.h"
#include "runsc/attach.h"

namespace gyrfalcon {
namespace {

void AddTroubles(Mistake mistake, const std::vector<Error>& troubles, const std::string& file,
                 std::vector<Finding>& findings) {
  for (const Error& trouble : troubles) {
    findings.push_back(Found(mistake, trouble.message, EditMend(trouble.message, file)));
  }
}

std::string NamesWithSession(const std::vector<NodeRuntime>& runtimes, const std::string& engine) {
  std::vector<std::string> names;
  for (const NodeRuntime& runtime : runtimes) {
    if (runtime.engine != engine || runtime.session_file.empty()) continue;
    names.push_back(fmt::format("{} has {}", runtime.name.empty() ? runtime.place : runtime.name,
                                runtime.session_file));
  }
  return Join(names, ", ");
}

// Whether dockerd has what its file says.
void CheckReloaded(DoctorWorld& world, std::vector<Finding>& findings) {
  const auto& daemon = RunningDocker(world);
  if (!daemon) return;
  for (const NodeRuntime& runtime : NodeRuntimes(world)) {
    if (runtime.engine != "docker" || runtime.session_file.empty()) continue;
    const auto has = world.dockers_session(*daemon, runtime.name);
    if (!has) {
      findings.push_back(Skipped("what Docker has taken up: " + has.error().message));
      return;
    }
    const bool is_shims = !runtime.place.starts_with(daemon->config_file);
    if (*has && (is_shims || **has == runtime.session_file)) continue;
    findings.push_back(
        Found(Mistake::kDockerNotReloaded,
              fmt::format("{}: Docker (pid {}) has not taken up the runtime {} as it stands there",
                          runtime.place, daemon->pid, runtime.name),
              fmt::format("kill -HUP {}", daemon->pid)));
  }
}

}  // namespace

std::vector<Finding> CheckDocker(DoctorWorld& world) {
  const std::string file = DockerConfigFile(world);
  const auto& runtimes = NodeRuntimes(world);
  std::vector<Finding> findings;
  AddTroubles(Mistake::kDockerConfigInvalid, world.docker_troubles, file, findings);
  size_t count = 0;
  for (const NodeRuntime& runtime : runtimes) {
    if (runtime.engine != "docker") continue;
    ++count;
    if (!runtime.session_file.empty()) continue;
    findings.push_back(Found(
        Mistake::kDockerUnconfigured,
        fmt::format("{}: the runtime \"{}\" names no session config{}", runtime.place, runtime.name,
                    runtime.has_toml ? "" : ", and no TOML that could: give it a ConfigPath"),
        runtime.has_toml ? InstallMend(world, "docker") : EditMend(runtime.place, file)));
  }
  CheckReloaded(world, findings);
  const bool has_others = std::ranges::any_of(
      runtimes, [](const NodeRuntime& runtime) { return runtime.engine != "docker"; });
  if (!findings.empty()) return findings;
  if (count != 0) return {Well(NamesWithSession(runtimes, "docker"))};
  if (!RunningDocker(world)) {
    return {Skipped("no Docker daemon answers at " + world.docker_socket + ", and " + file +
                    " has no gVisor runtime")};
  }
  if (has_others) return {Skipped(file + " has no gVisor runtime")};
  return {Found(Mistake::kDockerUnconfigured, file + " has no gVisor runtime",
                InstallMend(world, "docker"))};
}

std::vector<Finding> CheckContainerd(DoctorWorld& world) {
  const auto& runtimes = NodeRuntimes(world);
  std::vector<Finding> findings;
  AddTroubles(Mistake::kContainerdConfigInvalid, world.containerd_troubles, kContainerdConfigFile,
              findings);
  size_t count = 0;
  for (const NodeRuntime& runtime : runtimes) {
    if (runtime.engine != "containerd") continue;
    ++count;
    if (!runtime.session_file.empty()) continue;
    if (!runtime.has_toml) {
      findings.push_back(Found(
          Mistake::kContainerdUnconfigured,
          fmt::format("{}: the runtime \"{}\" names no TOML (ConfigPath) for its session config",
                      runtime.place, runtime.name),
          InstallMend(world, "containerd") +
              (world.is_live ? " && systemctl restart containerd" : "")));
      continue;
    }
    findings.push_back(Found(
        Mistake::kShimUnconfigured,
        fmt::format(
            "{}: no pod-init-config in [runsc_config]{}", runtime.place,
            runtime.name.empty() ? "" : ", which the runtime \"" + runtime.name + "\" reads"),
        InstallMend(world, "containerd",
                    runtime.name.empty() ? " --runsc-config=" + ShellWord(runtime.place) : "")));
  }
  if (!findings.empty()) return findings;
  if (count != 0) return {Well(NamesWithSession(runtimes, "containerd"))};
  return {Skipped(std::string(kContainerdConfigFile) + " has no gVisor runtime")};
}

namespace {

// A unit's settings, with its drop-ins; an empty one takes back what was before it.
struct Unit {
  std::string path;  // "": there is none
  std::vector<std::pair<std::string, std::string>> settings;

  std::vector<std::string> Words(std::string_view key) const {
    std::vector<std::string> words;
    for (const auto& [name, value] : settings) {
      if (name != key) continue;
      if (value.empty()) words.clear();
      for (const std::string_view word : Split(value, ' ')) {
        if (!word.empty()) words.emplace_back(word);
      }
    }
    return words;
  }
};

void AddSettings(const std::string& text, Unit& unit) {
  for (const std::string_view line : Split(text, '\n')) {
    const size_t equals = line.find('=');
    if (line.starts_with('#') || line.starts_with(';') || equals == std::string_view::npos)
      continue;
    unit.settings.emplace_back(TrimBlanks(line.substr(0, equals)),
                               TrimBlanks(line.substr(equals + 1)));
  }
}

Unit ReadUnit(const DoctorWorld& world, const std::string& name) {
  Unit unit;
  for (const std::string_view folder : kUnitFolders) {
    const std::string path = std::string(folder) + name;
    const auto text = unit.path.empty() ? ReadNode(world, path) : std::nullopt;
    if (!text) continue;
    unit.path = path;
    AddSettings(*text, unit);
  }
  std::vector<std::pair<std::string, std::string>> drop_ins;  // by name, whatever the folder
  for (const std::string_view folder : kUnitFolders) {
    std::error_code error;
    const std::string place = std::string(folder) + name + ".d";
    for (std::filesystem::directory_iterator it(world.node.Place(place), error), end;
         !error && it != end; it.increment(error)) {
      const std::string file = it->path().filename();
      if (file.ends_with(".conf")) drop_ins.emplace_back(file, place + "/" + file);
    }
  }
  std::ranges::sort(drop_ins);
  for (const auto& [file, path] : drop_ins) AddSettings(ReadNode(world, path).value_or(""), unit);
  return unit;
}

std::string DropIn(std::string_view unit, std::string_view text) {
  return fmt::format(
      "mkdir -p /etc/systemd/system/{0}.d && printf '{1}' > "
      "/etc/systemd/system/{0}.d/gyrfalcon-doctor.conf && systemctl daemon-reload",
      unit, text);
}

bool IsEnabled(const DoctorWorld& world, const std::string& wanted_by, const std::string& name) {
  return std::ranges::any_of(kUnitFolders, [&](std::string_view folder) {
    std::error_code error;
    const auto link = std::filesystem::symlink_status(
        world.node.Place(std::string(folder) + wanted_by + ".wants/" + name), error);
    return std::filesystem::exists(link);
  });
}

void CheckOrder(const DoctorWorld& world, const Unit& socket, std::vector<Finding>& findings) {
  const auto before = socket.Words("Before");
  std::vector<std::string> missing;
  for (const char* engine : {"docker.service", "containerd.service"}) {
    const bool is_there = !ReadUnit(world, engine).path.empty();
    if (is_there && std::ranges::find(before, engine) == before.end()) missing.emplace_back(engine);
  }
  if (missing.empty()) return;
  const std::string engines = Join(missing, " ");
  findings.push_back(Found(Mistake::kUnitOrder,
                           fmt::format("{} has no Before={}: containers may start at boot before "
                                       "there is somewhere to connect to",
                                       socket.path, engines),
                           DropIn("gyrfalcon.socket", "[Unit]\\nBefore=" + engines + "\\n")));
}

void CheckUnitSocket(const DoctorWorld& world, const Unit& socket, std::vector<Finding>& findings) {
  const auto listens = socket.Words("ListenSequentialPacket");
  const bool is_ours =
      listens.size() == 1 && CanonicalPath(listens.front()) == CanonicalPath(world.socket_path);
  if (is_ours) return;
  findings.push_back(
      Found(Mistake::kUnitElsewhere,
            fmt::format("{} listens at {}, and the config says {}", socket.path,
                        listens.empty() ? "nothing" : Join(listens, " and "), world.socket_path),
            DropIn("gyrfalcon.socket",
                   "[Socket]\\nListenSequentialPacket=\\n"
                   "ListenSequentialPacket=" +
                       world.socket_path + "\\n") +
                " && systemctl restart gyrfalcon.socket gyrfalcon.service"));
}

}  // namespace

std::vector<Finding> CheckUnits(DoctorWorld& world) {
  const Unit service = ReadUnit(world, "gyrfalcon.service");
  const Unit socket = ReadUnit(world, "gyrfalcon.socket");
  if (service.path.empty() && socket.path.empty()) {
    return {Skipped(std::string("no units of gyrfalcon are installed") +
                    (RunsSystemd(world) ? "; `gyrfalcon install systemd` does that" : ""))};
  }
  std::vector<Finding> findings;
  if (socket.path.empty() || service.path.empty()) {
    findings.push_back(Found(Mistake::kUnitsPartial,
                             fmt::format("{} is there, and gyrfalcon.{} is not",
                                         socket.path.empty() ? service.path : socket.path,
                                         socket.path.empty() ? "socket" : "service"),
                             "gyrfalcon install systemd"));
  }
  if (!socket.path.empty()) {
    CheckOrder(world, socket, findings);
    CheckUnitSocket(world, socket, findings);
    if (!IsEnabled(world, "sockets.target", "gyrfalcon.socket")) {
      findings.push_back(Found(Mistake::kUnitDisabled,
                               socket.path + " is not enabled: after a reboot nobody listens",
                               "systemctl enable --now gyrfalcon.socket"));
    }
  }
  if (!service.path.empty()) {
    if (!IsEnabled(world, "multi-user.target", "gyrfalcon.service")) {
      findings.push_back(Found(Mistake::kUnitDisabled, service.path + " is not enabled",
                               "systemctl enable --now gyrfalcon.service"));
    }
    const auto tmp = service.Words("PrivateTmp");
    const bool has_own_tmp = !tmp.empty() && (tmp.back() == "yes" || tmp.back() == "true");
    // A socket of systemd's own lies in the /tmp of everybody.
    if (has_own_tmp && socket.path.empty() && !TmpFolderOf(world.socket_path).empty()) {
      findings.push_back(
          Found(Mistake::kUnitPrivateTmp,
                fmt::format("{} has PrivateTmp=, and the socket {} lies in its own /tmp then",
                            service.path, world.socket_path),
                EditKey(world, "gvisor.socket")));
    }
  }
  if (findings.empty()) findings.push_back(Well(socket.path + " and " + service.path));
  return findings;
}

}  // namespace gyrfalcon
