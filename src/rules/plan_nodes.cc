#include "rules/plan_nodes.h"

#include <algorithm>
#include <bit>
#include <map>
#include <utility>

#include "rules/interpreter.h"
#include "rules/plan_keys.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

using Kind = BoundCondition::Kind;

Reach FieldReach(const FieldDef& field) {
  switch (field.level) {
    case Level::kRuleset:
      return Reach::kAlways;
    case Level::kContainer:
    case Level::kProcess:
      return (field.invalidated_by & (kByTime | kByThread)) == 0 ? Reach::kProcess : Reach::kEvent;
    case Level::kEventType:
    case Level::kFd:
    case Level::kEvent:
      return Reach::kEvent;
  }
  return Reach::kEvent;
}

// Rough weights: only their order matters.
uint32_t CostOf(const BoundOperand& operand) {
  constexpr uint32_t kField = 2;
  constexpr uint32_t kArgument = 12;
  constexpr uint32_t kCall = 20;
  uint32_t cost = operand.kind == BoundOperand::Kind::kTransformer ? kCall : 0;
  if (operand.kind == BoundOperand::Kind::kField) {
    cost = operand.field.def->name.starts_with("evt.") ? kArgument : kField;
  }
  for (const BoundOperand& item : operand.items) cost += CostOf(item);
  return cost;
}

uint32_t CostOf(const BoundCheck& check) {
  const auto targets = static_cast<uint32_t>(check.literals.size() + check.networks.size());
  uint32_t cost = CostOf(check.left);
  switch (check.op) {
    case Operator::kExists:
      break;
    case Operator::kRegex:
      cost += 60 * std::max<uint32_t>(targets, 1);
      break;
    case Operator::kGlob:
    case Operator::kIglob:
    case Operator::kPmatch:
    case Operator::kContains:
    case Operator::kIcontains:
    case Operator::kBcontains:
      cost += 8 * std::max<uint32_t>(targets, 1);
      break;
    default:
      cost += check.text_set.empty() ? std::max<uint32_t>(targets, 1) : 4;
  }
  if (check.right) cost += CostOf(*check.right);
  return cost;
}

Reach CheckReach(const BoundCheck& check) {
  const Reach left = ReachOf(check.left);
  return check.right ? std::max(left, ReachOf(*check.right)) : left;
}

std::string GroupKey(Kind kind, const std::vector<NodeId>& children) {
  std::string key(1, static_cast<char>('0' + static_cast<int>(kind)));
  for (const NodeId child : children) {
    key += ' ';
    key += std::to_string(child);
  }
  return key;
}

// Whether it holds where its left side's text fits one of its literals.
bool ComparesTexts(const BoundCheck& check) {
  const bool any = check.modifier == Modifier::kNone || check.modifier == Modifier::kAnyof;
  return any && !check.right && TextMatcher::Takes(check.op) && IsTextual(check.left) &&
         std::ranges::all_of(check.literals, [](const Value& literal) {
           return literal.kind() == ValueKind::kText;
         });
}

const Value* OnlyLiteral(const BoundCheck& check) {
  const bool is_plain = check.literals.size() == 1 && !check.right &&
                        check.op != Operator::kExists && check.op != Operator::kRegex &&
                        check.left.type != FieldType::kNet;
  return is_plain ? &check.literals.front() : nullptr;
}

// From so many texts on they are looked for together.
constexpr size_t kTextsMin = 4;
constexpr uint32_t kTextsCost = 12;

}  // namespace

bool IsTextual(const BoundOperand& operand) {
  const bool textual = operand.type == FieldType::kText || operand.type == FieldType::kBytes;
  return textual && (operand.flags & (kIsList | kEitherSide | kAnyAncestor)) == 0;
}

Reach ReachOf(const BoundOperand& operand) {
  Reach reach = Reach::kAlways;
  ForEachField(operand,
               [&](const BoundField& field) { reach = std::max(reach, FieldReach(*field.def)); });
  return reach;
}

bool HasMemory(const BoundCondition& condition) {
  bool has_memory = false;
  ForEachField(condition, [&](const BoundField& field) {
    has_memory |= (field.def->invalidated_by & kByHistory) != 0;
  });
  return has_memory;
}

bool AsksTypeOnly(const BoundCheck& check) {
  bool type = false;
  bool other = false;
  const auto visit = [&](const BoundField& field) {
    (field.def->level == Level::kEventType ? type : other) = true;
  };
  ForEachField(check.left, visit);
  if (check.right) ForEachField(*check.right, visit);
  return type && !other;
}

