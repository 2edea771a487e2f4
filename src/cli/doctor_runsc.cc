// The doctor's checks of runsc itself, its platform, and the session configs that it is given.
#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include "base/text.h"
#include "cli/containerd_files.h"
#include "cli/doctor.h"
#include "cli/install_session.h"
#include "cli/node_program.h"
#include "cli/prove_session.h"
#include "runsc/attach.h"
#include "runsc/session.h"
#include "wire/listener.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::json;

constexpr const char* kInstallRunsc = "apt-get install runsc";

// "VERSION_MISSING" is what a build from the module proxy says.
std::string VersionOf(DoctorWorld& world, const std::string& program) {
  const auto said = world.run_program({program, "--version"});
  if (!said) return "version not told";
  const std::string line = said->substr(0, said->find('\n'));
  constexpr std::string_view kBefore = "runsc version ";
  return line.starts_with(kBefore) ? line.substr(kBefore.size()) : line;
}

// The place of a runtime that does; "": none.
std::string WhoNames(DoctorWorld& world, const std::string& name) {
  for (const NodeRuntime& runtime : NodeRuntimes(world)) {
    if (ProgramOf(runtime.program) == name) return runtime.place;
  }
  return "";
}

Finding LookAtRunsc(DoctorWorld& world, const std::string& program) {
  const auto& known = KnownTo(world, program);
  if (known) {
    return Well(
        fmt::format("{} ({}) knows {} points", program, VersionOf(world, program), known->size()));
  }
  const std::string& text = known.error().message;
  const bool has_no_trace =
      known.error().fault == Fault::kInput || text.contains("ended with 2");  // usage
  return Found(has_no_trace ? Mistake::kRunscTooOld : Mistake::kRunscUnusable, text,
               has_no_trace ? "apt-get install --only-upgrade runsc"
                            : "timeout 20 " + ShellWord(program) + " trace metadata | head");
}

}  // namespace

std::vector<Finding> CheckRunsc(DoctorWorld& world) {
  std::vector<Finding> findings;
  std::set<std::string> seen;
  const bool has_some = !RunscPrograms(world).empty();
  for (const std::string& name : RunscNames(world)) {
    const auto program = FindNodeProgram(world.node, name);
    if (program) {
      if (seen.insert(*program).second) findings.push_back(LookAtRunsc(world, *program));
      continue;
    }
    const std::string place = WhoNames(world, name);
    const std::string text = fmt::format("there is no program {}", name);
    if (!place.empty()) {
      findings.push_back(Found(Mistake::kRunscMissing,
                               fmt::format("{}, which {} names", text, place), kInstallRunsc));
    } else if (has_some && world.runsc.empty()) {
      findings.push_back(Found(Mistake::kRunscUnnamed, text + ", which the config names",
                               EditKey(world, "gvisor.runsc")));
    } else {
      findings.push_back(Found(Mistake::kRunscMissing, text, kInstallRunsc));
    }
  }
  if (findings.empty()) {
    findings.push_back(Skipped("gvisor.runsc is empty, and no runtime names a runsc"));
  }
  return findings;
}

namespace {

Finding Prove(DoctorWorld& world, const std::string& program, const NodeRuntime& runtime) {
  const std::string file = runtime.session_file.empty() ? world.session_file : runtime.session_file;
  const auto text = world.node.Read(file);
  if (file.empty() || !text || !*text) {
    return Skipped(program + ": no session config to prove it with");
  }
  world.on_progress("running a sandbox of " + program);
  const auto heard = ProveSession(program, runtime.args, **text);
  if (heard) return Well(fmt::format("a sandbox of {} sent {} messages", program, *heard));
  std::string words = ShellWord(program);
  for (const std::string& arg : runtime.args) words += " " + ShellWord(arg);
  return Found(Mistake::kProofFailed, heard.error().message,
               words + " --network=none --debug --debug-log=/dev/stderr do true");
}

}  // namespace

