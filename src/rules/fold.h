// Takes out of a bound condition what has the same answer at every happening: checks that read no
// field, fields that are never there, fields whose value is the rule set's (Level::kRuleset), empty
// lists. No answer changes, missing values included; what a fold leaves out is never evaluated nor
// traced.
#pragma once

#include <optional>

#include "rules/bound_condition.h"

namespace gyrfalcon {

// The same condition, with constant parts folded and and/or in themselves joined. One that is
// always true is an `and` without children, one that is never true an `or` without children.
BoundCondition FoldConstants(BoundCondition condition);

// The answer of a check that has the same one at every happening.
std::optional<bool> ConstantAnswer(const BoundCheck& check);

// "x in ()": whatever x is.
bool ComparesWithNothing(const BoundCheck& check);

// The answer of a condition that FoldConstants() made, when it is always the same.
std::optional<bool> ConstantAnswer(const BoundCondition& folded);

}  // namespace gyrfalcon
