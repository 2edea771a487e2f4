// `doctor`: runs the checks, prints what they find.
#include <algorithm>
#include <csignal>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "alerts/alert_format.h"
#include "cli/arguments.h"
#include "cli/colour.h"
#include "cli/doctor.h"
#include "cli/file.h"
#include "cli/progress.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;

struct DoctorFlags {
  DaemonFlags daemon;
  std::vector<std::string> checks;
  std::vector<std::string> roots;
  std::string runsc;
  std::string docker_socket;
  std::string node_root;
  bool prove = false;
  bool json = false;
};

struct Diagnosis {
  const DoctorCheck* check = nullptr;
  Health health = Health::kOk;  // the worst
  std::vector<Finding> findings;
};

void AddDoctorFlags(CLI::App& app, DoctorFlags& flags) {
  std::vector<std::string> ids;
  for (const DoctorCheck& check : DoctorChecks()) ids.emplace_back(check.id);
  app.add_option("CHECK", flags.checks, "Only these checks (default: all)")
      ->check(CLI::IsMember(ids));
  AddRulesFlags(app, flags.daemon.rules);
  app.add_option(
      "-g,--gvisor-config", flags.daemon.session_file,
      fmt::format("The session config (default: the config's, or {})", kDefaultSessionFile));
  app.add_option("--root", flags.roots,
                 "runsc's root folder; may be given again (default: as for `session list`)")
      ->allow_extra_args(false);
  app.add_option("--runsc", flags.runsc,
                 "The runsc to ask (default: the config's, and those of the node's runtimes)");
  app.add_option("--docker-socket", flags.docker_socket,
                 "Docker's socket (default: DOCKER_HOST's, or its own)");
  app.add_option("--node-root", flags.node_root,
                 "Read the files of Docker, containerd, systemd, runsc and the kernel, and the "
                 "session config, below this folder");
  app.add_flag("--prove", flags.prove,
               "Also run a sandbox of each runtime and hear it; needs root on a host");
  app.add_flag("--json", flags.json, "Print JSON");
}

std::vector<Diagnosis> Diagnose(const DoctorFlags& flags, DoctorWorld& world) {
  Progress progress;
  world.on_progress = [&progress](const std::string& text) { progress.Show(text); };
  std::vector<Diagnosis> diagnoses;
  for (const DoctorCheck& check : DoctorChecks()) {
    const bool is_wanted =
        flags.checks.empty() || std::ranges::find(flags.checks, check.id) != flags.checks.end();
    if (!is_wanted) continue;
    progress.Show(fmt::format("checking: {}", check.id));
    Diagnosis diagnosis{.check = &check, .findings = check.run(world)};
    diagnosis.health = std::ranges::max(diagnosis.findings, {}, &Finding::health).health;
    diagnoses.push_back(std::move(diagnosis));
  }
  world.on_progress = [](const std::string&) {};
  return diagnoses;
}

size_t Count(const std::vector<Diagnosis>& diagnoses, Health health) {
  size_t count = 0;
  for (const Diagnosis& diagnosis : diagnoses) {
    count += static_cast<size_t>(std::ranges::count(diagnosis.findings, health, &Finding::health));
  }
  return count;
}

void PrintJson(const std::vector<Diagnosis>& diagnoses) {
  Json checks = Json::array();
  for (const Diagnosis& diagnosis : diagnoses) {
    Json row;
    row["id"] = diagnosis.check->id;
    row["status"] = Name(diagnosis.health);
    row["title"] = diagnosis.check->title;
    row["findings"] = Json::array();
    for (const Finding& finding : diagnosis.findings) {
      Json one;
      one["status"] = Name(finding.health);
      one["text"] = finding.text;
      one["mend"] = finding.mend;
      if (!finding.mistake.empty()) one["mistake"] = finding.mistake;
      row["findings"].push_back(std::move(one));
    }
    checks.push_back(std::move(row));
  }
  Json out;
  out["checks"] = std::move(checks);
  out["broken"] = Count(diagnoses, Health::kBroken);
  out["warnings"] = Count(diagnoses, Health::kWarning);
  fmt::print("{}\n", out.dump(2, ' ', false, Json::error_handler_t::replace));
}

std::string_view ColourOf(Health health) {
  switch (health) {
    case Health::kOk:
      return "\x1b[32m";
    case Health::kSkipped:
      return "\x1b[2m";
    case Health::kWarning:
      return "\x1b[33m";
    case Health::kBroken:
      break;
  }
  return "\x1b[31m";
}

void PrintText(const std::vector<Diagnosis>& diagnoses) {
  const bool colour = HasColour(STDOUT_FILENO);
  for (const Diagnosis& diagnosis : diagnoses) {
    for (const Finding& finding : diagnosis.findings) {
      fmt::print("{}{:<7}{}  {:<11}  {}\n", colour ? ColourOf(finding.health) : "",
                 Name(finding.health), colour ? "\x1b[0m" : "", diagnosis.check->id,
                 Printable(finding.text));
      if (!finding.mend.empty()) fmt::print("{:22}mend: {}\n", "", Printable(finding.mend));
    }
  }
  const size_t warnings = Count(diagnoses, Health::kWarning);
  fmt::print("{} broken, {} warning{}\n", Count(diagnoses, Health::kBroken), warnings,
             warnings == 1 ? "" : "s");
}

}  // namespace

int RunDoctor(std::vector<std::string> args) {
  const auto app = MakeApp("doctor");
  DoctorFlags flags;
  AddDoctorFlags(*app, flags);
  if (const auto code = Parse(*app, std::move(args))) return *code;
  // Inherited from whoever ignores it, its children would be nobody's to wait for.
  std::signal(SIGCHLD, SIG_DFL);
  DoctorWorld world = MakeWorld(flags.daemon, flags.node_root);
  world.runsc_roots = flags.roots;
  world.runsc = flags.runsc;
  world.prove = flags.prove;
  if (!flags.docker_socket.empty()) world.docker_socket = flags.docker_socket;
  const auto diagnoses = Diagnose(flags, world);
  (flags.json ? PrintJson : PrintText)(diagnoses);
  return Count(diagnoses, Health::kBroken) == 0 ? kExitOk : kExitNotWell;
}

}  // namespace gyrfalcon
