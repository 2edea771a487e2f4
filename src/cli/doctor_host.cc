// The doctor's checks of the kernel's settings, and of who else runs on the node.
#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/text.h"
#include "cli/doctor.h"
#include "cli/file.h"
#include "runsc/attach.h"
#include "service/control.h"
#include "wire/listener.h"

namespace gyrfalcon {
namespace {

constexpr uint64_t kQueueBytes = 212'992;  // the kernel's own default
constexpr uint64_t kMessageBytes = 769;    // 277 small messages in that many bytes, measured

std::optional<uint64_t> Setting(const DoctorWorld& world, const std::string& path) {
  const auto text = ReadNode(world, path);
  return text ? ParseUint(TrimBlanks(*text)) : std::nullopt;
}

uint64_t DroppedBySandboxes(const DoctorWorld& world) {
  const auto status = AskDaemon(ControlSocketPath(world.socket_path), "/status");
  const auto json = status ? nlohmann::json::parse(*status, nullptr, false) : nlohmann::json();
  const auto dropped = json.is_object()
                           ? json.value("/counters/dropped"_json_pointer, nlohmann::json())
                           : nlohmann::json();
  return dropped.is_number_unsigned() ? dropped.get<uint64_t>() : 0;
}

}  // namespace

std::vector<Finding> CheckQueue(DoctorWorld& world) {
  constexpr const char* kFile = "/proc/sys/net/core/wmem_default";
  const auto bytes = Setting(world, kFile);
  if (!bytes) return {Skipped(std::string(kFile) + " can't be read here")};
  const std::string now = fmt::format(
      "net.core.wmem_default is {}: some {} small messages of a sandbox may wait to be read",
      *bytes, *bytes / kMessageBytes);
  if (*bytes < kQueueBytes) {
    return {Found(Mistake::kQueueSmall,
                  fmt::format("{}, less than with the kernel's own {}", now, kQueueBytes),
                  fmt::format("sysctl -w net.core.wmem_default={}", kQueueBytes))};
  }
  const uint64_t dropped = DroppedBySandboxes(world);
  if (dropped == 0) return {Well(now)};
  constexpr uint64_t kRaisedBytes = uint64_t{4} << 20;
  const uint64_t wanted = std::max(kRaisedBytes, *bytes * 2);
  return {
      Found(Mistake::kQueueOverrun,
            fmt::format("{}, and sandboxes have dropped {} since the daemon started", now, dropped),
            fmt::format("sysctl -w net.core.wmem_default={0} && printf "
                        "'net.core.wmem_default = {0}\\n' > /etc/sysctl.d/60-gyrfalcon.conf",
                        wanted))};
}

std::vector<Finding> CheckBacklog(DoctorWorld& world) {
  constexpr const char* kFile = "/proc/sys/net/core/somaxconn";
  const auto most = Setting(world, kFile);
  if (!most) return {Skipped(std::string(kFile) + " can't be read here")};
  const std::string now = fmt::format("net.core.somaxconn is {}", *most);
  if (*most >= static_cast<uint64_t>(Listener::kBacklog)) return {Well(now)};
  return {Found(Mistake::kBacklogSmall,
                fmt::format("{}: fewer clients may wait than the {} of gyrfalcon's socket", now,
                            Listener::kBacklog),
                fmt::format("sysctl -w net.core.somaxconn={}", Listener::kBacklog))};
}

namespace {

// The hard limit, to which the daemon raises its own.
std::optional<uint64_t> OpenFilesMax(const std::string& limits) {
  constexpr std::string_view kRow = "Max open files";
  for (const std::string_view line : Split(limits, '\n')) {
    if (!line.starts_with(kRow)) continue;
    std::vector<std::string_view> words;
    for (const std::string_view word : Split(line.substr(kRow.size()), ' ')) {
      if (!word.empty()) words.push_back(word);
    }
    if (words.size() > 1) return words[1] == "unlimited" ? UINT64_MAX : ParseUint(words[1]);
  }
  return std::nullopt;
}

}  // namespace

std::vector<Finding> CheckDescriptors(DoctorWorld& world) {
  constexpr uint64_t kLeast = 4'096;
  const auto pid = DaemonPid(world);
  if (!pid) return {Skipped("no daemon can be asked")};
  const auto limits = ReadNode(world, fmt::format("/proc/{}/limits", *pid));
  const auto most = limits ? OpenFilesMax(*limits) : std::nullopt;
  if (!most) return {Skipped(fmt::format("the limits of process {} can't be read here", *pid))};
  const std::string now = fmt::format("the daemon (pid {}) may have {} descriptors", *pid, *most);
  if (*most >= kLeast) return {Well(now)};
  return {Found(Mistake::kDescriptorsFew,
                now + ", and each sandbox takes one, each client that has not spoken yet another",
                "mkdir -p /etc/systemd/system/gyrfalcon.service.d && printf "
                "'[Service]\\nLimitNOFILE=40960\\n' > "
                "/etc/systemd/system/gyrfalcon.service.d/gyrfalcon-doctor.conf && systemctl "
                "daemon-reload && systemctl restart gyrfalcon.service")};
}

namespace {

struct HostProcess {
  pid_t pid = 0;
  std::vector<std::string> words;  // its command line
};

// Those of that name.
std::vector<HostProcess> ProcessesCalled(const DoctorWorld& world, const std::string& name) {
  constexpr size_t kEntriesMax = 100'000;
  std::vector<HostProcess> found;
  std::error_code error;
  size_t count = 0;
  for (std::filesystem::directory_iterator it(world.node.Place("/proc"), error), end;
       !error && it != end && count < kEntriesMax; it.increment(error), ++count) {
    const auto pid = ParseUint(it->path().filename().native());
    if (!pid) continue;
    const auto comm = ReadNode(world, fmt::format("/proc/{}/comm", *pid));
    if (!comm || TrimBlanks(*comm) != name) continue;
    HostProcess process{.pid = static_cast<pid_t>(*pid), .words = {}};
    const auto line = ReadNode(world, fmt::format("/proc/{}/cmdline", *pid)).value_or("");
    for (const std::string_view word : Split(line, '\0')) process.words.emplace_back(word);
    found.push_back(std::move(process));
  }
  return found;
}

bool IsForGvisor(const HostProcess& falco) {
  return std::ranges::any_of(falco.words, [](const std::string& word) {
    return word.starts_with("-g") || word.contains("gvisor");
  });
}

bool IsDaemon(const HostProcess& process) {
  return process.words.size() > 1 &&
         (process.words[1] == "run" || process.words[1].starts_with('-'));
}

}  // namespace

std::vector<Finding> CheckOthers(DoctorWorld& world) {
  std::error_code error;
  if (!std::filesystem::is_directory(world.node.Place("/proc"), error)) {
    return {Skipped("no /proc here")};
  }
  std::vector<Finding> findings;
  for (const HostProcess& falco : ProcessesCalled(world, "falco")) {
    if (!IsForGvisor(falco)) continue;
    findings.push_back(Found(
        Mistake::kFalcoRuns,
        fmt::format("Falco runs (pid {}) and listens to gVisor, too: {}", falco.pid,
                    Join(falco.words, " ")),
        RunsSystemd(world) ? "systemctl disable --now falco" : fmt::format("kill {}", falco.pid)));
  }
  const auto own = DaemonPid(world);
  for (const HostProcess& process : ProcessesCalled(world, "gyrfalcon")) {
    if (!own || process.pid == *own || process.pid == getpid() || !IsDaemon(process)) continue;
    findings.push_back(
        Found(Mistake::kSecondDaemon,
              fmt::format("another gyrfalcon runs (pid {}), beside the one at {} (pid {}): {}",
                          process.pid, world.socket_path, *own, Join(process.words, " ")),
              fmt::format("ps -fp {},{}", *own, process.pid)));
  }
  if (findings.empty()) findings.push_back(Well("no Falco for gVisor, and no second gyrfalcon"));
  return findings;
}

std::vector<Finding> CheckNamespaces(DoctorWorld& world) {
  const auto pid = DaemonPid(world);
  if (!pid) return {Skipped("no daemon can be asked")};
  const auto space_of = [&world](const std::string& process, const char* kind) {
    std::array<char, 64> target{};
    const std::string link = world.node.Place(fmt::format("/proc/{}/ns/{}", process, kind));
    const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
    return size <= 0 ? std::string() : std::string(target.data(), static_cast<size_t>(size));
  };
  constexpr struct {
    const char* kind;
    std::string_view what, lost, chart;
  } kKinds[] = {
      {"net", "network",
       "an older runsc can't reach sandboxes from there, and who listens to them can't be seen",
       "hostNetwork=true"},
      {"pid", "PID", "which process connects can't be seen from there, nor which sandbox it is",
       "hostPID=true"},
  };
  std::vector<Finding> findings;
  for (const auto& kind : kKinds) {
    const std::string nodes = space_of("1", kind.kind);
    const std::string daemons = space_of(fmt::format("{}", *pid), kind.kind);
    if (nodes.empty() || daemons.empty()) {
      return {
          Skipped(fmt::format("the namespaces of processes 1 and {} can't be read here", *pid))};
    }
    if (nodes == daemons) continue;
    findings.push_back(
        Found(Mistake::kNamespaceOther,
              fmt::format("the daemon (pid {}) is in a {} namespace of its own: {}", *pid,
                          kind.what, kind.lost),
              fmt::format("helm upgrade gyrfalcon deploy/helm/gyrfalcon --reuse-values --set {}",
                          kind.chart)));
  }
  if (findings.empty()) findings.push_back(Well("the daemon's are the node's"));
  return findings;
}

}  // namespace gyrfalcon
