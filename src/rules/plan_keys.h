// Texts by which a plan knows that two parts of different conditions ask the same: equal texts, the
// same answer at every happening. For building a plan only.
#pragma once

#include <string>

#include "rules/bound_condition.h"

namespace gyrfalcon {

std::string KeyOf(const BoundOperand& operand);
std::string KeyOf(const BoundCheck& check);

}  // namespace gyrfalcon
