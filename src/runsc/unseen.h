// Why a rule could not know something: what would have told it and was not sent.
#pragma once

#include <string>
#include <vector>

#include "fields/field_facts.h"
#include "rules/bound_condition.h"
#include "runsc/sent_points.h"

namespace gyrfalcon {

// Something to add to a session.
struct Unsent {
  std::string point;  // side included
  std::string field;  // "": the point itself

  friend auto operator<=>(const Unsent&, const Unsent&) = default;
};

// What would tell the fields of a check at events of the type, where nothing of the kind was sent:
// for each fact that they need, everything that tells it by itself. Empty: all that they need was
// sent, so a field without a value has none.
std::vector<Unsent> UnsentFor(const BoundCheck& check, EventType type, const SentPoints& sent);

// The same for all checks of a condition, as far as it needs those facts at all.
std::vector<Unsent> UnsentFor(const BoundCondition& condition, FactSet needed, EventType type,
                              const SentPoints& sent);

// The points whose messages are events of the type; raw ones only where no others are. Empty:
// gVisor tells no such event.
std::vector<std::string> PointsOf(EventType type);
// Whether such events come at all.
bool IsSent(EventType type, const SentPoints& sent);

}  // namespace gyrfalcon
