// What a rule has to be told to be right: for each event type that it can hold for, the fields that
// it still asks there, in condition and outputs, and the facts that those need. The session
// generator and the coverage of a rule set go by it.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fields/field_facts.h"
#include "points/event_types.h"
#include "rules/rule_set.h"

namespace gyrfalcon {

// An answer that some of a condition's checks may lack: nullopt.
using Known = std::optional<bool>;

// What is left of a condition where some checks have a known answer.
struct PartialAnswer {
  Known answer;                           // nullopt: the checks left decide
  std::vector<const BoundCheck*> checks;  // that are left; views the condition
};

// `know` says what is known of a check. Missing values are as Falco has them: such a check does not
// hold, so its `not` does.
PartialAnswer AnswerPartly(const BoundCondition& condition,
                           const std::function<Known(const BoundCheck&)>& know);

// What the event's type alone says of a check; fields that are never there stay open.
Known KnowByType(const BoundCheck& check, EventType type);

// Whether the field shows nothing but how the call ended (evt.res).
bool IsReturn(const BoundField& field);

// Whether the condition can hold for an event that returned an error, given what `know` says of the
// checks that do not ask how it ended.
bool CanHoldForFailure(const BoundCondition& condition, EventType type,
                       const std::function<Known(const BoundCheck&)>& know);

// One event type that a rule can hold for.
struct TypeNeeds {
  EventType type{};
  std::set<std::string> fields;  // as written
  FactSet facts = 0;
  bool can_fail = false;  // the rule can hold for a call that failed
};

// Empty for a rule that can hold for nothing. In order of types.
std::vector<TypeNeeds> NeedsOf(const Rule& rule);

}  // namespace gyrfalcon
