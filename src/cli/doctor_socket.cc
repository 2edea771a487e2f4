// The doctor's checks of the socket that sandboxes connect to, of who answers there, and of the
// sandboxes themselves.
#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "cli/attach_session.h"
#include "cli/doctor.h"
#include "cli/file.h"
#include "runsc/attach.h"
#include "runsc/session.h"
#include "service/control.h"
#include "service/health.h"
#include "wire/listener.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::json;

// What becomes of sandboxes that start while nobody listens.
std::string WhatFollows(const DoctorWorld& world) {
  const auto text = world.session_file.empty() ? std::nullopt : ReadNode(world, world.session_file);
  const auto session =
      text ? ParseSessionConfig(world.session_file, *text) : Fail(Fault::kInput, "none");
  const bool fails = session && session->on_failure == OnFailure::kClosed;
  return fails ? "sandboxes that start now fail (on-failure is closed)"
               : "sandboxes that start now are not watched";
}

void CheckModes(const std::string& path, const struct stat& socket,
                std::vector<Finding>& findings) {
  const std::string folder = FolderOf(path);
  if ((socket.st_mode & 077U) != 0) {
    findings.push_back(
        Found(Mistake::kSocketOpen,
              fmt::format("{} has mode {:o}, instead of 600", path, socket.st_mode & 07777U),
              "chmod 600 " + ShellWord(path)));
  }
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) return;
  const bool is_writable = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  if (is_writable && (status.st_mode & S_ISVTX) == 0) {
    findings.push_back(Found(Mistake::kSocketOpen,
                             fmt::format("others may write to {}, and replace the socket (mode "
                                         "{:o})",
                                         folder, status.st_mode & 07777U),
                             "chmod go-w " + ShellWord(folder)));
  }
  if (status.st_uid != 0 && status.st_uid != socket.st_uid) {
    findings.push_back(Found(Mistake::kSocketOpen,
                             fmt::format("{} is user {}'s, who may replace the socket of user {}",
                                         folder, status.st_uid, socket.st_uid),
                             fmt::format("chown {} {}", socket.st_uid, ShellWord(folder))));
  }
}

}  // namespace

std::vector<Finding> CheckSocket(DoctorWorld& world) {
  const std::string& path = world.socket_path;
  if (const auto valid = CheckSocketPath(path); !valid) {
    return {Found(Mistake::kSocketInvalid, valid.error().message, EditKey(world, "gvisor.socket"))};
  }
  std::vector<Finding> findings;
  if (!TmpFolderOf(path).empty()) {
    findings.push_back(Found(Mistake::kSocketInTmp,
                             path + ": a service with PrivateTmp= has another /tmp, and it is "
                                    "cleaned now and then",
                             EditKey(world, "gvisor.socket")));
  }
  struct stat status{};
  const int found = ::lstat(path.c_str(), &status) == 0 ? 0 : errno;
  if (found == EACCES && !world.is_root) {
    return {
        Skipped(FolderOf(path) + " is for its owner alone: only that one or root can say more")};
  }
  if (found != 0) {
    const bool has_folder = ::stat(FolderOf(path).c_str(), &status) == 0;
    findings.push_back(Found(Mistake::kSocketAbsent,
                             fmt::format("there is no {}{}: {}", path,
                                         has_folder ? "" : ", nor its folder", WhatFollows(world)),
                             StartMend(world)));
    return findings;
  }
  if (!S_ISSOCK(status.st_mode)) {
    findings.push_back(Found(Mistake::kSocketForeign, path + " is there, and is no socket",
                             "ls -l " + ShellWord(path)));
    return findings;
  }
  CheckModes(path, status, findings);
  if (findings.empty()) {
    findings.push_back(
        Well(fmt::format("{}, mode {:o}, user {}", path, status.st_mode & 07777U, status.st_uid)));
  }
  return findings;
}

