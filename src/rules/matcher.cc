#include "rules/matcher.h"

#include <algorithm>
#include <bit>

#include "rules/interpreter.h"
#include "rules/matchers.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

using Kind = BoundCondition::Kind;

constexpr size_t kBitsPerWord = 64;

bool HasBit(std::span<const uint64_t> words, size_t i) {
  return ((words[i / kBitsPerWord] >> (i % kBitsPerWord)) & 1) != 0;
}

void SetBit(std::span<uint64_t> words, size_t i, bool value) {
  const uint64_t bit = uint64_t{1} << (i % kBitsPerWord);
  uint64_t& word = words[i / kBitsPerWord];
  word = value ? word | bit : word & ~bit;
}

}  // namespace

Matcher::Matcher(std::shared_ptr<const RuleSet> rules) : Matcher(rules, rules->plan()) {}

Matcher::Matcher(std::shared_ptr<const RuleSet> rules, const Plan& plan)
    : rules_(std::move(rules)), plan_(plan) {
  answers_.resize(plan_.nodes().event_slots());
  values_.resize(plan_.nodes().operands().size());
  candidates_.resize(plan_.rule_words_max());
  of_process_candidates_.resize(plan_.rule_words_max());
  passed_.resize(plan_.rule_words_max());
  matches_.reserve(rules_->rules().size());
}

const Matcher::Urgent& Matcher::UrgentOf(const EventClass& of, Priority least) {
  std::vector<Urgent>& by_class = urgent_[static_cast<size_t>(least)];
  if (by_class.empty()) {
    by_class.resize(plan_.classes().size());
    for (const EventClass& one : plan_.classes()) {
      Urgent& urgent = by_class[one.number];
      urgent.rules.resize(one.words());
      for (size_t i = 0; i < one.rules.size(); ++i) {
        const bool is_urgent = one.rules[i].rule->priority <= least;
        SetBit(urgent.rules, i, is_urgent);
        urgent.any |= is_urgent;
        urgent.all &= is_urgent;
      }
    }
  }
  return by_class[of.number];
}

bool Matcher::LeavesOut(EventType type, Priority least) {
  const EventClass& of = plan_.ClassOf(type);
  return least != Priority::kDebug && !of.rules.empty() && !UrgentOf(of, least).all;
}

std::span<const Rule* const> Matcher::Match(const Happening& happening, Priority least) noexcept {
  scratch_.Reset();
  matches_.clear();
  const EventClass& of = plan_.ClassOf(happening.type);
  if (of.rules.empty()) return matches_;
  const bool leaves_out = least != Priority::kDebug && !UrgentOf(of, least).all;
  if (leaves_out && !UrgentOf(of, least).any) return matches_;
  is_sampled_ = ++happening_number_ % Plan::kSampledEvery == 0;
  const uint64_t* passed = PassedByProcess(of, happening);
  const size_t words = of.words();
  if (std::all_of(passed, passed + words, [](uint64_t word) { return word == 0; })) return matches_;
  FindWorthAsking(of.by_event, happening, candidates_.data());
  for (size_t w = 0; w < words; ++w) candidates_[w] &= passed[w];
  if (leaves_out) {
    const RuleBits& urgent = UrgentOf(of, least).rules;
    for (size_t w = 0; w < words; ++w) candidates_[w] &= urgent[w];
  }
  CloseGates(of, happening);
  for (size_t w = 0; w < words; ++w) {
    for (uint64_t left = candidates_[w]; left != 0; left &= left - 1) {
      const PlannedRule& rule =
          of.rules[w * kBitsPerWord + static_cast<size_t>(std::countr_zero(left))];
      if (!Holds(rule, happening)) continue;
      matches_.push_back(rule.rule);
      if (plan_.matching() == RuleMatching::kFirst) return matches_;
    }
  }
  return matches_;
}

bool Matcher::Holds(const PlannedRule& rule, const Happening& happening) {
  if (rule.interpreted) return Evaluate(rule.rule->condition, happening, scratch_);
  return Holds(rule.of_event, happening);
}

void Matcher::CloseGates(const EventClass& of, const Happening& happening) {
  const size_t words = of.words();
  for (const Gate& gate : of.gates) {
    uint64_t behind = 0;
    for (size_t w = 0; w < words; ++w) behind |= candidates_[w] & gate.rules[w];
    if (behind == 0 || Holds(gate.needed, happening)) continue;
    for (size_t w = 0; w < words; ++w) candidates_[w] &= ~gate.rules[w];
  }
}