bool AnswerForType(const BoundCheck& check, EventType type) {
  Scratch scratch;
  Happening happening;
  happening.type = type;
  return Evaluate(check, happening, scratch) == Truth::kTrue;
}

PlanNodes::PlanNodes(const PlanFigures& learnt) : learnt_(learnt) {
  nodes_.push_back({.kind = Kind::kAnd});
  nodes_.push_back({.kind = Kind::kOr});
}

NodeId PlanNodes::Add(const BoundCondition& condition, EventType type) {
  if (condition.kind == Kind::kCheck) {
    if (!AsksTypeOnly(*condition.check)) return Check(*condition.check);
    return AnswerForType(*condition.check, type) ? kTrue : kFalse;
  }
  if (condition.kind == Kind::kNot) return Not(Add(condition.children.front(), type));
  std::vector<NodeId> children;
  const NodeId decisive = condition.kind == Kind::kAnd ? kFalse : kTrue;
  for (const BoundCondition& child : condition.children) {
    children.push_back(Add(child, type));
    if (children.back() == decisive) return decisive;
  }
  return Group(condition.kind, std::move(children));
}

std::vector<NodeId> PlanNodes::Flatten(Kind kind, const std::vector<NodeId>& children) const {
  std::vector<NodeId> flat;
  for (const NodeId child : children) {
    if (nodes_[child].kind != kind) {
      flat.push_back(child);
      continue;
    }
    const std::vector<NodeId> inner = Flatten(kind, nodes_[child].children);
    flat.insert(flat.end(), inner.begin(), inner.end());
  }
  return flat;
}

NodeId PlanNodes::Group(Kind kind, std::vector<NodeId> children) {
  const NodeId neutral = kind == Kind::kAnd ? kTrue : kFalse;
  const NodeId decisive = kind == Kind::kAnd ? kFalse : kTrue;
  if (std::ranges::find(children, decisive) != children.end()) return decisive;
  std::erase(children, neutral);
  std::vector<NodeId> flat = Flatten(kind, children);
  // Nothing has an effect of its own, so the order is free, and twice is once.
  std::ranges::sort(flat);
  flat.erase(std::ranges::unique(flat).begin(), flat.end());
  if (flat.empty()) return neutral;
  if (kind == Kind::kOr) flat = JoinTexts(flat);
  if (flat.size() == 1) return flat.front();
  return MakeGroup(kind, std::move(flat));
}

NodeId PlanNodes::MakeGroup(Kind kind, std::vector<NodeId> children) {
  PlanNode node{.kind = kind};
  for (const NodeId child : children) {
    node.reach = std::max(node.reach, nodes_[child].reach);
    node.cost += nodes_[child].cost;
  }
  std::string key = GroupKey(kind, children);
  std::ranges::sort(children, {},
                    [this, kind](NodeId child) { return std::pair(RankIn(kind, child), child); });
  node.children = std::move(children);
  return Intern(std::move(key), std::move(node));
}

std::vector<NodeId> PlanNodes::JoinTexts(const std::vector<NodeId>& alternatives) {
  std::vector<NodeId> out;
  std::map<uint32_t, std::vector<NodeId>> by_operand;
  for (const NodeId id : alternatives) {
    const PlanNode& node = nodes_[id];
    if (node.kind == Kind::kCheck && ComparesTexts(*node.check)) {
      by_operand[node.operand].push_back(id);
    } else {
      out.push_back(id);
    }
  }
  for (auto& [operand, ids] : by_operand) {
    size_t texts = 0;
    for (const NodeId id : ids) texts += nodes_[id].check->literals.size();
    if (ids.size() == 1 || texts < kTextsMin) {
      out.insert(out.end(), ids.begin(), ids.end());
      continue;
    }
    const NodeId joined = MakeGroup(Kind::kOr, ids);
    nodes_[joined].operand = operand;
    FindTogether(joined, ids);
    out.push_back(joined);
  }
  std::ranges::sort(out);
  return out;
}

