// `install docker`: gVisor's runtimes in daemon.json get the session config, and Docker is told to
// reload. Nothing is restarted.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/docker_daemon.h"
#include "cli/install.h"
#include "setup/docker_config.h"
#include "setup/json_text.h"
#include "setup/runsc_config.h"

namespace gyrfalcon {
namespace {

constexpr const char* kFlag = "pod-init-config";

// Without --pod-init-config, in all its forms.
std::vector<std::string> WithoutSession(const std::vector<std::string>& args) {
  std::vector<std::string> out;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string_view word =
        std::string_view(args[i]).substr(std::min(args[i].find_first_not_of('-'), args[i].size()));
    if (word == kFlag) {
      ++i;
    } else if (!word.starts_with(std::string(kFlag) + "=")) {
      out.push_back(args[i]);
    }
  }
  return out;
}

class DockerInstall {
 public:
  DockerInstall(InstallFlags flags, const std::string& socket)
      : installer_("docker", std::move(flags)), socket_(socket) {}

  int Run() {
    if (const auto read = installer_.ReadRecord(); !read) return Report(read.error());
    if (!installer_.files().is_copy()) daemon_ = FindDockerDaemon(socket_);
    path_ = flags().config_file;
    if (path_.empty()) path_ = daemon_ ? daemon_->config_file : kDockerConfigFile;
    const auto planned = flags().undo ? PlanUndo() : PlanInstall();
    return installer_.Finish(planned, [this] { return flags().undo ? Undo() : Install(); });
  }

 private:
  const InstallFlags& flags() const { return installer_.flags(); }

  Result<std::string> ReadConfig() {
    auto text = installer_.files().Read(path_);
    if (!text) return std::unexpected(text.error());
    now_ = std::move(*text);
    return now_.value_or("");
  }

  Result<void> PlanInstall() {
    const auto text = ReadConfig();
    if (!text) return std::unexpected(text.error());
    DockerWish wish{.session_file = installer_.session_file(),
                    .also = flags().runtimes,
                    .replace = flags().replace,
                    .new_path = {},
                    .new_args = flags().runtime_args};
    const auto before = ReadDockerRuntimes(path_, *text, wish.also);
    if (!before) return std::unexpected(before.error());
    if (before->empty()) {
      const auto runsc = installer_.FindRunsc("", {});
      if (!runsc) return std::unexpected(runsc.error());
      // As the node has it, also where a copy of its tree is edited.
      wish.new_path = !flags().runsc.empty()
                          ? flags().runsc
                          : runsc->program.substr(installer_.files().Place("").size());
    }
    auto after = AddToDockerConfig(path_, *text, wish);
    if (!after) return std::unexpected(after.error());
    const auto runtimes = ReadDockerRuntimes(path_, *after, wish.also);
    if (!runtimes) return std::unexpected(runtimes.error());
    for (const DockerRuntime& runtime : *runtimes) {
      if (const auto taken = TakeRuntime(runtime); !taken) return taken;
    }
    if (const auto session = installer_.PlanSession(runscs_); !session) return session;
    if (const auto queue = installer_.PlanQueue(); !queue) return queue;
    installer_.Plan(SetupFile::kDocker, path_, now_, std::move(*after));
    return {};
  }

  Result<void> TakeRuntime(const DockerRuntime& runtime) {
    std::string program = runtime.path;
    if (!runtime.path.empty()) {
      names_.push_back(runtime.name);
    } else {
      const auto of_shim = PlanShim(runtime);
      if (!of_shim) return std::unexpected(of_shim.error());
      program = *of_shim;
    }
    auto runsc = installer_.FindRunsc(program, WithoutSession(runtime.args));
    if (!runsc) return std::unexpected(runsc.error());
    const bool is_known =
        std::ranges::find(runscs_, runsc->program, &NodeRunsc::program) != runscs_.end();
    if (!is_known) runscs_.push_back(std::move(*runsc));
    return {};
  }

  // One that containerd's shim runs has the session config in its TOML.
  Result<std::string> PlanShim(const DockerRuntime& runtime) {
    if (runtime.config_path.empty()) {
      return Fail(
          Fault::kInput,
          fmt::format("{}: the runtime \"{}\" names no TOML to put the session config into: "
                      "give it \"options\": {{\"TypeUrl\": \"io.containerd.runsc.v1.options\", "
                      "\"ConfigPath\": \"/etc/containerd/runsc.toml\"}}",
                      path_, runtime.name));
    }
    auto now = installer_.files().Read(runtime.config_path);
    if (!now) return std::unexpected(now.error());
    const auto config = ReadRunscConfig(runtime.config_path, now->value_or(""));
    if (!config) return std::unexpected(config.error());
    if (!tomls_.insert(runtime.config_path).second) return config->binary;
    auto wanted = AddToRunscConfig(runtime.config_path, now->value_or(""),
                                   installer_.session_file(), flags().replace);
    if (!wanted) return wanted;
    installer_.Plan(SetupFile::kRunsc, runtime.config_path, std::move(*now), std::move(*wanted));
    return config->binary;
  }

  Result<void> PlanUndo() {
    const auto text = ReadConfig();
    if (!text) return std::unexpected(text.error());
    const auto runtimes = ReadDockerRuntimes(path_, *text, flags().runtimes);
    if (!runtimes) return std::unexpected(runtimes.error());
    for (const DockerRuntime& runtime : *runtimes) {
      if (runtime.session_file == installer_.session_file()) names_.push_back(runtime.name);
    }
    return installer_.PlanUndo({{SetupFile::kDocker, path_, {}, {}}});
  }

