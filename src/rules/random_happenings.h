// For tests: happenings whose fields have random values, for random_rules.h.
#pragma once

#include "points/event_types.h"
#include "rules/random_rules.h"
#include "rules/rule_set.h"
#include "state/process.h"

namespace gyrfalcon {

// The program's fields, with the values that a test sets (TestValues). Those that gVisor never
// feeds, those that never change, and those that the event's type decides stay as they are.
const FieldCatalog& RandomValueFields();

// A type that random conditions ask about.
EventType RandomType(Choices& choices);

// Gives each field of the condition a value, or none.
void SetRandomValues(Choices& choices, const BoundCondition& condition);

// One process's happenings: what rules ask of it stays until its version rises.
class RandomHappenings {
 public:
  explicit RandomHappenings(const RuleSet& rules) : rules_(rules) {}

  Happening Next(Choices& choices, Process& process);

 private:
  const RuleSet& rules_;
};

}  // namespace gyrfalcon