std::vector<Finding> CheckPlatform(DoctorWorld& world) {
  std::vector<Finding> findings;
  for (const NodeRuntime& runtime : NodeRuntimes(world)) {
    if (runtime.platform != "kvm" || !world.is_live) continue;
    struct stat status{};
    if (::stat(world.node.Place("/dev/kvm").c_str(), &status) == 0) continue;
    findings.push_back(Found(Mistake::kKvmMissing,
                             runtime.place + ": the platform kvm, and there is no /dev/kvm",
                             EditMend(runtime.place, runtime.place)));
  }
  if (!world.prove) {
    if (findings.empty()) {
      findings.push_back(Skipped("whether sandboxes start and report is tried with --prove only"));
    }
    return findings;
  }
  std::vector<NodeRuntime> tried = NodeRuntimes(world);
  if (tried.empty() || !world.runsc.empty()) {
    tried = {NodeRuntime{.engine = {},
                         .name = {},
                         .place = {},
                         .program = world.runsc,
                         .platform = {},
                         .session_file = world.session_file,
                         .args = {}}};
  }
  for (const NodeRuntime& runtime : tried) {
    const auto program = FindNodeProgram(world.node, ProgramOf(runtime.program));
    if (program) findings.push_back(Prove(world, *program, runtime));
  }
  if (findings.empty()) findings.push_back(Skipped("no runsc is there to run a sandbox"));
  return findings;
}

namespace {

// A session config that somebody names, and what is wrong with it.
class SessionCheck {
 public:
  SessionCheck(DoctorWorld& world, std::string file) : world_(world), file_(std::move(file)) {}

  std::vector<Finding> Run() {
    const auto text = world_.node.Read(file_);
    if (!text) {
      if (!world_.is_root) return {Skipped(text.error().message)};
      Add(Mistake::kSessionInvalid, text.error().message);
      return std::move(findings_);
    }
    CheckPlace();
    if (!*text) {
      Add(Mistake::kSessionAbsent, file_ + " is not there" + NamedBy());
      return std::move(findings_);
    }
    if (IsEmptySession(**text)) {
      Add(Mistake::kSessionEmpty, file_ + " asks for nothing: what `install --undo` leaves");
      return std::move(findings_);
    }
    CheckMode();
    CheckText(**text);
    if (findings_.empty()) findings_.push_back(Well(file_ + summary_));
    return std::move(findings_);
  }

 private:
  void Add(Mistake mistake, std::string text) {
    findings_.push_back(Found(mistake, std::move(text), SessionMend(world_, file_)));
  }

  std::vector<NodeRuntime> Users() {
    std::vector<NodeRuntime> users;
    for (const NodeRuntime& runtime : NodeRuntimes(world_)) {
      if (runtime.session_file == file_) users.push_back(runtime);
    }
    return users;
  }

  std::string NamedBy() {
    const auto users = Users();
    return users.empty() ? "" : ", and " + users.front().place + " names it";
  }

  void CheckPlace() {
    const auto users = Users();
    if (users.empty()) return;  // attached by hand or by the daemon: it may come and go
    bool is_volatile = false;
    for (const std::string_view folder : {"/run/", "/var/run/", "/tmp/", "/dev/shm/"}) {
      is_volatile |= file_.starts_with(folder);
    }
    const auto disk = world_.is_live ? world_.disk_of(world_.node.Place(file_)) : std::nullopt;
    is_volatile |= disk && IsInMemory(*disk);
    // GKE's nodes have nothing else that lasts as long as their containerd's config.
    const bool is_gke = users.front().place == kGkeRunscToml;
    if (!is_volatile || is_gke) return;
    findings_.push_back(
        Found(Mistake::kSessionVolatile,
              fmt::format("{} does not outlive a reboot, and {} names it: then no sandbox starts",
                          file_, users.front().place),
              InstallMend(world_, users.front().engine, " --replace")));
  }