void Matcher::FindWorthAsking(const GuardTable& table, const Happening& happening, uint64_t* bits) {
  std::ranges::copy(table.unguarded, bits);
  for (const GuardIndex& index : table.indexes) {
    const Value& value = OperandValue(index.operand, happening);
    if (value.missing()) continue;  // then none of its checks holds
    const bool is_text = value.kind() == ValueKind::kText;
    if (!is_text || (index.has_paths && HasDoubledSlash(value.text()))) {
      for (size_t w = 0; w < index.all.size(); ++w) bits[w] |= index.all[w];
      continue;
    }
    index.texts.Find(value.text(), [bits](uint32_t rule) {
      bits[rule / kBitsPerWord] |= uint64_t{1} << (rule % kBitsPerWord);
    });
  }
}

const uint64_t* Matcher::PassedByProcess(const EventClass& of, const Happening& happening) {
  const Process& process = *happening.process;
  remembered_ = process.remembered.Under({.owner = plan_.id(),
                                          .process_version = process.version,
                                          .line_version = happening.line_version},
                                         plan_.remembered_words(), plan_.known_words());
  const bool is_remembered = of.first_word != kNoSlot;
  uint64_t* passed = is_remembered ? remembered_.data() + of.first_word : passed_.data();
  if (is_remembered && HasBit(remembered_, of.number)) return passed;
  FindWorthAsking(of.by_process, happening, of_process_candidates_.data());
  for (size_t w = 0; w < of.words(); ++w) {
    passed[w] = 0;
    for (uint64_t left = of_process_candidates_[w]; left != 0; left &= left - 1) {
      const auto bit = static_cast<size_t>(std::countr_zero(left));
      const PlannedRule& rule = of.rules[w * kBitsPerWord + bit];
      if (Holds(rule.of_process, happening)) passed[w] |= uint64_t{1} << bit;
    }
  }
  SetBit(remembered_, of.number, true);
  return passed;
}

bool Matcher::Holds(NodeId id, const Happening& happening) {
  const bool holds = Answer(plan_.nodes()[id], happening);
  if (is_sampled_) plan_.counters().Note(id, holds);
  return holds;
}

bool Matcher::Answer(const PlanNode& node, const Happening& happening) {
  if (node.slot == kNoSlot) return Ask(node, happening);
  return node.reach == Reach::kProcess ? HoldsOfProcess(node, happening)
                                       : HoldsOfEvent(node, happening);
}

bool Matcher::HoldsOfProcess(const PlanNode& node, const Happening& happening) {
  const size_t known = plan_.known_class_words() * kBitsPerWord + node.slot;
  const size_t answer = plan_.known_words() * kBitsPerWord + node.slot;
  if (HasBit(remembered_, known)) return HasBit(remembered_, answer);
  const bool holds = Ask(node, happening);
  SetBit(remembered_, known, true);
  SetBit(remembered_, answer, holds);
  return holds;
}

bool Matcher::HoldsOfEvent(const PlanNode& node, const Happening& happening) {
  KeptAnswer& kept = answers_[node.slot];
  if (kept.as_of != happening_number_) {
    kept.answer = Ask(node, happening);
    kept.as_of = happening_number_;
  }
  return kept.answer;
}

bool Matcher::Ask(const PlanNode& node, const Happening& happening) {
  switch (node.kind) {
    case Kind::kAnd:
      return std::ranges::all_of(node.children, [&](NodeId id) { return Holds(id, happening); });
    case Kind::kOr:
      if (node.texts != nullptr) break;
      return std::ranges::any_of(node.children, [&](NodeId id) { return Holds(id, happening); });
    case Kind::kNot:
      return !Holds(node.children.front(), happening);
    case Kind::kCheck:
      break;
  }
  const Value& left = OperandValue(node.operand, happening);
  if (left.missing()) return false;
  if (node.texts != nullptr && left.kind() == ValueKind::kText) {
    return node.texts->Matches(left.text());
  }
  if (node.literal != nullptr && left.kind() != ValueKind::kList) {
    return CompareValues(node.check->op, left, *node.literal);
  }
  const auto holds = [&](const BoundCheck* check) {
    return Compare(*check, left, happening, scratch_) == Truth::kTrue;
  };
  if (node.kind == Kind::kCheck) return holds(node.check);
  return std::ranges::any_of(node.children,
                             [&](NodeId id) { return holds(plan_.nodes()[id].check); });
}

const Value& Matcher::OperandValue(uint32_t operand, const Happening& happening) {
  KeptValue& kept = values_[operand];
  if (kept.as_of != happening_number_) {
    kept.value = ExtractLeft(*plan_.nodes().operands()[operand], happening, scratch_);
    kept.as_of = happening_number_;
  }
  return kept.value;
}

void InterpretRules(const RuleSet& rules, const Happening& happening, Scratch& scratch,
                    std::vector<const Rule*>& matches) noexcept {
  for (const Rule* rule : rules.RulesFor(happening.type)) {
    if (!Evaluate(rule->condition, happening, scratch)) continue;
    matches.push_back(rule);
    if (rules.matching() == RuleMatching::kFirst) return;
  }
}

}  // namespace gyrfalcon