void PlanNodes::FindTogether(NodeId id, std::span<const NodeId> checks) {
  if (nodes_[id].texts != nullptr) return;
  for (const NodeId check : checks) {
    const Operator op = nodes_[check].check->op;
    if (op != Operator::kContains && op != Operator::kIcontains) continue;
    for (const Value& literal : nodes_[check].check->literals) {
      sought_bytes_ += literal.text().size();
    }
  }
  if (sought_bytes_ > kSoughtBytesMax) return;
  auto matcher = std::make_unique<TextMatcher>();
  for (const NodeId check : checks) {
    for (const Value& literal : nodes_[check].check->literals) {
      matcher->Add(nodes_[check].check->op, literal.text());
    }
  }
  matcher->Seal();
  nodes_[id].texts = texts_.emplace_back(std::move(matcher)).get();
  nodes_[id].cost = CostOf(*operands_[nodes_[id].operand]) + kTextsCost;
}

NodeId PlanNodes::Not(NodeId inner) {
  if (inner == kTrue) return kFalse;
  if (inner == kFalse) return kTrue;
  if (nodes_[inner].kind == Kind::kNot) return nodes_[inner].children.front();
  PlanNode node{.kind = Kind::kNot,
                .reach = nodes_[inner].reach,
                .cost = nodes_[inner].cost,
                .children = {inner}};
  std::string key = GroupKey(Kind::kNot, node.children);
  return Intern(std::move(key), std::move(node));
}

NodeId PlanNodes::Check(const BoundCheck& check) {
  if (const auto known = by_check_.find(&check); known != by_check_.end()) return known->second;
  PlanNode node{.kind = Kind::kCheck,
                .reach = CheckReach(check),
                .cost = CostOf(check),
                .check = &check,
                .literal = OnlyLiteral(check),
                .operand = OperandNumber(check.left)};
  const NodeId id = Intern("c" + KeyOf(check), std::move(node));
  // Equal ones have a set of their own already.
  const bool is_long = check.literals.size() >= kTextsMin && check.text_set.empty();
  if (is_long && ComparesTexts(check)) FindTogether(id, {&id, 1});
  by_check_.emplace(&check, id);
  return id;
}

namespace {

uint64_t MixedWith(uint64_t identity, uint64_t other) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
  return (std::rotl(identity, 23) ^ other) * kOdd;
}

}  // namespace

// A group's is made of its children's, whatever their order: their numbers differ from plan to
// plan.
uint64_t PlanNodes::IdentityOf(std::string_view key, const PlanNode& node) const {
  if (node.kind == Kind::kCheck) return TextHash()(key);
  std::vector<uint64_t> parts;
  for (const NodeId child : node.children) parts.push_back(nodes_[child].identity);
  std::ranges::sort(parts);
  uint64_t identity = static_cast<uint64_t>(node.kind) + 1;
  for (const uint64_t part : parts) identity = MixedWith(identity, part);
  return identity;
}

double PlanNodes::RankIn(Kind kind, NodeId id) const {
  const PlanNode& node = nodes_[id];
  const double decides = kind == Kind::kAnd ? 1 - node.held_share : node.held_share;
  return node.cost / decides;
}

NodeId PlanNodes::Intern(std::string key, PlanNode node) {
  const auto [entry, is_new] =
      by_key_.try_emplace(std::move(key), static_cast<NodeId>(nodes_.size()));
  if (!is_new) return entry->second;
  node.identity = IdentityOf(entry->first, node);
  if (const auto figure = learnt_.find(node.identity); figure != learnt_.end()) {
    // As if it had been asked twice more, with either answer: nothing is certain, and nothing known
    // is one half.
    node.held_share = (static_cast<double>(figure->second.held) + 1) /
                      (static_cast<double>(figure->second.asked) + 2);
  }
  for (const NodeId child : node.children) NoteUse(child);
  nodes_.push_back(std::move(node));
  return entry->second;
}

uint32_t PlanNodes::OperandNumber(const BoundOperand& operand) {
  const auto [entry, is_new] =
      operand_by_key_.try_emplace(KeyOf(operand), static_cast<uint32_t>(operands_.size()));
  if (is_new) operands_.push_back(&operand);
  return entry->second;
}

bool PlanNodes::IsRemembered(const PlanNode& node) {
  if (node.kind == Kind::kNot) return false;  // what it negates is
  return node.reach == Reach::kProcess || node.uses > 1;
}

void PlanNodes::AssignSlots(size_t process_slots_max) {
  for (PlanNode& node : nodes_) {
    if (node.reach == Reach::kAlways || !IsRemembered(node)) continue;
    const bool of_process = node.reach == Reach::kProcess;
    if (of_process && process_slots_ == process_slots_max) continue;
    size_t& slots = of_process ? process_slots_ : event_slots_;
    node.slot = static_cast<uint32_t>(slots++);
  }
}

}  // namespace gyrfalcon