  Result<void> Install() {
    if (const auto proven = installer_.Prove(runscs_); !proven) return proven;
    if (!installer_.changes()) fmt::print("all is as it is to be already\n");
    if (const auto written = installer_.Write(); !written) return written;
    const auto taken_up =
        TakeUp([](const std::string& has, const std::string& ours) { return has == ours; });
    if (!taken_up) return taken_up;
    installer_.TellListener();
    return {};
  }

  Result<void> Undo() {
    if (!installer_.changes()) fmt::print("nothing of gyrfalcon's is in {}\n", path_);
    if (const auto written = installer_.Write(); !written) return written;
    const auto taken_up =
        TakeUp([](const std::string& has, const std::string& ours) { return has != ours; });
    if (!taken_up) return taken_up;
    return installer_.FinishUndo();
  }

  // At a reload dockerd takes up another "runtimes"; one that is missing leaves them as they were.
  bool IsKeptUntilRestart() const {
    const std::string text = installer_.Planned(path_).value_or("");
    const auto json = ReadJsonText(path_, TrimBlanks(text).empty() ? "{}" : text);
    return json && json->FindValue("runtimes") == nullptr;
  }

  // Whether each runtime of Docker has, or has not, our session config now.
  Result<bool> AreAll(bool (*is_wanted)(const std::string&, const std::string&)) const {
    for (const std::string& name : names_) {
      const auto has = DockersSessionFile(*daemon_, name);
      if (!has) return std::unexpected(has.error());
      if (!is_wanted(has->value_or(""), installer_.session_file())) return false;
    }
    return true;
  }

  Result<void> TakeUp(bool (*is_wanted)(const std::string&, const std::string&)) {
    if (installer_.files().is_copy() || names_.empty()) return {};
    if (!daemon_) {
      fmt::print("no Docker daemon answers at {}: it takes this up when it starts\n", socket_);
      return {};
    }
    if (daemon_->config_file != path_) {
      fmt::print("the Docker daemon that runs (pid {}) reads {}, not {}: it was not told\n",
                 daemon_->pid, daemon_->config_file, path_);
      return {};
    }
    auto is_done = AreAll(is_wanted);
    if (is_done && *is_done && !installer_.changes()) return {};
    const bool is_kept = flags().undo && IsKeptUntilRestart();
    is_done = ReloadDocker(
        *daemon_, [this, is_wanted] { return AreAll(is_wanted); },
        is_kept ? std::chrono::seconds(1) : kDockerReloadPatience);
    if (is_kept && !(is_done && *is_done)) {
      fmt::print(
          "Docker keeps {} {} as it is until its next restart; containers of that go on, and "
          "go on starting\n",
          names_.size() == 1 ? "the runtime" : "each of the runtimes", Join(names_, ", "));
      return {};
    }
    if (is_done && *is_done) {
      fmt::print("Docker has reloaded: {} {} {}; containers that run were left alone\n",
                 names_.size() == 1 ? "runtime" : "runtimes", Join(names_, ", "),
                 flags().undo ? "as before" : "with the session config");
      return {};
    }
    return NotTakenUp(is_done);
  }

  // What Docker refuses at a reload, it would refuse at its next start, and then not start.
  Result<void> NotTakenUp(const Result<bool>& is_done) {
    std::string why = is_done ? "its runtimes are as before 10 s later" : is_done.error().message;
    std::string restart;
    if (const auto stopped = StoppedByDockerRestart(*daemon_)) {
      restart = stopped->empty() ? "; a restart would stop no container"
                                 : fmt::format("; a restart would stop {}: {}",
                                               stopped->size() == 1
                                                   ? "a container"
                                                   : fmt::format("{} containers", stopped->size()),
                                               Join(*stopped, ", "));
    }
    installer_.PutBack();
    static_cast<void>(ReloadDocker(*daemon_, [] { return true; }));
    return Fail(
        Fault::kEnvironment,
        fmt::format("Docker did not take {} up ({}), so it was put back; dockerd's log says "
                    "why (journalctl -u docker){}",
                    path_, why, restart));
  }

  Installer installer_;
  const std::string socket_;
  std::optional<DockerDaemon> daemon_;
  std::string path_;
  std::optional<std::string> now_;
  std::vector<NodeRunsc> runscs_;
  std::vector<std::string> names_;  // of runtimes that dockerd runs with runtimeArgs
  std::set<std::string> tomls_;
};

}  // namespace

int InstallInDocker(std::vector<std::string> args) {
  const auto app = MakeApp("install docker");
  InstallFlags flags;
  std::string socket;
  AddInstallFlags(*app, flags);
  AddRuntimeFlags(*app, flags);
  app->add_option("--config-file", flags.config_file,
                  fmt::format("Docker's config (default: that of the daemon that runs, or {})",
                              kDockerConfigFile));
  app->add_option("--runtime-arg", flags.runtime_args,
                  "Where a runtime has to be added: another argument of it; may be given again")
      ->allow_extra_args(false);
  app->add_option("--docker-socket", socket,
                  "Docker's socket (default: DOCKER_HOST's, or its own)");
  if (const auto code = Parse(*app, std::move(args))) return *code;
  if (const auto valid = CheckInstallFlags(flags); !valid) return Report(valid.error());
  return DockerInstall(std::move(flags), socket.empty() ? DockerSocket() : socket).Run();
}

}  // namespace gyrfalcon
