// The compiled plan of a rule set: for each event type the rules that can still hold, split into
// what is asked of a process and what is asked of an event, with indexes that find the rules worth
// asking. It gives the interpreter's answers; tests and a fuzz target hold the two together.
// Immutable once made; read by all workers.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "rules/guard.h"
#include "rules/plan_nodes.h"
#include "rules/rule_set.h"
#include "rules/text_index.h"

namespace gyrfalcon {

// A set of rules of one event class, by their place in it.
using RuleBits = std::vector<uint64_t>;

// One operand's value finds rules by their guards.
struct GuardIndex {
  uint32_t operand = 0;
  bool has_paths = false;  // a value with doubled slashes finds every rule
  TextIndex texts;         // marks are rules
  RuleBits all;            // every rule in it
};

// Guards of one reach.
struct GuardTable {
  std::vector<GuardIndex> indexes;
  RuleBits unguarded;  // rules that are always worth asking
};

// What several rules need of an event. Where it does not hold, none of them is asked.
struct Gate {
  NodeId needed = PlanNodes::kTrue;
  RuleBits rules;
};

// A rule as it is for the event types of a class: holds when both parts, and the gates before it,
// hold.
struct PlannedRule {
  const Rule* rule = nullptr;
  NodeId of_process = PlanNodes::kTrue;
  NodeId of_event = PlanNodes::kTrue;
  bool interpreted = false;  // its condition has a memory: the interpreter walks it whole
};

// Event types whose rules are the same.
struct EventClass {
  std::vector<PlannedRule> rules;  // in order of loading
  GuardTable by_process;
  GuardTable by_event;
  std::vector<Gate> gates;  // the cheap before the dear
  uint32_t number = 0;
  // Of the rules remembered with a process; kNoSlot: they are not.
  uint32_t first_word = kNoSlot;

  size_t words() const { return by_event.unguarded.size(); }
};

// What a plan may keep with each process, which the sandbox's memory has to hold. Beyond it nothing
// is lost but time: rules and nodes that find no room are asked each time.
struct PlanLimits {
  size_t node_answers_max = 8 * 1024;  // bits, two for each
  size_t remembered_words_max = 512;   // of 64 bits, for nodes and classes together
};

class Plan {
 public:
  // `learnt` by an earlier plan, of other rules maybe; with none the order is guessed from the
  // conditions alone.
  explicit Plan(const RuleSet& rules, PlanLimits limits = {}, const PlanFigures& learnt = {});

  const EventClass& ClassOf(EventType type) const { return classes_[class_of_[type.index]]; }
  std::span<const EventClass> classes() const { return classes_; }
  const PlanNodes& nodes() const { return nodes_; }
  RuleMatching matching() const { return matching_; }
  // No two plans of this program's life have the same.
  uint64_t id() const { return id_; }

  // A happening in so many is asked with counting.
  static constexpr uint64_t kSampledEvery = 64;
  const FigureCounters& counters() const { return counters_; }
  // What this plan has learnt, and half of what it was given. Any thread.
  PlanFigures Figures() const;

  // What a process is remembered with, in words of 64 bits: which classes and nodes are known, what
  // the nodes' answers are, which rules of each class its own part lets through.
  size_t known_words() const { return known_words_; }
  size_t known_class_words() const { return known_class_words_; }
  size_t remembered_words() const { return remembered_words_; }
  // Words of the largest class.
  size_t rule_words_max() const { return rule_words_max_; }

 private:
  void AddClasses(const RuleSet& rules);
  EventClass MakeClass(const RuleSet& rules, EventType type);
  void AddRule(const Rule& rule, EventType type, EventClass& out);
  void MakeGates(EventClass& out);
  void PutBehindGates(size_t rule, EventClass& out);
  GuardTable MakeGuards(const EventClass& of, Reach reach) const;
  void LayOut(PlanLimits limits);

  RuleMatching matching_;
  uint64_t id_;
  PlanNodes nodes_;
  FigureCounters counters_;
  PlanFigures inherited_;
  std::vector<EventClass> classes_;
  std::array<uint32_t, kEventTypeCount> class_of_{};
  size_t known_class_words_ = 0;
  size_t known_words_ = 0;
  size_t remembered_words_ = 0;
  size_t rule_words_max_ = 0;
};

}  // namespace gyrfalcon