std::vector<Finding> CheckHandshake(DoctorWorld& world) {
  const std::string& path = world.socket_path;
  const int failed = TryToConnect(path, SOCK_SEQPACKET);
  switch (failed) {
    case 0:
      break;
    case ENOENT:
    case ENOTDIR:
      return {Skipped("there is no socket")};
    case EACCES:
    case EPERM:
      return {Skipped(path + ": only its user or root may connect")};
    case ECONNREFUSED:
      return {Found(Mistake::kNobodyListens,
                    fmt::format("nobody listens at {}, though its file is there: {}", path,
                                WhatFollows(world)),
                    StartMend(world))};
    default:  // EPROTOTYPE: of another kind
      return {Found(Mistake::kSocketForeign, fmt::format("{}: {}", path, ErrnoText(failed)),
                    "ss -xlp | grep " + ShellWord(path))};
  }
  const auto answered = ShakeHands(path, static_cast<int>(world.patience.count()));
  if (answered) return {Well("answered at " + path)};
  return {Found(Mistake::kNoHandshake,
                answered.error().message + ": each sandbox that starts waits for it",
                RunsSystemd(world) ? "systemctl restart gyrfalcon.service"
                                   : "ss -xlp | grep " + ShellWord(path))};
}

namespace {

// As a reload's, which has a line for each thing that is wrong.
std::string FirstLine(std::string text) {
  const size_t end = text.find('\n');
  if (end != std::string::npos) text = text.substr(0, end) + " …";
  return text;
}

std::string ProblemsOf(const std::string& answer) {
  const size_t brace = answer.find('{');
  const Json json =
      brace == std::string::npos ? Json() : Json::parse(answer.substr(brace), nullptr, false);
  if (!json.is_object() || !json.contains("problems")) return answer;
  std::vector<std::string> problems;
  for (const Json& problem : json["problems"]) {
    if (problem.is_string()) problems.push_back(FirstLine(problem.get<std::string>()));
  }
  return Join(problems, "; ");
}

std::string AskByHand(const std::string& control, const std::string& page) {
  return fmt::format("curl --unix-socket {} http://localhost{}", ShellWord(control), page);
}

void CheckProgram(DoctorWorld& world, std::vector<Finding>& findings) {
  const auto pid = DaemonPid(world);
  if (!pid) return;
  const std::string exe = fmt::format("/proc/{}/exe", *pid);
  std::array<char, 4096> target{};
  const ssize_t size = ::readlink(world.node.Place(exe).c_str(), target.data(), target.size());
  if (size <= 0) return;
  const std::string_view program(target.data(), static_cast<size_t>(size));
  if (!program.ends_with(" (deleted)")) return;
  findings.push_back(Found(
      Mistake::kDaemonReplaced,
      fmt::format("the daemon (pid {}) is not the program that is installed: that was replaced "
                  "since it started",
                  *pid),
      RunsSystemd(world) ? "systemctl restart gyrfalcon.service"
                         : "gyrfalcon run --takeover" + ConfigWords(world) + " &"));
}

bool AskAndTell(const std::string& control, const std::string& page, const std::string& mend,
                std::vector<Finding>& findings) {
  const auto answer = AskDaemon(control, page);
  if (answer) return true;
  findings.push_back(Found(Mistake::kDaemonNotReady, ProblemsOf(answer.error().message), mend));
  return false;
}

void CheckOutputsOf(const std::string& control, const std::string& status,
                    std::vector<Finding>& findings) {
  const Json json = Json::parse(status, nullptr, false);
  const Json outputs = json.is_object() ? json.value("outputs", Json()) : Json();
  for (const Json& output : outputs) {
    if (!output.is_object() || output.value("failing", Json()) != Json(true)) continue;
    const auto figure = [&output](const char* name) { return output.value(name, Json(0)).dump(); };
    findings.push_back(Found(
        Mistake::kOutputFailing,
        fmt::format("the output {} takes no alerts: {} wait, {} were tried again, {} given up",
                    figure("name"), figure("waiting"), figure("retries"), figure("dead_letters")),
        AskByHand(control, "/status")));
  }
}

}  // namespace

