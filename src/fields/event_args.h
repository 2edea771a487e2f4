// evt.arg.NAME, evt.arg[N] and evt.rawarg.NAME: the arguments that Falco's event table gives each
// event type, and where each comes from in a happening.
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
// or when gVisor does not tell it. `resolved`: as text for people (evt.arg), else the plain value,
// flags and enumerations in Falco's own numbers (evt.rawarg).
Value ExtractArg(int32_t name_id, bool resolved, const Happening& happening, Scratch& scratch);

// The same for people by its place among the type's arguments, from 0.
Value ExtractArgAt(uint64_t index, const Happening& happening, Scratch& scratch);

// evt.args: all arguments that have a value, "name=value" or "name=value(meaning)", joined by
// blanks; "" for events without.
Value ExtractAllArgs(const Happening& happening, Scratch& scratch);

enum class ArgTelling : uint8_t {
  kNone,    // events of the type have no such argument
  kUntold,  // they have it, but gVisor does not send it
  kTold,
};
// Of evt.arg.NAME and evt.rawarg.NAME, in messages of the call or (`raw`) in raw ones.
ArgTelling TellingOf(int32_t name_id, EventType type, bool raw);

// Whether the process may write its own program's file; false where the session does not tell.
bool MayWriteImage(const Process& process);

// What a rule can do with a raw argument. Falco decides it when the rule is loaded, from the first
// event that has an argument of the name.
struct RawArg {
  FieldType type;
  std::string_view falco_type;  // without its PT_
  PrintFormat print;
};
RawArg DescribeRawArg(int32_t name_id);

}  // namespace gyrfalcon