  void CheckMode() {
    struct stat status{};
    const std::string place = world_.node.Place(file_);
    if (::stat(place.c_str(), &status) != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return;
    findings_.push_back(
        Found(Mistake::kSessionOpen,
              fmt::format("{} has mode {:o}: others may write it", file_, status.st_mode & 07777U),
              "chmod go-w " + ShellWord(place)));
  }

  void CheckText(const std::string& text) {
    const auto session = ParseSessionConfig(file_, text);
    const auto points = ReadSessionPoints(file_, text);
    if (!points || !session) {
      Add(Mistake::kSessionInvalid, !points ? points.error().message : session.error().message);
      return;
    }
    summary_ = fmt::format(": {} points, sent to {}", points->size(), session->endpoint);
    CheckEndpoint(session->endpoint);
    const Json json = Json::parse(text, nullptr, false);
    const Json& inner = json.contains("trace_session") ? json["trace_session"] : json;
    const bool ignores = inner.value("ignore_missing", Json(false)) == Json(true);
    SentPoints known_to_any;
    for (const std::string& program : RunscPrograms(world_)) {
      const auto& known = KnownTo(world_, program);
      if (!known) continue;
      CheckOne(program, text, *points, *known, ignores);
      for (const auto& [name, point] : *known) {
        known_to_any[name].context.insert(point.context.begin(), point.context.end());
        known_to_any[name].optional.insert(point.optional.begin(), point.optional.end());
      }
    }
    if (ignores && !known_to_any.empty()) CheckAll(*points, known_to_any);
    CheckWidth(*points);
  }

  void CheckEndpoint(const std::string& endpoint) {
    if (const auto valid = CheckSocketPath(endpoint); !valid) {
      Add(Mistake::kSessionUnhostable, file_ + ": " + valid.error().message);
      return;
    }
    if (CanonicalPath(endpoint) == CanonicalPath(world_.socket_path)) return;
    const auto users = Users();
    const std::string whose =
        endpoint.contains("falco") && !endpoint.contains("gyrfalcon") ? ", which is Falco's" : "";
    // Somebody else's file is left alone; the runtime gets ours.
    const bool is_daemons = file_ == world_.session_file;
    findings_.push_back(Found(Mistake::kSessionElsewhere,
                              fmt::format("{} sends to {}{}, and gyrfalcon listens at {}{}", file_,
                                          endpoint, whose, world_.socket_path, NamedBy()),
                              users.empty() || is_daemons
                                  ? SessionMend(world_, file_)
                                  : InstallMend(world_, users.front().engine, " --replace")));
  }

  // What of the points a runsc leaves out; "": nothing.
  static std::string Lost(const SentPoints& points, const SentPoints& known) {
    size_t lost_points = 0, lost_fields = 0;
    std::string first;
    const SentPoints sent = Intersect(points, known);
    for (const auto& [name, point] : points) {
      const auto there = sent.find(name);
      if (there == sent.end()) {
        if (++lost_points == 1) first = ", as " + name;
        continue;
      }
      lost_fields += point.context.size() + point.optional.size() - there->second.context.size() -
                     there->second.optional.size();
    }
    if (lost_points + lost_fields == 0) return "";
    return fmt::format("{} of its points and {} fields{}", lost_points, lost_fields, first);
  }

  void CheckOne(const std::string& program, const std::string& text, const SentPoints& points,
                const SentPoints& known, bool ignores) {
    const std::string lost = ignores ? "" : Lost(points, known);
    if (!lost.empty()) {
      Add(Mistake::kSessionSilent,
          fmt::format("{}: {} does not know {}: without ignore_missing its sandboxes send nothing",
                      file_, program, lost));
    } else if (const auto taken = CheckSessionTaken(program, text); !taken) {
      Add(Mistake::kSessionRefused, taken.error().message);
    }
  }

  // One of several may be older than the others, and is asked for what they know.
  void CheckAll(const SentPoints& points, const SentPoints& known_to_any) {
    const std::string lost = Lost(points, known_to_any);
    if (lost.empty()) return;
    Add(Mistake::kSessionTooNew, fmt::format("{}: no runsc here knows {}", file_, lost));
  }

  // Each point that no rule asks for is paid by the programs in the sandbox.
  void CheckWidth(const SentPoints& points) {
    constexpr size_t kSpareMax = 10;
    if (!world_.loaded || !world_.config.visibility_policy.empty()) return;
    const auto& rules = RulesOf(world_);
    if (!rules) return;
    const SentPoints needed = Sent(PointsFor(*rules->rules, SessionProfile::kStrict));
    const auto spare = static_cast<size_t>(std::ranges::count_if(
        points, [&needed](const auto& point) { return !needed.contains(point.first); }));
    if (spare <= kSpareMax) return;
    Add(Mistake::kSessionWide, fmt::format("{} asks for {} points, and no rule needs {} of them: "
                                           "sandboxes pay for each",
                                           file_, points.size(), spare));
  }

  DoctorWorld& world_;
  const std::string file_;
  std::string summary_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> CheckSessions(DoctorWorld& world) {
  std::vector<std::string> files;
  const auto add = [&files](const std::string& file) {
    if (!file.empty() && std::ranges::find(files, file) == files.end()) files.push_back(file);
  };
  add(world.session_file);
  for (const NodeRuntime& runtime : NodeRuntimes(world)) add(runtime.session_file);
  std::vector<Finding> findings;
  for (const std::string& file : files) {
    world.on_progress("checking " + file);
    for (Finding& finding : SessionCheck(world, file).Run()) findings.push_back(std::move(finding));
  }
  if (findings.empty()) {
    findings.push_back(
        Well("nobody names one: the daemon makes its own for the sandboxes that it attaches"));
  }
  return findings;
}

}  // namespace gyrfalcon
