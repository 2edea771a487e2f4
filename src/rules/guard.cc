#include "rules/guard.h"

#include <algorithm>

#include "rules/matchers.h"

namespace gyrfalcon {
namespace {

using Kind = BoundCondition::Kind;

struct KeyForm {
  bool usable = false;
  bool is_prefix = false;
  bool is_path = false;
  std::string_view (*part)(std::string_view) = nullptr;  // of the literal; nullptr: the whole
};

KeyForm FormOf(Operator op) {
  switch (op) {
    case Operator::kEqual:
    case Operator::kIn:
    case Operator::kIntersects:
      return {.usable = true};
    case Operator::kStartswith:
    case Operator::kBstartswith:
      return {.usable = true, .is_prefix = true};
    case Operator::kGlob:
      return {.usable = true, .is_prefix = true, .part = PlainStart};
    case Operator::kPmatch:
      return {.usable = true, .is_prefix = true, .is_path = true, .part = PlainPathStart};
    default:
      return {};
  }
}

std::optional<Guard> GuardOfCheck(const PlanNode& node) {
  const BoundCheck& check = *node.check;
  const KeyForm form = FormOf(check.op);
  if (!form.usable || check.right || !IsTextual(check.left)) return std::nullopt;
  if (check.literals.size() > kGuardKeysMax) return std::nullopt;
  Guard guard;
  for (const Value& literal : check.literals) {
    if (literal.kind() != ValueKind::kText) return std::nullopt;
    const std::string_view text = form.part != nullptr ? form.part(literal.text()) : literal.text();
    if (form.is_prefix && text.empty()) return std::nullopt;  // every text begins so
    guard.push_back({.operand = node.operand,
                     .text = text,
                     .is_prefix = form.is_prefix,
                     .is_path = form.is_path});
  }
  return guard;
}

// How many values pass, roughly: a short prefix lets many through.
size_t Looseness(const Guard& guard) {
  constexpr size_t kWhole = 1;
  constexpr size_t kLong = 8;
  constexpr size_t kShort = 64;
  size_t sum = 0;
  for (const GuardKey& key : guard) {
    sum += !key.is_prefix ? kWhole : (key.text.size() < 5 ? kShort : kLong);
  }
  return sum;
}

std::optional<Guard> GuardOfAnd(const PlanNodes& nodes, const PlanNode& node, Reach reach) {
  std::optional<Guard> best;
  for (const NodeId child : node.children) {
    std::optional<Guard> guard = FindGuard(nodes, child, reach);
    if (guard && (!best || Looseness(*guard) < Looseness(*best))) best = std::move(guard);
  }
  return best;
}

std::optional<Guard> GuardOfOr(const PlanNodes& nodes, const PlanNode& node, Reach reach) {
  Guard all;
  for (const NodeId child : node.children) {
    const std::optional<Guard> guard = FindGuard(nodes, child, reach);
    if (!guard || all.size() + guard->size() > kGuardKeysMax) return std::nullopt;
    all.insert(all.end(), guard->begin(), guard->end());
  }
  return all;
}

}  // namespace

std::optional<Guard> FindGuard(const PlanNodes& nodes, NodeId id, Reach reach) {
  const PlanNode& node = nodes[id];
  if (id == PlanNodes::kTrue || id == PlanNodes::kFalse) return std::nullopt;
  switch (node.kind) {
    case Kind::kAnd:
      return GuardOfAnd(nodes, node, reach);
    case Kind::kOr:
      return GuardOfOr(nodes, node, reach);
    case Kind::kNot:
      return std::nullopt;
    case Kind::kCheck:
      if (ReachOf(*nodes.operands()[node.operand]) != reach) return std::nullopt;
      return GuardOfCheck(node);
  }
  return std::nullopt;
}

}  // namespace gyrfalcon
