// What transformers do to values. Internal to the interpreter.
#pragma once

#include <span>
#include <string_view>

#include "fields/scratch.h"
#include "fields/value.h"
#include "rules/operators.h"

namespace gyrfalcon {

// tolower, toupper, b64, basename of a text, or of each element of a list; missing when it fails.
Value TransformText(Transformer transformer, const Value& value, Scratch& scratch) noexcept;

// Length of a text, or number of elements.
Value LengthOf(const Value& value) noexcept;

// The printed values one after the other, `separator` between them.
Value JoinValues(std::string_view separator, std::span<const Value> values,
                 Scratch& scratch) noexcept;

// Reads `arguments` (a list of texts) as POSIX getopt does. Without `option` a list of each
// option's letter and argument in order, '?' for an unknown one; with `option` the last argument
// given to it (its letter if it takes none), missing when it was not there.
Value GetOptions(const Value& arguments, std::string_view known, char option,
                 Scratch& scratch) noexcept;

}  // namespace gyrfalcon
