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

// Adds `text` to the check's literals (or networks, or regexes).
std::expected<void, LiteralError> AddLiteral(std::string_view text, BoundCheck& check);

}  // namespace gyrfalcon
