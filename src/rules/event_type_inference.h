// Which event types a condition can be true for at all, read off its evt.type checks: a rule is
// only evaluated for those.
#pragma once

#include <expected>
#include <string>

#include "points/event_types.h"
#include "rules/condition.h"

namespace gyrfalcon {

// `condition` must have no macros left. The error is a message (a transformer on evt.type).
std::expected<EventTypeSet, std::string> InferEventTypes(const Condition& condition);

// How many of Falco's event codes (enter, exit and versions counted apart) the set has.
size_t FalcoCodeCount(const EventTypeSet& types);

}  // namespace gyrfalcon
