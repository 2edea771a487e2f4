// Which points a sandbox has to be asked for, so that the loaded rules raise what they would raise
// if it were asked for all, and why each: for a rule, to keep the state true, or for the profile's
// promises (docs/threat-model.md).
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rules/rule_set.h"

namespace gyrfalcon {

// How much a sandbox tells: what each profile sees and costs is in docs/sensor.md.
enum class SessionProfile : uint8_t {
  kLean,      // what the rules and the state need, believed as the program says it
  kStandard,  // and what shows whether it is true: enters, fd_path at close; tripwires of execs
  kStrict,    // and tripwires of opens and connects; the environment at an exec's enter
};
std::optional<SessionProfile> ParseSessionProfile(std::string_view name);
std::string_view Name(SessionProfile profile);

// Why something is asked for: "state: …", "profile standard: …", or "rule NAME: …", NAME quoted.
using Reasons = std::set<std::string>;

struct AskedField {
  std::string_view name;
  bool optional = false;  // else a context field
  Reasons reasons;
};

struct AskedPoint {
  std::string name;  // as in a session config, side included
  Reasons reasons;
  std::vector<AskedField> fields;  // in gVisor's order, context fields first
};

// A point that is asked for beside those: with the fields that the state needs of any message, and
// those that the rules need of it.
struct NamedPoint {
  std::string name;  // side included; one that gVisor does not have is left out
  std::string reason;
};

// In the order of the points table, raw points last, by number. `rules`: enabled ones count.
std::vector<AskedPoint> PointsFor(const RuleSet& rules, SessionProfile profile,
                                  std::span<const NamedPoint> also = {});

// Whether a reason says that the state needs it, whatever rules and profile ask for.
bool IsStateReason(std::string_view reason);

}  // namespace gyrfalcon