std::vector<Finding> CheckDaemon(DoctorWorld& world) {
  const std::string control = ControlSocketPath(world.socket_path);
  if (!IsListenedAt(world.socket_path, SOCK_SEQPACKET)) {
    return {Skipped("nobody who could be asked listens")};
  }
  const auto status = AskDaemon(control, "/status");
  if (!status) {
    if (!world.is_root && status.error().message.contains("Permission denied")) {
      return {Skipped(control + ": only its user or root may ask")};
    }
    return {Found(Mistake::kDaemonSilent,
                  fmt::format("somebody listens at {}, and no gyrfalcon answers beside it: {}",
                              world.socket_path, status.error().message),
                  "ss -xlp | grep " + ShellWord(world.socket_path))};
  }
  std::vector<Finding> findings;
  const bool is_alive = AskAndTell(control, "/healthz", AskByHand(control, "/healthz"), findings);
  // What it says is of reloads.
  if (is_alive) AskAndTell(control, "/readyz", DryRunMend(world), findings);
  CheckOutputsOf(control, *status, findings);
  CheckProgram(world, findings);
  if (findings.empty()) {
    const auto pid = DaemonPid(world);
    findings.push_back(Well("ready" + (pid ? fmt::format(" (pid {})", *pid) : "")));
  }
  return findings;
}

namespace {

// `words` for the sandboxes of one root, as `session attach` takes them.
std::string AttachMend(const DoctorWorld& world, const TracedSandbox& sandbox) {
  std::string words = "gyrfalcon session attach" + ConfigFileWords(world);
  words += " --root=" + ShellWord(sandbox.call.root);
  if (!world.runsc.empty()) words += " --runsc " + ShellWord(world.runsc);
  std::string session = world.node.Place(world.session_file);
  std::string before;
  if (world.session_file.empty()) {
    session = AttachSessionFile(world.socket_path);
    struct stat status{};
    if (::stat(session.c_str(), &status) != 0) {
      before = fmt::format("gyrfalcon session generate{} --socket {} > {} && ", ConfigWords(world),
                           ShellWord(world.socket_path), ShellWord(session));
    }
  }
  return fmt::format("{}{} -g {} {}", before, words, ShellWord(session), ShellWord(sandbox.id));
}

std::string RunscWords(const TracedSandbox& sandbox, std::string_view rest) {
  return fmt::format("{} --root={} {}", ShellWord(sandbox.call.program),
                     ShellWord(sandbox.call.root), rest);
}

Finding LookAtSandbox(const DoctorWorld& world, const TracedSandbox& sandbox) {
  const std::string which = fmt::format("sandbox {} below {}", sandbox.id, sandbox.call.root);
  switch (sandbox.tracing) {
    case Tracing::kNone:
      return Found(Mistake::kSandboxUntraced, which + " runs, and is not traced",
                   AttachMend(world, sandbox));
    case Tracing::kNobody:
      return Found(Mistake::kSandboxUnheard,
                   fmt::format("{} is traced, and nobody listens: it has dropped {} messages",
                               which, sandbox.dropped.value_or(0)),
                   AttachMend(world, sandbox));
    case Tracing::kOther:
      return Found(
          Mistake::kSandboxOthers,
          fmt::format("{} is traced by somebody else, at {}", which, Join(sandbox.endpoints, ", ")),
          RunscWords(sandbox, fmt::format("trace delete --name Default {} && {}",
                                          ShellWord(sandbox.id), AttachMend(world, sandbox))));
    case Tracing::kUnknown:
      return Found(Mistake::kSandboxUnknown, which + ": " + sandbox.problem,
                   RunscWords(sandbox, "trace list " + ShellWord(sandbox.id)));
    case Tracing::kOurs:
      break;
  }
  if (sandbox.dropped.value_or(0) == 0) return Well(which + " is traced");
  return Found(Mistake::kSandboxDrops,
               fmt::format("{} is traced, and has dropped {} messages", which, *sandbox.dropped),
               RunscWords(sandbox, "trace list " + ShellWord(sandbox.id)));
}

// What the daemon says; 0 also where none answers.
uint64_t ConnectedSandboxes(const DoctorWorld& world) {
  const auto answer = AskDaemon(ControlSocketPath(world.socket_path), "/status");
  const Json status = answer ? Json::parse(*answer, nullptr, false) : Json();
  const Json count = status.is_object() ? status.value("sandboxes", Json()) : Json();
  return count.is_number_unsigned() ? count.get<uint64_t>() : 0;
}

std::string SeenElsewhere(uint64_t connected, const std::string& here) {
  return fmt::format("{}, and the daemon has {} connected: name runsc's root, --root DIR", here,
                     connected == 1 ? "a sandbox" : fmt::format("{} sandboxes", connected));
}

}  // namespace

