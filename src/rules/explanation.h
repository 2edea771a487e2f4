// What one happening makes of a condition, part by part: the truth of every check and group, also
// of those that evaluation leaves out because the answer is known before, and what would have to
// come out otherwise. For people; the way of an event goes through rules/matcher.h.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "fields/scratch.h"
#include "rules/bound_condition.h"
#include "rules/interpreter.h"

namespace gyrfalcon {

// A distance that nothing can bridge: a check of a field that gVisor never tells.
inline constexpr uint32_t kNever = uint32_t{1} << 20;

struct ExplainedPart {
  const BoundCondition* condition = nullptr;  // the part; of the rule
  Truth truth = Truth::kFalse;                // kMissing is of checks only
  const ExplainedPart* parent = nullptr;      // nullptr: the whole condition
  bool decisive = false;                      // evaluation came by; the others had no part in it
  // A check's left side, and its right one where that is val(…) or a function. They live until the
  // next Explain().
  Value seen;
  Value right;
  // How many checks at least would have to come out otherwise, for the part to hold and not to; at
  // most kNever.
  uint32_t to_hold = 0;
  uint32_t to_fail = 0;
  std::vector<ExplainedPart> children;

  bool holds() const { return truth == Truth::kTrue; }
  const BoundCheck* check() const { return condition->check.get(); }
};

// Asks one condition again and again. Thread-compatible.
class Explainer {
 public:
  // `condition` outlives this.
  explicit Explainer(const BoundCondition& condition);
  Explainer(const Explainer&) = delete;
  Explainer& operator=(const Explainer&) = delete;

  // What a rule that was not asked would have said: leaves what checks remember (util.cnt) alone.
  const ExplainedPart& Suppose(const Happening& happening) noexcept;
  // Asks as the interpreter does. Stays until the next call.
  const ExplainedPart& Explain(const Happening& happening) noexcept;

 private:
  class Tracer;

  const ExplainedPart& Ask(const Happening& happening, Scratch& memory);
  void Index(ExplainedPart& part);
  void Complete(ExplainedPart& part, const Happening& happening);

  ExplainedPart root_;
  std::unordered_map<const void*, ExplainedPart*> by_condition_;  // checks by their BoundCheck
  Scratch memory_;                                                // of the parts that decide
  Scratch supposed_;                                              // of Suppose
  Scratch aside_;  // of the parts that were left out: what they remember must not count
};

// A check that stands in the way of an answer, or carries it.
struct DecidingPart {
  const ExplainedPart* part;  // a check
  bool wanted;                // what it has to be
};

// BoundCondition::from of all that the part is in, outermost first: "macro a > exception b".
std::string WhereFrom(const ExplainedPart& part);

// The checks that make the condition hold, or would: of an `or` those of the part that is nearest
// to it. Some are as they are wanted, the others stand in the way.
std::vector<DecidingPart> NearestWay(const ExplainedPart& root);
// The fewest checks that would have to come out otherwise for the condition to hold; none where it
// does. In the order of the condition.
std::vector<DecidingPart> StandsInTheWay(const ExplainedPart& root);

}  // namespace gyrfalcon
