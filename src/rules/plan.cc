#include "rules/plan.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "rules/plan_keys.h"

namespace gyrfalcon {
namespace {

using Kind = BoundCondition::Kind;

constexpr size_t kBitsPerWord = 64;

size_t WordsFor(size_t bits) {
  return (bits + kBitsPerWord - 1) / kBitsPerWord;
}

void SetBit(RuleBits& bits, size_t i) {
  bits[i / kBitsPerWord] |= uint64_t{1} << (i % kBitsPerWord);
}

uint64_t NextId() {
  static std::atomic<uint64_t> last = 0;
  return ++last;
}

// Event types of which every rule, and every check that asks the type only, says the same have the
// same signature.
class Signatures {
 public:
  explicit Signatures(const RuleSet& rules) : rules_(rules) {
    absl::flat_hash_set<std::string> seen;
    for (const Rule& rule : rules.rules()) {
      if (rule.enabled) Collect(rule.condition, seen);
    }
  }

  std::string Of(EventType type) const {
    std::string signature;
    const auto rules = rules_.RulesFor(type);
    if (rules.empty()) return signature;
    for (const Rule* rule : rules) {
      signature += std::to_string(rule - rules_.rules().data());
      signature += ' ';
    }
    for (const BoundCheck* check : checks_) signature += AnswerForType(*check, type) ? '1' : '0';
    return signature;
  }

 private:
  void Collect(const BoundCondition& condition, absl::flat_hash_set<std::string>& seen) {
    const BoundCheck* check = condition.check.get();
    if (check != nullptr && AsksTypeOnly(*check) && seen.insert(KeyOf(*check)).second) {
      checks_.push_back(check);
    }
    for (const BoundCondition& child : condition.children) Collect(child, seen);
  }

