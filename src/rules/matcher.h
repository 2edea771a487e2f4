// Holds happenings against a rule set, by its plan: one for each worker, with the memory that the
// plan needs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "fields/scratch.h"
#include "rules/plan.h"
#include "rules/rule_set.h"

namespace gyrfalcon {

// Thread-compatible.
class Matcher {
 public:
  // Compiles the rules' plan if nobody has yet: that takes milliseconds.
  explicit Matcher(std::shared_ptr<const RuleSet> rules);
  // By another plan of the same rules, which outlives this.
  Matcher(std::shared_ptr<const RuleSet> rules, const Plan& plan);

  const RuleSet& rules() const { return *rules_; }

  // The enabled rules that hold, in order of loading; only the first with RuleMatching::kFirst.
  // They stay until the next call. Nothing is allocated once every kind of happening has been met.
  // Rules less urgent than `least` are not asked.
  std::span<const Rule* const> Match(const Happening& happening,
                                     Priority least = Priority::kDebug) noexcept;
  // Whether `least` keeps a rule from being asked about events of the type.
  bool LeavesOut(EventType type, Priority least);
  const Plan& plan() const { return plan_; }
  // What the last Match gave.
  std::span<const Rule* const> matches() const { return matches_; }

  // Values of the happening that was matched last live in it; an alert's are made there, too.
  Scratch& scratch() { return scratch_; }

 private:
  // What is worth remembering until the next happening. `as_of` is the number of the happening.
  struct KeptAnswer {
    uint64_t as_of = 0;
    bool answer = false;
  };
  struct KeptValue {
    uint64_t as_of = 0;
    Value value;
  };

  // The rules of one class that are urgent enough.
  struct Urgent {
    RuleBits rules;
    bool any = false;
    bool all = true;
  };
  const Urgent& UrgentOf(const EventClass& of, Priority least);
  void FindWorthAsking(const GuardTable& table, const Happening& happening, uint64_t* bits);
  const uint64_t* PassedByProcess(const EventClass& of, const Happening& happening);
  void CloseGates(const EventClass& of, const Happening& happening);
  bool Holds(const PlannedRule& rule, const Happening& happening);
  bool Holds(NodeId id, const Happening& happening);
  bool Answer(const PlanNode& node, const Happening& happening);
  bool HoldsOfProcess(const PlanNode& node, const Happening& happening);
  bool HoldsOfEvent(const PlanNode& node, const Happening& happening);
  bool Ask(const PlanNode& node, const Happening& happening);
  const Value& OperandValue(uint32_t operand, const Happening& happening);

  std::shared_ptr<const RuleSet> rules_;
  const Plan& plan_;
  Scratch scratch_;
  std::vector<const Rule*> matches_;
  uint64_t happening_number_ = 0;
  bool is_sampled_ = false;          // its answers are counted, for the plan that follows
  std::vector<KeptAnswer> answers_;  // by slot of an event node
  std::vector<KeptValue> values_;    // by operand
  std::vector<uint64_t> candidates_;
  std::vector<uint64_t> of_process_candidates_;
  std::vector<uint64_t> passed_;    // where the process has no room to remember them
  std::span<uint64_t> remembered_;  // of the process at hand
  // By priority and class; made when a priority is first asked for.
  std::array<std::vector<Urgent>, static_cast<size_t>(Priority::kDebug)> urgent_;
};

// The same answers by walking each rule's condition.
void InterpretRules(const RuleSet& rules, const Happening& happening, Scratch& scratch,
                    std::vector<const Rule*>& matches) noexcept;

}  // namespace gyrfalcon
