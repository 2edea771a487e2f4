// `install systemd`: the units of deploy/systemd, enabled and started.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/install.h"
#include "runsc/child.h"

namespace gyrfalcon {

extern const std::string_view kServiceUnit;
extern const std::string_view kSocketUnit;

namespace {

constexpr std::string_view kFolder = "/etc/systemd/system/";
constexpr std::string_view kSocketName = "gyrfalcon.socket";
constexpr std::string_view kServiceName = "gyrfalcon.service";
// Where a package, or `./dev install`, has put them; and where systemd looks for `gyrfalcon`.
constexpr std::string_view kOtherFolders[] = {"/usr/lib/systemd/system/", "/lib/systemd/system/",
                                              "/usr/local/lib/systemd/system/"};
constexpr std::string_view kSearched[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                          "/usr/bin",        "/sbin",          "/bin"};

// The unit names the program as systemd finds it, or else by the path of this one.
std::string ServiceText() {
  std::string text(kServiceUnit);
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const bool is_found = std::ranges::any_of(kSearched, [&self](std::string_view folder) {
    std::error_code ignored;
    return std::filesystem::equivalent(self, std::string(folder) + "/gyrfalcon", ignored);
  });
  constexpr std::string_view kStart = "ExecStart=gyrfalcon run";
  const size_t at = text.find(kStart);
  if (error || is_found || at == std::string::npos) return text;
  return text.replace(at, kStart.size(), "ExecStart=" + self.string() + " run");
}

bool IsSystemdRunning() {
  std::error_code error;
  return std::filesystem::is_directory("/run/systemd/system", error);
}

Result<void> Systemctl(std::vector<std::string> words) {
  words.insert(words.begin(), "systemctl");
  constexpr std::chrono::seconds kPatience{90};  // a start waits for READY=1
  const auto done = RunChild(words, {.patience = kPatience});
  if (done) return {};
  return Fail(Fault::kEnvironment,
              done.error().message + "; `systemctl status gyrfalcon.service` says more");
}

// Units that somebody else has put there are used as they are.
Result<void> PlanUnits(Installer& installer) {
  const std::pair<std::string_view, std::string> units[] = {{kSocketName, std::string(kSocketUnit)},
                                                            {kServiceName, ServiceText()}};
  for (const auto& [name, text] : units) {
    bool is_there = false;
    for (const std::string_view folder : kOtherFolders) {
      const auto there = installer.files().Read(std::string(folder) + std::string(name));
      is_there |= there && there->has_value();
    }
    if (is_there) {
      fmt::print("{} is installed already, and used as it is\n", name);
      continue;
    }
    const std::string path = std::string(kFolder) + std::string(name);
    auto now = installer.files().Read(path);
    if (!now) return std::unexpected(now.error());
    installer.Plan(SetupFile::kOwn, path, std::move(*now), text);
  }
  return {};
}

Result<void> Install(Installer& installer, bool manages) {
  if (const auto written = installer.Write(); !written) return written;
  if (!manages) return {};
  if (const auto reloaded = Systemctl({"daemon-reload"}); !reloaded) return reloaded;
  const auto started =
      Systemctl({"enable", "--now", std::string(kSocketName), std::string(kServiceName)});
  if (!started) return started;
  fmt::print("gyrfalcon.socket and gyrfalcon.service are enabled and run\n");
  return {};
}

Result<void> Undo(Installer& installer, bool manages) {
  if (manages) {
    const auto stopped =
        Systemctl({"disable", "--now", std::string(kServiceName), std::string(kSocketName)});
    // Units that are gone already are no reason to stop here.
    if (!stopped) Report(stopped.error());
  }
  if (const auto written = installer.Write(); !written) return written;
  if (const auto dropped = installer.files().DropRecord("systemd"); !dropped) return dropped;
  if (manages) return Systemctl({"daemon-reload"});
  return {};
}

// Without a listener they start no sandbox.
Result<void> RefuseWhereClosed(const Installer& installer) {
  for (const char* other : {"docker", "containerd"}) {
    const auto record = installer.files().ReadRecord(other);
    if (!record || !*record) continue;
    const std::string& path = (*record)->session_file;
    const auto text = installer.files().Read(path);
    const auto session =
        text && *text ? ParseSessionConfig(path, **text) : Fail(Fault::kInput, "none is there");
    if (!session || session->on_failure == OnFailure::kOpen) continue;
    return Fail(Fault::kInput,
                fmt::format("{} says `closed`: without gyrfalcon no sandbox would start; first "
                            "`gyrfalcon install {} --undo`",
                            path, other));
  }
  return {};
}

}  // namespace

int InstallInSystemd(std::vector<std::string> args) {
  const auto app = MakeApp("install systemd");
  InstallFlags flags;
  AddInstallFlags(*app, flags);
  if (const auto code = Parse(*app, std::move(args))) return *code;
  const bool undo = flags.undo, dry_run = flags.dry_run;
  Installer installer("systemd", std::move(flags));
  if (const auto read = installer.ReadRecord(); !read) return Report(read.error());
  if (undo) {
    if (const auto open = RefuseWhereClosed(installer); !open) return Report(open.error());
  }
  const auto planned = undo ? installer.PlanUndo({}) : PlanUnits(installer);
  if (!planned) return Report(planned.error());
  installer.ShowPlan();
  if (dry_run) {
    fmt::print("nothing was changed (--dry-run)\n");
    return kExitOk;
  }
  const bool manages = !installer.files().is_copy() && IsSystemdRunning();
  if (!manages) fmt::print("systemd does not run here: files only\n");
  const auto done = undo ? Undo(installer, manages) : Install(installer, manages);
  return done ? kExitOk : Report(done.error());
}

}  // namespace gyrfalcon
