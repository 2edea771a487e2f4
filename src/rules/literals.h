// Reads the literals of a check as the field's type wants them. Internal to the binder.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "rules/bound_condition.h"

namespace gyrfalcon {

struct LiteralError {
  std::string message;
  std::string suggestion;
};

// A pattern may take this much memory once compiled (RE2's max_mem).
inline constexpr size_t kRegexBytesMax = size_t{2} << 20;
// A glob, or text of icontains: each costs at most its length times that of the value.
inline constexpr size_t kPatternMax = 4096;

// Makes room for that many: what is added must not move any more.
void ReserveLiterals(size_t count, BoundCheck& check);

// Adds `text` to the check's literals (or networks, or regexes).
std::expected<void, LiteralError> AddLiteral(std::string_view text, BoundCheck& check);

}  // namespace gyrfalcon
