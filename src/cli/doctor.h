// `doctor`: what can be wrong between a sandbox and its alerts, asked check by check. The checks,
// and the mistakes that they find, are two tables (doctor_table.cc); docs/troubleshooting.md is
// made of them.
//
// A check reads files and asks programs and sockets, each within bounds of time and size; it
// changes nothing. What it can't see is said as `skipped`, with the reason, and never as an error.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/doctor_world.h"

namespace gyrfalcon {

// The worse the greater.
enum class Health : uint8_t { kOk, kSkipped, kWarning, kBroken };
std::string_view Name(Health health);

enum class Mistake : uint8_t {
  kConfigInvalid,
  kConfigWarned,
  kOutputUnusable,
  kRulesInvalid,
  kRulesWarned,
  kRulesNone,
  kRulesMissing,
  kStoreForeign,
  kStoreUnwritable,
  kStoreDamaged,
  kStoreDiskLow,
  kStoreOnNetwork,
  kStoreVolatile,
  kRunscMissing,
  kRunscUnusable,
  kRunscTooOld,
  kRunscUnnamed,
  kKvmMissing,
  kProofFailed,
  kSessionAbsent,
  kSessionInvalid,
  kSessionVolatile,
  kSessionEmpty,
  kSessionElsewhere,
  kSessionUnhostable,
  kSessionRefused,
  kSessionSilent,
  kSessionTooNew,
  kSessionWide,
  kSessionOpen,
  kDockerConfigInvalid,
  kDockerUnconfigured,
  kDockerNotReloaded,
  kContainerdConfigInvalid,
  kContainerdUnconfigured,
  kShimUnconfigured,
  kUnitsPartial,
  kUnitDisabled,
  kUnitOrder,
  kUnitElsewhere,
  kUnitPrivateTmp,
  kSocketInvalid,
  kSocketAbsent,
  kSocketForeign,
  kSocketOpen,
  kSocketInTmp,
  kNobodyListens,
  kNoHandshake,
  kDaemonSilent,
  kDaemonNotReady,
  kDaemonReplaced,
  kOutputFailing,
  kFalcoRuns,
  kSecondDaemon,
  kQueueSmall,
  kQueueOverrun,
  kBacklogSmall,
  kDescriptorsFew,
  kNamespaceOther,
  kRootUnlistable,
  kSandboxUntraced,
  kSandboxUnheard,
  kSandboxOthers,
  kSandboxDrops,
  kSandboxUnknown,
  kRuleBlindBySession,
  kRuleBlind,
  kCount,
};

// A row of the table of mistakes.
struct MistakeDef {
  std::string_view name;     // in --json
  std::string_view check;    // the id of the check that finds it
  Health health;             // of a finding of it
  std::string_view symptom;  // what is seen of it without the doctor
  std::string_view mend;     // what the finding's command does
};
const MistakeDef& Describe(Mistake mistake);

struct Finding {
  Health health = Health::kOk;
  std::string text;          // one line
  std::string mend;          // for a root shell; "" where all is well or nothing could be seen
  std::string_view mistake;  // its name; "": none
};
Finding Well(std::string text);
Finding Skipped(std::string why);
Finding Found(Mistake mistake, std::string text, std::string mend);

// Findings of one kind, the first ones; of the others the number.
inline constexpr size_t kFindingsMax = 20;

using CheckFunction = std::vector<Finding> (*)(DoctorWorld& world);

// A row of the table of checks, in the order in which a mistake shows in what follows it.
struct DoctorCheck {
  std::string_view id;
  std::string_view title;  // what it asks
  CheckFunction run;
};
std::span<const DoctorCheck> DoctorChecks();
std::span<const MistakeDef> Mistakes();

// The made parts of docs/troubleshooting.md.
std::string DoctorChecksMarkdown();
std::string MistakesMarkdown();

std::vector<Finding> CheckConfig(DoctorWorld& world);
std::vector<Finding> CheckRulesLoad(DoctorWorld& world);
std::vector<Finding> CheckStore(DoctorWorld& world);
std::vector<Finding> CheckRunsc(DoctorWorld& world);
std::vector<Finding> CheckPlatform(DoctorWorld& world);
std::vector<Finding> CheckSessions(DoctorWorld& world);
std::vector<Finding> CheckDocker(DoctorWorld& world);
std::vector<Finding> CheckContainerd(DoctorWorld& world);
std::vector<Finding> CheckUnits(DoctorWorld& world);
std::vector<Finding> CheckSocket(DoctorWorld& world);
std::vector<Finding> CheckHandshake(DoctorWorld& world);
std::vector<Finding> CheckDaemon(DoctorWorld& world);
std::vector<Finding> CheckOthers(DoctorWorld& world);
std::vector<Finding> CheckQueue(DoctorWorld& world);
std::vector<Finding> CheckBacklog(DoctorWorld& world);
std::vector<Finding> CheckDescriptors(DoctorWorld& world);
std::vector<Finding> CheckNamespaces(DoctorWorld& world);
std::vector<Finding> CheckSandboxes(DoctorWorld& world);
std::vector<Finding> CheckCoverage(DoctorWorld& world);

}  // namespace gyrfalcon
