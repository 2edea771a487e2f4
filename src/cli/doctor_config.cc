// The doctor's checks of what the daemon reads: config, rules, store, and what rules see.
#include <algorithm>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/text.h"
#include "cli/coverage_sources.h"
#include "cli/doctor.h"
#include "cli/load_rules.h"
#include "cli/run_flags.h"
#include "engine/sandbox_sessions.h"
#include "runsc/attach.h"
#include "runsc/coverage.h"
#include "store/spool_files.h"
#include "store/spool_reader.h"

namespace gyrfalcon {
namespace {

// linux/magic.h has not all of them.
constexpr struct {
  uint64_t type;
  std::string_view name;
} kNetworkDisks[] = {
    {0x6969, "NFS"},        {0xff534d42, "CIFS"}, {0xfe534d42, "SMB"},  {0x517b, "SMB"},
    {0x00c36400, "Ceph"},   {0x01021997, "9p"},   {0x47504653, "GPFS"}, {0x5346414f, "AFS"},
    {0x0bd00bd0, "Lustre"}, {0x73757245, "Coda"}, {0x01161970, "GFS2"},
};

// The lines of a message that begin with a place; of a message of one line, that.
std::vector<std::string> Problems(const std::string& message) {
  std::vector<std::string> problems;
  for (const std::string_view line : Split(message, '\n')) {
    const bool is_quote = line.empty() || line.starts_with(' ') || line.starts_with('\t');
    if (!is_quote) problems.emplace_back(line);
  }
  return problems;
}

// The first ones, each with its mend.
template <class MakeMend>
std::vector<Finding> Listed(Mistake mistake, const std::vector<std::string>& texts,
                            const MakeMend& mend) {
  std::vector<Finding> findings;
  for (const std::string& text : texts) {
    if (findings.size() == kFindingsMax) {
      findings.back().text += fmt::format(" (and {} more)", texts.size() - kFindingsMax);
      break;
    }
    findings.push_back(Found(mistake, text, mend(text)));
  }
  return findings;
}

std::string EditConfig(const DoctorWorld& world, const std::string& text) {
  return EditMend(text, ConfigFile(world));
}

}  // namespace

std::vector<Finding> CheckConfig(DoctorWorld& world) {
  const auto edit_and_try = [&world](const std::string& text) {
    return EditConfig(world, text) + " && " + DryRunMend(world);
  };
  if (!world.loaded) {
    return Listed(Mistake::kConfigInvalid, Problems(world.loaded.error().message), edit_and_try);
  }
  std::vector<std::string> warnings = world.loaded->warnings;
  if (!world.loaded->missing_rules_files.empty()) {  // those have a check of their own
    std::erase_if(warnings,
                  [](const std::string& text) { return text.starts_with("rules files"); });
  }
  std::vector<Finding> findings =
      Listed(Mistake::kConfigWarned, warnings,
             [&world](const std::string& text) { return EditConfig(world, text); });
  Config outputs = world.config;
  outputs.store_enabled = false;  // has its own check
  for (const auto& tried : {CheckOutputs(outputs), CheckServing(world.config)}) {
    if (tried) continue;
    const std::string& text = tried.error().message;
    const bool is_ours_to_see = world.is_root || !text.contains("Permission denied");
    findings.push_back(is_ours_to_see ? Found(Mistake::kOutputUnusable, text, edit_and_try(text))
                                      : Skipped(text + "; the daemon may be allowed to"));
  }
  if (findings.empty()) {
    findings.push_back(Well(world.loaded->files.empty()
                                ? "no config file: the defaults"
                                : Join(world.loaded->files, ", ") + " is valid"));
  }
  return findings;
}

std::vector<Finding> CheckRulesLoad(DoctorWorld& world) {
  if (!world.loaded) return {Skipped("the config, which names the rules, is not valid")};
  const std::vector<std::string>& missing = world.loaded->missing_rules_files;
  const std::string edit_config = EditConfig(world, "");
  if (const auto required = RequireRules(world.flags.rules, *world.loaded); !required) {
    return {Found(Mistake::kRulesInvalid, required.error().message, edit_config)};
  }
  std::vector<Finding> findings = Listed(
      Mistake::kRulesMissing, missing, [&edit_config](const std::string&) { return edit_config; });
  for (Finding& finding : findings) finding.text += ": the config names it, and it is not there";
  const auto& loaded = RulesOf(world);
  const std::string check = "gyrfalcon rules check " + Join(world.config.rules_files, " ");
  const std::string first =
      world.config.rules_files.empty() ? ConfigFile(world) : world.config.rules_files.front();
  if (!loaded) {
    return Listed(Mistake::kRulesInvalid, Problems(loaded.error().message),
                  [&](const std::string& text) { return EditMend(text, first) + " && " + check; });
  }
  for (Finding& warned :
       Listed(Mistake::kRulesWarned, loaded->warnings,
              [&first](const std::string& text) { return EditMend(text, first); })) {
    findings.push_back(std::move(warned));
  }
  const size_t enabled = CountEnabled(*loaded->rules);
  if (enabled == 0) {
    findings.push_back(Found(Mistake::kRulesNone,
                             fmt::format("none of the {} rules is enabled: there is nothing to "
                                         "raise an alert for",
                                         loaded->rules->rules().size()),
                             edit_config));
  }
  if (findings.empty()) {
    findings.push_back(
        Well(fmt::format("{} rules of {}, {} of them enabled", loaded->rules->rules().size(),
                         Join(loaded->files, ", "), enabled)));
  }
  return findings;
}

namespace {

std::vector<Finding> CheckStoreDisk(DoctorWorld& world, const std::string& path) {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  // The log beside the database may grow to a few of these before it is moved into it.
  constexpr uint64_t kSpareBytes = 64 * kMiB;
  const auto disk = world.disk_of(path);
  if (!disk) return {Skipped("what disk " + path + " lies on can't be seen")};
  std::vector<Finding> findings;
  const std::string edit = EditKey(world, "store.path");
  for (const auto& network : kNetworkDisks) {
    if (network.type != disk->type) continue;
    findings.push_back(
        Found(Mistake::kStoreOnNetwork,
              fmt::format("{} lies on a disk of the network, {}", path, network.name), edit));
  }
  if (IsInMemory(*disk)) {
    findings.push_back(
        Found(Mistake::kStoreVolatile, path + " lies in memory, not on a disk", edit));
  }
  struct stat there{};
  const auto has = ::stat(path.c_str(), &there) == 0 ? static_cast<uint64_t>(there.st_size) : 0;
  const uint64_t wanted = world.config.store_bytes_max;
  const uint64_t needed = (wanted > has ? wanted - has : 0) + kSpareBytes;
  if (!disk->read_only && disk->free_bytes < needed) {
    findings.push_back(
        Found(Mistake::kStoreDiskLow,
              fmt::format("{} may grow by {} MiB (store.max_bytes), and its disk has {} MiB left",
                          path, needed / kMiB, disk->free_bytes / kMiB),
              "du -xh --max-depth=2 " + ShellWord(FolderThere(path)) + " | sort -h | tail"));
  }
  return findings;
}

}  // namespace

std::vector<Finding> CheckStore(DoctorWorld& world) {
  const SpoolOptions store = StoreOf(world.config);
  if (store.path.empty()) return {Well("alerts are not kept: the config says so")};
  if (const auto place = CheckSpoolPlace(store); !place) {
    const bool is_foreign = place.error().fault == StoreFault::kForeign;
    if (!is_foreign && !world.is_root) return {Skipped(place.error().message)};
    return {Found(is_foreign ? Mistake::kStoreForeign : Mistake::kStoreUnwritable,
                  place.error().message, EditKey(world, "store.path"))};
  }
  const std::string folder = FolderThere(store.path);
  struct stat status{};
  const bool is_there = ::stat(store.path.c_str(), &status) == 0;
  const std::string& written = is_there ? store.path : folder;
  const bool may_write = ::faccessat(AT_FDCWD, written.c_str(), W_OK, AT_EACCESS) == 0;
  const auto disk = world.disk_of(store.path);
  const bool is_read_only = disk && disk->read_only;
  if (!world.is_root && !may_write) {
    return {Skipped(store.path + ": only its owner or root can say more")};
  }
  std::vector<Finding> findings;
  if (is_read_only || !may_write) {
    findings.push_back(Found(Mistake::kStoreUnwritable,
                             fmt::format("{} can't be written{}", written,
                                         is_read_only ? ": its file system is read-only" : ""),
                             is_read_only
                                 ? "mount -o remount,rw " + ShellWord(FolderThere(store.path))
                                 : "chmod u+rwX " + ShellWord(written)));
  }
  if (is_there && status.st_size != 0) {
    const auto reader = SpoolReader::Open(store.path);
    if (!reader && reader.error().fault == StoreFault::kCorrupt) {
      findings.push_back(Found(Mistake::kStoreDamaged,
                               store.path + " is damaged: " + reader.error().message,
                               fmt::format("mv {0} {0}.damaged", ShellWord(store.path))));
    }
  }
  for (Finding& finding : CheckStoreDisk(world, store.path)) {
    findings.push_back(std::move(finding));
  }
  if (findings.empty()) findings.push_back(Well(store.path));
  return findings;
}

namespace {

// What a session asks for, and of which runsc: the daemon's, or that of the first runtime.
Result<NamedPoints> AskedPoints(DoctorWorld& world, const SentPoints& wanted, std::string& file) {
  file = world.session_file;
  for (const NodeRuntime& runtime : NodeRuntimes(world)) {
    if (file.empty()) file = runtime.session_file;
  }
  if (file.empty()) return NamedPoints{wanted, "the session that would be generated"};
  auto points = PointsOfSessionFile(world.node.Place(file));
  if (points) points->name = file;
  return points;
}

NamedPoints FirstRunsc(DoctorWorld& world) {
  for (const std::string& program : RunscPrograms(world)) {
    const auto& known = KnownTo(world, program);
    if (known) return {*known, program};
  }
  return PointsOfNewestRunsc();
}

// Whether a session that asks for more would show it something.
bool IsBlindBySession(const RuleCoverage& rule, const Coverage& best) {
  const auto other = std::ranges::find(best.rules, rule.rule, &RuleCoverage::rule);
  return other != best.rules.end() && other->status != CoverageStatus::kBlind;
}

}  // namespace

std::vector<Finding> CheckCoverage(DoctorWorld& world) {
  if (!world.loaded) return {Skipped("the config, which names the rules, is not valid")};
  const auto& loaded = RulesOf(world, true);
  if (!loaded) return {Skipped("the rules do not load")};
  const SentPoints wanted = Sent(PointsFor(*loaded->rules, SessionProfile::kStandard));
  std::string file;
  const auto asked = AskedPoints(world, wanted, file);
  if (!asked) return {Skipped(asked.error().message)};
  const NamedPoints runsc = FirstRunsc(world);
  const auto covered = [&](const SentPoints& points) {
    return CoverageOf(*loaded->rules, Intersect(points, runsc.points), runsc.points, nullptr);
  };
  const Coverage coverage = covered(asked->points);
  std::vector<Finding> findings;
  if (coverage.blind != 0) {
    const Coverage best = covered(wanted);
    const bool has_runsc = runsc.name.starts_with('/');
    const std::string more =
        fmt::format("gyrfalcon rules coverage{}{}{}", ConfigWords(world),
                    file.empty() ? "" : " --session " + ShellWord(world.node.Place(file)),
                    has_runsc ? " --runsc " + ShellWord(runsc.name) : "");
    for (const RuleCoverage& rule : coverage.rules) {
      if (rule.status != CoverageStatus::kBlind) continue;
      if (findings.size() == kFindingsMax) {
        findings.back().text += fmt::format(" (of {} rules that are blind)", coverage.blind);
        break;
      }
      const bool by_session = !file.empty() && IsBlindBySession(rule, best);
      findings.push_back(Found(by_session ? Mistake::kRuleBlindBySession : Mistake::kRuleBlind,
                               fmt::format("rule \"{}\" is blind{}: {}", rule.rule,
                                           by_session ? " by " + file : "", FirstReason(rule)),
                               by_session ? SessionMend(world, file) : more));
    }
  }
  findings.push_back(
      Well(fmt::format("{} rules see all that they ask for, {} a part, {} nothing: "
                       "{} on {}",
                       coverage.full, coverage.degraded, coverage.blind, asked->name, runsc.name)));
  return findings;
}

}  // namespace gyrfalcon
