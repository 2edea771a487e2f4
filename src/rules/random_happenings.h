// For tests: happenings whose fields have random values, for random_rules.h.
#pragma once

#include <memory>
#include <string>

#include "points/event_types.h"
#include "rules/plan.h"
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

struct PlanComparison {
  size_t matches = 0;        // how often a rule held
  std::string disagreement;  // what plan and interpreter answered differently; "": nothing
};

// Asks the rules about happenings of one process that changes now and then, by the plan and by the
// interpreter.
PlanComparison HoldToInterpreter(Choices& choices, const std::shared_ptr<const RuleSet>& rules,
                                 const Plan& plan);

}  // namespace gyrfalcon
