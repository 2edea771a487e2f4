// `install containerd`: the TOML that the shim of each of gVisor's runtimes reads gets the session
// config; a runtime that names none gets one. On GKE, too.
#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/containerd_files.h"
#include "cli/install.h"
#include "cli/node_program.h"
#include "setup/containerd_config.h"
#include "setup/runsc_config.h"

namespace gyrfalcon {
namespace {

constexpr const char* kRunscToml = "/etc/containerd/runsc.toml";
constexpr const char* kShim = "containerd-shim-runsc-v1";

class ContainerdInstall {
 public:
  explicit ContainerdInstall(InstallFlags flags) : installer_("containerd", std::move(flags)) {}

  int Run() {
    if (const auto read = installer_.ReadRecord(); !read) return Report(read.error());
    const auto planned = flags().undo ? PlanUndo() : PlanInstall();
    return installer_.Finish(planned, [this] { return flags().undo ? Undo() : Install(); });
  }

 private:
  const InstallFlags& flags() const { return installer_.flags(); }
  std::string MainConfig() const {
    return flags().config_file.empty() ? kContainerdConfigFile : flags().config_file;
  }

  Result<void> PlanInstall() {
    if (flags().runsc_config.empty()) {
      const auto read = PlanContainerd();
      if (!read) return read;
    } else {
      tomls_.push_back(flags().runsc_config);
    }
    for (const std::string& toml : tomls_) {
      if (const auto planned = PlanToml(toml); !planned) return planned;
    }
    // Behind the TOMLs that they name: without those no sandbox starts.
    for (PlannedFile& config : configs_) {
      installer_.Plan(config.kind, config.path, std::move(config.now), std::move(config.wanted));
    }
    if (const auto session = installer_.PlanSession(runscs_); !session) return session;
    return installer_.PlanQueue();
  }

  Result<void> PlanContainerd() {
    const std::string main = MainConfig();
    auto text = installer_.files().Read(main);
    if (!text) return std::unexpected(text.error());
    const auto config = ReadContainerdConfig(main, text->value_or(""), flags().runtimes);
    if (!config) return std::unexpected(config.error());
    ContainerdWish wish{.config_path = kRunscToml, .also = flags().runtimes};
    size_t count = config->runtimes.size();
    for (const std::string& path : ImportedFiles(installer_.files(), main, config->imports)) {
      const auto found = PlanFile(path, wish, config->version, true);
      if (!found) return std::unexpected(found.error());
      count += *found;
    }
    if (count == 0) {
      if (!FindNodeProgram(installer_.files(), kShim)) {
        return Fail(Fault::kInput,
                    fmt::format("{}: no runtime of gVisor in it, and no {} to add one for: see "
                                "docs/containerd.md; where containerd's config lies elsewhere, "
                                "--config-file, and runsc's TOML alone, --runsc-config",
                                main, kShim));
      }
      wish.new_name = "runsc";
      record_.new_runtime = wish.new_name;
    }
    const auto planned = PlanFile(main, wish, 0, false);
    if (!planned) return std::unexpected(planned.error());
    return {};
  }

  // How many of gVisor's runtimes it has.
  Result<size_t> PlanFile(const std::string& path, const ContainerdWish& wish, int version,
                          bool is_imported) {
    auto now = installer_.files().Read(path);
    if (!now) return std::unexpected(now.error());
    auto wanted = AddToContainerdConfig(path, now->value_or(""), wish, version);
    if (!wanted) return std::unexpected(wanted.error());
    const auto config = ReadContainerdConfig(path, *wanted, wish.also, version);
    if (!config) return std::unexpected(config.error());
    for (const ContainerdRuntime& runtime : config->runtimes) {
      if (std::ranges::find(tomls_, runtime.config_path) != tomls_.end()) continue;
      tomls_.push_back(runtime.config_path);
    }
    if (*wanted != now->value_or("")) {
      needs_restart_ = true;
      record_.config_path = wish.config_path;
    }
    if (!is_imported || *wanted != now->value_or("")) {
      configs_.push_back(
          {SetupFile::kContainerd, path, *now,
           *now || !wanted->empty() ? std::optional(std::move(*wanted)) : std::nullopt});
    }
    return config->runtimes.size();
  }