std::vector<Finding> CheckSandboxes(DoctorWorld& world) {
  if (!world.is_root) return {Skipped("only root can ask sandboxes who traces them")};
  const auto programs = RunscPrograms(world);
  if (programs.empty()) return {Skipped("no runsc is there to ask")};
  const auto answers = [&world](const std::string& program) {
    return KnownTo(world, program).has_value();
  };
  const auto able = std::ranges::find_if(programs, answers);
  if (able == programs.end()) return {Skipped(programs.front() + " does not answer")};
  SandboxesAsked asked;
  for (const std::string& root : world.runsc_roots) {
    std::error_code error;
    if (std::filesystem::is_directory(root, error)) continue;
    return {Found(Mistake::kRootUnlistable, root + ": no such folder, which --root names",
                  "ps -eo args | grep -e '[r]unsc.*--root='")};
  }
  asked.roots = RootsToAsk(world.runsc_roots, world.config, RunningDocker(world));
  const uint64_t connected = ConnectedSandboxes(world);
  if (asked.roots.empty()) {
    return {connected == 0 ? Well("no runsc has any state here: no sandbox runs")
                           : Skipped(SeenElsewhere(connected, "no root of runsc is known here"))};
  }
  asked.runsc = *able;
  asked.prefer_own_runsc = world.runsc.empty() && world.config.runsc_path == Config().runsc_path;
  asked.socket_path = world.socket_path;
  asked.limits.patience = world.patience;
  asked.progress = [&world](size_t done, size_t count) {
    world.on_progress(fmt::format("{} of {} sandboxes", done, count));
  };
  const TracedSandboxes found = world.look_at_sandboxes(asked);
  std::vector<Finding> findings;
  std::string list = "for root in";
  for (const std::string& root : asked.roots) list += " " + ShellWord(root);
  list += fmt::format("; do {} --root=\"$root\" list; done", ShellWord(asked.runsc));
  for (const Error& problem : found.problems) {
    findings.push_back(Found(Mistake::kRootUnlistable, problem.message, list));
  }
  size_t wrong = 0, well = 0;
  for (const TracedSandbox& sandbox : found.sandboxes) {
    Finding finding = LookAtSandbox(world, sandbox);
    if (finding.health == Health::kOk) {
      ++well;
    } else if (++wrong <= kFindingsMax) {
      findings.push_back(std::move(finding));
    }
  }
  if (wrong > kFindingsMax) {
    findings.back().text += fmt::format(" (and {} sandboxes more)", wrong - kFindingsMax);
  }
  if (findings.empty() && well == 0 && connected != 0) {
    return {Skipped(SeenElsewhere(connected, "none runs below " + Join(asked.roots, ", ")))};
  }
  if (well != 0 || findings.empty()) {
    findings.push_back(
        Well(fmt::format("{} {} traced by us, below {}", well,
                         well == 1 ? "sandbox is" : "sandboxes are", Join(asked.roots, ", "))));
  }
  return findings;
}

}  // namespace gyrfalcon