  const RuleSet& rules_;
  std::vector<const BoundCheck*> checks_;
};

// The node's conjuncts, or itself.
std::vector<NodeId> PartsOf(const PlanNodes& nodes, NodeId id) {
  if (nodes[id].kind == Kind::kAnd) return nodes[id].children;
  return {id};
}

// Indexes that are worth looking into: with fewer rules in it, asking them is as cheap.
constexpr size_t kRulesPerIndexMin = 4;

struct Guarded {
  size_t rule;
  Guard guard;
};

// Operands by how many rules have a guard on them.
absl::flat_hash_map<uint32_t, size_t> RulesPerOperand(const std::vector<Guarded>& guarded) {
  absl::flat_hash_map<uint32_t, size_t> rules;
  for (const Guarded& entry : guarded) {
    absl::flat_hash_set<uint32_t> operands;
    for (const GuardKey& key : entry.guard) operands.insert(key.operand);
    for (const uint32_t operand : operands) ++rules[operand];
  }
  return rules;
}

GuardIndex& IndexOf(uint32_t operand, size_t words, GuardTable& table) {
  const auto found = std::ranges::find(table.indexes, operand, &GuardIndex::operand);
  if (found != table.indexes.end()) return *found;
  return table.indexes.emplace_back(
      GuardIndex{.operand = operand, .texts = {}, .all = RuleBits(words)});
}

void AddGuard(const Guarded& entry, size_t words, GuardTable& table) {
  const auto mark = static_cast<uint32_t>(entry.rule);
  for (const GuardKey& key : entry.guard) {
    GuardIndex& index = IndexOf(key.operand, words, table);
    if (key.is_prefix) {
      index.texts.AddPrefix(key.text, mark);
    } else {
      index.texts.AddWhole(key.text, mark);
    }
    index.has_paths |= key.is_path;
    SetBit(index.all, entry.rule);
  }
}

}  // namespace

Plan::Plan(const RuleSet& rules, PlanLimits limits, const PlanFigures& learnt)
    : matching_(rules.matching()), id_(NextId()), nodes_(learnt), inherited_(learnt) {
  AddClasses(rules);
  for (EventClass& each : classes_) {
    each.by_process = MakeGuards(each, Reach::kProcess);
    each.by_event = MakeGuards(each, Reach::kEvent);
    MakeGates(each);
  }
  nodes_.AssignSlots(
      std::min(limits.node_answers_max, limits.remembered_words_max * kBitsPerWord / 4));
  LayOut(limits);
  counters_.Resize(nodes_.size());
}

// What is old counts less with each plan, and is forgotten with the rules that had it.
PlanFigures Plan::Figures() const {
  PlanFigures figures;
  for (NodeId id = 0; id < nodes_.size(); ++id) {
    Figure figure = counters_[id];
    if (const auto old = inherited_.find(nodes_[id].identity); old != inherited_.end()) {
      figure.asked += old->second.asked / 2;
      figure.held += old->second.held / 2;
    }
    if (figure.asked != 0) figures[nodes_[id].identity] = figure;
  }
  return figures;
}

void Plan::AddClasses(const RuleSet& rules) {
  const Signatures signatures(rules);
  absl::flat_hash_map<std::string, uint32_t> class_by_signature;
  for (uint16_t i = 0; i < kEventTypeCount; ++i) {
    const EventType type{i};
    const auto [entry, is_new] =
        class_by_signature.try_emplace(signatures.Of(type), static_cast<uint32_t>(classes_.size()));
    if (is_new) classes_.push_back(MakeClass(rules, type));
    class_of_[i] = entry->second;
  }
}

EventClass Plan::MakeClass(const RuleSet& rules, EventType type) {
  EventClass out;
  out.number = static_cast<uint32_t>(classes_.size());
  for (const Rule* rule : rules.RulesFor(type)) AddRule(*rule, type, out);
  return out;
}

void Plan::AddRule(const Rule& rule, EventType type, EventClass& out) {
  PlannedRule planned{.rule = &rule};
  planned.interpreted = HasMemory(rule.condition);
  if (!planned.interpreted) {
    const NodeId whole = nodes_.Add(rule.condition, type);
    if (whole == PlanNodes::kFalse) return;
    std::vector<NodeId> of_process;
    std::vector<NodeId> of_event;
    for (const NodeId part : PartsOf(nodes_, whole)) {
      (nodes_[part].reach == Reach::kEvent ? of_event : of_process).push_back(part);
    }
    planned.of_process = nodes_.Group(Kind::kAnd, std::move(of_process));
    planned.of_event = nodes_.Group(Kind::kAnd, std::move(of_event));
    nodes_.NoteUse(planned.of_process);
    nodes_.NoteUse(planned.of_event);
  }
  out.rules.push_back(planned);
}

// Its rules have what the gates need taken out: it holds when they are asked.
void Plan::MakeGates(EventClass& out) {
  constexpr size_t kGatesMax = 64;
  absl::flat_hash_map<NodeId, size_t> rules_with;
  for (const PlannedRule& rule : out.rules) {
    for (const NodeId part : PartsOf(nodes_, rule.of_event)) ++rules_with[part];
  }
  std::vector<std::pair<size_t, NodeId>> shared;  // by how many rules
  for (const auto& [part, rules] : rules_with) {
    if (rules > 1 && part != PlanNodes::kTrue) shared.emplace_back(rules, part);
  }
  std::ranges::sort(shared, std::ranges::greater());
  if (shared.size() > kGatesMax) shared.resize(kGatesMax);
  const size_t words = WordsFor(out.rules.size());
  for (const auto& [rules, part] : shared) {
    out.gates.push_back({.needed = part, .rules = RuleBits(words)});
  }
  std::ranges::sort(out.gates, {}, [this](const Gate& gate) {
    return std::pair(nodes_.RankIn(Kind::kAnd, gate.needed), gate.needed);
  });
  for (size_t i = 0; i < out.rules.size(); ++i) PutBehindGates(i, out);
}

void Plan::PutBehindGates(size_t rule, EventClass& out) {
  std::vector<NodeId> left;
  for (const NodeId part : PartsOf(nodes_, out.rules[rule].of_event)) {
    const auto gate = std::ranges::find(out.gates, part, &Gate::needed);
    if (gate == out.gates.end()) {
      left.push_back(part);
    } else {
      SetBit(gate->rules, rule);
    }
  }
  out.rules[rule].of_event = nodes_.Group(Kind::kAnd, std::move(left));
}

GuardTable Plan::MakeGuards(const EventClass& of, Reach reach) const {
  std::vector<Guarded> guarded;
  for (size_t i = 0; i < of.rules.size(); ++i) {
    const PlannedRule& rule = of.rules[i];
    const NodeId part = reach == Reach::kProcess ? rule.of_process : rule.of_event;
    if (std::optional<Guard> guard = FindGuard(nodes_, part, reach)) {
      guarded.push_back({.rule = i, .guard = std::move(*guard)});
    }
  }
  const auto rules_per_operand = RulesPerOperand(guarded);
  std::erase_if(guarded, [&](const Guarded& entry) {
    return std::ranges::any_of(entry.guard, [&](const GuardKey& key) {
      return rules_per_operand.find(key.operand)->second < kRulesPerIndexMin;
    });
  });
  const size_t words = WordsFor(of.rules.size());
  GuardTable table{.indexes = {}, .unguarded = RuleBits(words)};
  for (size_t i = 0; i < of.rules.size(); ++i) SetBit(table.unguarded, i);
  for (const Guarded& entry : guarded) {
    table.unguarded[entry.rule / kBitsPerWord] &= ~(uint64_t{1} << (entry.rule % kBitsPerWord));
    AddGuard(entry, words, table);
  }
  for (GuardIndex& index : table.indexes) index.texts.Seal();
  return table;
}

void Plan::LayOut(PlanLimits limits) {
  known_class_words_ = WordsFor(classes_.size());
  const size_t node_words = WordsFor(nodes_.process_slots());
  known_words_ = known_class_words_ + node_words;
  remembered_words_ = known_words_ + node_words;
  for (EventClass& each : classes_) {
    rule_words_max_ = std::max(rule_words_max_, each.words());
    if (remembered_words_ + each.words() > limits.remembered_words_max) continue;
    each.first_word = static_cast<uint32_t>(remembered_words_);
    remembered_words_ += each.words();
  }
}

}  // namespace gyrfalcon