  Result<void> PlanToml(const std::string& path) {
    auto now = installer_.files().Read(path);
    if (!now) return std::unexpected(now.error());
    const auto config = ReadRunscConfig(path, now->value_or(""));
    if (!config) return std::unexpected(config.error());
    std::vector<std::string> args;
    if (!config->platform.empty()) args.push_back("--platform=" + config->platform);
    auto runsc = installer_.FindRunsc(config->binary, std::move(args));
    if (!runsc) return std::unexpected(runsc.error());
    if (std::ranges::find(runscs_, runsc->program, &NodeRunsc::program) == runscs_.end()) {
      runscs_.push_back(std::move(*runsc));
    }
    auto wanted =
        AddToRunscConfig(path, now->value_or(""), installer_.session_file(), flags().replace);
    if (!wanted) return std::unexpected(wanted.error());
    installer_.Plan(SetupFile::kRunsc, path, std::move(*now), std::move(*wanted));
    return {};
  }

  // Without a record: the TOMLs that containerd names now.
  Result<void> PlanUndo() {
    std::vector<RecordedFile> unrecorded;
    if (!flags().runsc_config.empty()) {
      unrecorded.push_back({SetupFile::kRunsc, flags().runsc_config, {}, {}});
    } else if (installer_.record().files.empty()) {
      const auto text = installer_.files().Read(MainConfig());
      if (!text) return std::unexpected(text.error());
      const auto config = ReadContainerdConfig(MainConfig(), text->value_or(""), flags().runtimes);
      if (!config) return std::unexpected(config.error());
      for (const ContainerdRuntime& runtime : config->runtimes) {
        if (runtime.config_path.empty()) continue;
        unrecorded.push_back({SetupFile::kRunsc, runtime.config_path, {}, {}});
      }
    }
    for (const RecordedFile& file : installer_.record().files) {
      needs_restart_ |= file.kind == SetupFile::kContainerd;
    }
    return installer_.PlanUndo(unrecorded);
  }

  void TellRestart() const {
    if (installer_.files().is_copy()) return;
    if (!needs_restart_) {
      fmt::print("sandboxes that start from now on have it; containerd needs no restart\n");
      return;
    }
    fmt::print(
        "containerd reads its own config at its start only: `systemctl restart containerd` takes "
        "this up. Pods and containers go on meanwhile, and none can be started or stopped for as "
        "long as it takes{}\n",
        flags().undo ? "" : "; until then sandboxes start as before");
  }

  Result<void> Install() {
    if (const auto proven = installer_.Prove(runscs_); !proven) return proven;
    const bool changes = installer_.changes();
    if (!changes) fmt::print("all is as it is to be already\n");
    if (const auto written = installer_.Write(record_); !written) return written;
    if (changes) TellRestart();
    installer_.TellListener();
    return {};
  }

  Result<void> Undo() {
    const bool changes = installer_.changes();
    if (!changes) fmt::print("nothing of gyrfalcon's is in containerd's files\n");
    if (const auto written = installer_.Write(); !written) return written;
    if (changes) TellRestart();
    return installer_.FinishUndo();
  }

  Installer installer_;
  UndoRecord record_;
  std::vector<PlannedFile> configs_;  // containerd's own
  std::vector<std::string> tomls_;
  std::vector<NodeRunsc> runscs_;
  bool needs_restart_ = false;
};

}  // namespace

int InstallInContainerd(std::vector<std::string> args) {
  const auto app = MakeApp("install containerd");
  InstallFlags flags;
  AddInstallFlags(*app, flags);
  AddRuntimeFlags(*app, flags);
  CLI::Option* config =
      app->add_option("--config-file", flags.config_file,
                      fmt::format("containerd's config (default: {})", kContainerdConfigFile));
  app->add_option("--runsc-config", flags.runsc_config,
                  fmt::format("Only the TOML of runsc's shim, as containerd's ConfigPath names it; "
                              "GKE's is {}",
                              kGkeRunscToml))
      ->excludes(config);
  if (const auto code = Parse(*app, std::move(args))) return *code;
  if (const auto valid = CheckInstallFlags(flags); !valid) return Report(valid.error());
  return ContainerdInstall(std::move(flags)).Run();
}

}  // namespace gyrfalcon
