// Binds a syntax tree to a catalog of fields: looks up every field, checks operators against types,
// reads literals. Messages are in Falco's words.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "fields/field.h"
#include "rules/bound_condition.h"
#include "rules/condition.h"

namespace gyrfalcon {

struct BindProblem {
  std::string message;
  std::string suggestion;
  TextPosition position;
  Origin origin;
};

// `condition` must have no macros left. `warnings` gets what is odd but no error. The catalog must
// outlive the result.
std::expected<BoundCondition, BindProblem> BindCondition(const Condition& condition,
                                                         const FieldCatalog& catalog,
                                                         std::vector<BindProblem>& warnings);

// A field or transformer call by itself, as outputs use them. The error is a message.
std::expected<BoundOperand, std::string> BindOperand(const Operand& operand,
                                                     const FieldCatalog& catalog);

// "CHARBUF": Falco's name for the type, as its messages have it.
std::string_view TypeName(const BoundOperand& operand);

}  // namespace gyrfalcon
