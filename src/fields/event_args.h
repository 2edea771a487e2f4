// evt.arg.NAME and evt.rawarg.NAME: the arguments that Falco's event table gives each event type,
// and where each comes from in a happening.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "fields/field.h"
#include "state/happening.h"

namespace gyrfalcon {

// Number of the argument name among those of any event type; nullopt: Falco knows no such argument.
std::optional<int32_t> FindArgName(std::string_view name);

// The value of argument `name_id` in this happening; missing when its type has none of that name,
// or when gVisor does not tell it. `resolved`: as text for people (evt.arg), else the plain value
// (evt.rawarg).
Value ExtractArg(int32_t name_id, bool resolved, const Happening& happening, Scratch& scratch);

// evt.args: all arguments that have a value, "name=value" joined by blanks.
Value ExtractAllArgs(const Happening& happening, Scratch& scratch);

// Type of a raw argument, for the operators that work on it.
FieldType RawArgType(int32_t name_id);

}  // namespace gyrfalcon
