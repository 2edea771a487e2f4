#include "cli/docker_daemon.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>

#include "base/text.h"
#include "base/unix_socket.h"
#include "cli/file.h"
#include "cli/node_program.h"
#include "metadata/local_http.h"
#include "setup/docker_config.h"
#include "setup/json_text.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::json;

constexpr size_t kAnswerBytesMax = size_t{16} << 20;

Result<Json> Get(const std::string& socket, const std::string& target) {
  constexpr int kPatienceMs = 5'000;
  const auto answer = CallLocal({.socket = socket,
                                 .path = target,
                                 .body = {},
                                 .timeout_ms = kPatienceMs,
                                 .answer_bytes_max = kAnswerBytesMax});
  if (!answer) return std::unexpected(answer.error());
  const Json json = answer->status == 200 ? Json::parse(answer->body, nullptr, false) : Json();
  if (json.is_object() || json.is_array()) return json;
  return Fail(Fault::kEnvironment,
              fmt::format("{}: Docker's answer to {} makes no sense", socket, target));
}

bool IsDockerd(pid_t pid) {
  const auto name = ReadWholeFile(fmt::format("/proc/{}/comm", pid), 64);
  return name && TrimBlanks(*name) == "dockerd";
}

// Who listens; under systemd's socket unit that is systemd, and the pid file says it.
pid_t PidOf(const std::string& socket) {
  const pid_t listener = ListenerPid(socket, SOCK_STREAM);
  if (listener != 0 && IsDockerd(listener)) return listener;
  const auto text = ReadWholeFile("/var/run/docker.pid", 64);
  const auto pid = text ? ParseInt(TrimBlanks(*text)) : std::nullopt;
  return pid && IsDockerd(static_cast<pid_t>(*pid)) ? static_cast<pid_t>(*pid) : 0;
}

}  // namespace

DockerDaemon ReadDockerDaemon(const std::string& command_line) {
  const std::vector<std::string_view> words = Split(command_line, '\0');
  DockerDaemon daemon;
  daemon.config_file = FlagOf(words, "config-file").value_or(kDockerConfigFile);
  auto exec_root = FlagOf(words, "exec-root");
  if (!exec_root) {
    const auto text = ReadWholeFile(daemon.config_file, kSetupFileBytesMax);
    const Json json = text ? Json::parse(*text, nullptr, false) : Json();
    const Json root = json.is_object() ? json.value("exec-root", Json()) : Json();
    if (root.is_string()) exec_root = root.get<std::string>();
  }
  if (exec_root) daemon.exec_root = std::move(*exec_root);
  return daemon;
}

std::string DockerSocket() {
  constexpr std::string_view kUnix = "unix://";
  const char* host = std::getenv("DOCKER_HOST");
  if (host != nullptr && std::string_view(host).starts_with(kUnix)) return host + kUnix.size();
  return "/var/run/docker.sock";
}

std::optional<DockerDaemon> FindDockerDaemon(const std::string& socket) {
  const pid_t pid = PidOf(socket);
  if (pid == 0) return std::nullopt;
  constexpr size_t kBytesMax = 64 * 1024;
  const auto words = ReadWholeFile(fmt::format("/proc/{}/cmdline", pid), kBytesMax);
  DockerDaemon daemon = ReadDockerDaemon(words.value_or(""));
  daemon.socket = socket;
  daemon.pid = pid;
  return daemon;
}

Result<std::optional<std::string>> DockersSessionFile(const DockerDaemon& daemon,
                                                      const std::string& runtime) {
  const auto info = Get(daemon.socket, "/info");
  if (!info) return std::unexpected(info.error());
  const Json runtimes = info->value("Runtimes", Json::object());
  if (!runtimes.is_object() || !runtimes.contains(runtime)) return std::nullopt;
  // As daemon.json has them, so they are read as that is.
  Json config;
  config["runtimes"][runtime] = runtimes[runtime];
  const auto read = ReadDockerRuntimes("docker info", config.dump(), {runtime});
  if (!read) return std::unexpected(read.error());
  return read->front().session_file;
}

Result<bool> ReloadDocker(const DockerDaemon& daemon,
                          const std::function<Result<bool>()>& is_as_wanted,
                          std::chrono::seconds patience) {
  if (kill(daemon.pid, SIGHUP) != 0) {
    return Fail(Fault::kEnvironment, fmt::format("dockerd (pid {}) can't be told to reload: {}",
                                                 daemon.pid, ErrnoText(errno)));
  }
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kPause{100};
  const auto end = Clock::now() + patience;
  for (;;) {
    const auto is_done = is_as_wanted();
    if (!is_done) return is_done;
    if (*is_done || Clock::now() >= end) return *is_done;
    std::this_thread::sleep_for(kPause);
  }
}

Result<std::vector<std::string>> StoppedByDockerRestart(const DockerDaemon& daemon) {
  const auto info = Get(daemon.socket, "/info");
  if (!info) return std::unexpected(info.error());
  std::vector<std::string> names;
  if (info->value("LiveRestoreEnabled", false)) return names;
  const auto containers = Get(daemon.socket, "/containers/json");
  if (!containers) return std::unexpected(containers.error());
  for (const Json& container : *containers) {
    const Json all = container.is_object() ? container.value("Names", Json::array()) : Json();
    std::string name = all.is_array() && !all.empty() && all[0].is_string() ? all[0] : Json("?");
    names.push_back(name.starts_with('/') ? name.substr(1) : name);
  }
  return names;
}

}  // namespace gyrfalcon
