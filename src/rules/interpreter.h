// Walks a bound condition over one happening: the evaluator that can explain itself. and/or go left
// to right and stop as soon as the answer is known. Values that have to be built live in the
// scratch; when it has grown to what the rules need, nothing is allocated.
#pragma once

#include <cstdint>
#include <string_view>

#include "fields/field.h"
#include "rules/bound_condition.h"

namespace gyrfalcon {

enum class Truth : uint8_t { kFalse, kTrue, kMissing };  // missing counts as false

// Told about each part that was evaluated; parts that were skipped are not told.
class EvaluationTracer {
 public:
  virtual ~EvaluationTracer() = default;
  // `seen`: the left side's value, missing if it had none. It lives until the scratch is reset.
  virtual void OnCheck(const BoundCheck& check, Truth truth, const Value& seen) noexcept = 0;
  virtual void OnGroup(const BoundCondition& group, bool truth) noexcept = 0;
};

bool Evaluate(const BoundCondition& condition, const Happening& happening, Scratch& scratch,
              EvaluationTracer* tracer = nullptr) noexcept;

// One check by itself.
Truth Evaluate(const BoundCheck& check, const Happening& happening, Scratch& scratch,
               Value* seen = nullptr) noexcept;

// Whether the check holds for `left`, a value that its left side took; for plans that remember
// values. `left` must not be missing.
Truth Compare(const BoundCheck& check, const Value& left, const Happening& happening,
              Scratch& scratch) noexcept;

// A single value against one literal.
bool CompareValues(Operator op, const Value& a, const Value& b) noexcept;
// One text against one literal.
bool CompareTexts(Operator op, std::string_view a, std::string_view b) noexcept;

// The value of a check's left side; missing where it is a list of sides or ancestors, and there is
// none that a check could hold for.
Value ExtractLeft(const BoundOperand& left, const Happening& happening, Scratch& scratch) noexcept;

// The value of a field, transformer or constant.
Value Extract(const BoundOperand& operand, const Happening& happening, Scratch& scratch) noexcept;

}  // namespace gyrfalcon
