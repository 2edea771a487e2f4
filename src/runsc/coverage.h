// What a rule sees of what a sandbox sends: all that it asks, a part, or nothing. Read off its
// bound condition by three-valued partial evaluation: an event type that no sent point makes can't
// come, a check whose fields nobody tells has one answer for ever, what the others say is open.
//
// What the sandbox's own program could hide is not in it (docs/limits.md). Pure; any thread; takes
// milliseconds for a hundred rules, so never where events are.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "rules/rule_set.h"
#include "runsc/sent_points.h"

namespace gyrfalcon {

enum class CoverageStatus : uint8_t {
  kFull,      // fires when it should, and shows what it should
  kDegraded,  // fires, but not always, too often, or without some of its output
  kBlind,     // no event can make it true
};
std::string_view Name(CoverageStatus status);

// What a gap does to a rule; bits.
enum GapEffect : uint8_t {
  kMisses = 1,      // something that it should see is not seen
  kOverAlerts = 2,  // an exception never applies
  kNotShown = 4,    // an output prints <NA>
  kUnsure = 8,      // a value is known in part, and may be wrong or missing
};

// A point that would mend a gap, as it would stand in a session config.
struct Mend {
  std::string point;
  SentPoint entry;               // all of it: what is sent already, and what is missing
  bool sent = false;             // the point is sent, only a field is missing: costs nothing
  bool known = true;             // the runsc has it; else it needs a newer one
  double messages_per_1000 = 0;  // that the sandbox sends more, PointRate()
};

struct Gap {
  std::string point;                     // that is not sent; or
  std::string field;                     // that is missing, as the rule names it
  std::vector<std::string> event_types;  // that never come, or for which the field is missing
  std::string why;
  uint8_t effects = 0;
  std::vector<std::string> parts;  // checks that it decides, as written; at most kGapPartsMax
  size_t parts_count = 0;
  std::vector<Mend> mend;  // all of them together; empty: no point can
  std::string substitute;  // where no point can: what else shows it; "": nothing known
};
inline constexpr size_t kGapPartsMax = 3;

struct RuleCoverage {
  std::string rule;
  CoverageStatus status = CoverageStatus::kFull;
  std::vector<Gap> missing;            // what the status comes from
  std::vector<Gap> notes;              // what changes no status: what the host knows of containers
  std::map<std::string, bool> points;  // that its events and fields come from: whether sent
};

// What its first gap is, and why; "": it has none.
std::string FirstReason(const RuleCoverage& rule);

struct Coverage {
  std::vector<RuleCoverage> rules;  // enabled ones, in order of loading
  size_t full = 0, degraded = 0, blind = 0;
};

// `known`: all that the runsc could send, for the mends. `wanted`: the entries of the points that
// would be asked for (Sent(PointsFor(…))); nullptr: no mends are looked for, which is quicker.
// Takes some 30 ms for a rule without evt.type; `stop`, set by another thread, ends it early with
// the rules so far.
Coverage CoverageOf(const RuleSet& rules, const SentPoints& sent, const SentPoints& known,
                    const SentPoints* wanted, const std::atomic<bool>* stop = nullptr);

}  // namespace gyrfalcon
