// What would mend a gap of a rule: points, with their cost, or something else to look at.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "points/event_types.h"
#include "runsc/coverage.h"
#include "runsc/field_lack.h"

namespace gyrfalcon {

// How many of 1,000 messages of busy traffic a point makes, where a session has every schematised
// point (runsc/point_rates.inc says how that was counted); a raw point's by the same programs.
double PointRate(std::string_view point);

// Where mends are looked for.
struct MendContext {
  const SentPoints& sent;
  const SentPoints& known;
  const SentPoints* wanted;  // nullptr: none are
};

// The points that make events of a type; the best form that the runsc knows.
std::vector<Mend> MendForType(const MendContext& context, EventType type);
// The message of the call instead of registers alone; empty: gVisor has none.
std::vector<Mend> MendForRaw(const MendContext& context, EventType type);
std::vector<Mend> MendForFact(const MendContext& context, const SentEvents& events, Fact fact);
Mend MendForPoint(const MendContext& context, std::string_view point);

// What else shows something of what can't be seen; "" where nothing does.
std::string_view SubstituteForType(EventType type);
std::string_view SubstituteForField(std::string_view field);

}  // namespace gyrfalcon
