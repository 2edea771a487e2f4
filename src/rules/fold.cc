#include "rules/fold.h"

#include <algorithm>
#include <utility>

#include "rules/interpreter.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

using Kind = BoundCondition::Kind;

BoundCondition Constant(bool answer) {
  BoundCondition constant;
  constant.kind = answer ? Kind::kAnd : Kind::kOr;
  return constant;
}

bool IsConstant(const BoundOperand& operand) {
  bool constant = true;
  ForEachField(operand, [&](const BoundField& field) {
    constant &= field.def->extract == nullptr || field.def->level == Level::kRuleset;
  });
  return constant;
}

// Without a field there is no value, and without a value no check holds, `exists` included.
bool IsNeverThere(const BoundOperand& operand) {
  return operand.kind == BoundOperand::Kind::kField && operand.field.def->extract == nullptr;
}

BoundCondition FoldNot(BoundCondition condition) {
  BoundCondition inner = std::move(condition.children.front());
  if (const std::optional<bool> answer = ConstantAnswer(inner)) return Constant(!*answer);
  if (inner.kind == Kind::kNot) {
    BoundCondition innermost = std::move(inner.children.front());
    return innermost;
  }
  condition.children.front() = std::move(inner);
  return condition;
}

// The children are folded. One that decides the whole cuts off what follows, and what stands
// before has no effect of its own.
BoundCondition FoldGroup(BoundCondition condition) {
  const bool decisive = condition.kind == Kind::kOr;
  BoundCondition group;
  group.kind = condition.kind;
  for (BoundCondition& child : condition.children) {
    const std::optional<bool> answer = ConstantAnswer(child);
    if (answer == decisive) return Constant(decisive);
    if (answer) continue;
    if (child.kind != group.kind) {
      group.children.push_back(std::move(child));
      continue;
    }
    for (BoundCondition& inner : child.children) group.children.push_back(std::move(inner));
  }
  if (group.children.size() != 1) return group;
  BoundCondition only = std::move(group.children.front());
  return only;
}

}  // namespace

// The elements of an empty list are all in it, though.
bool ComparesWithNothing(const BoundCheck& check) {
  if (check.op == Operator::kExists || check.right) return false;
  const bool all_elements = check.op == Operator::kIn && check.left.is_list();
  return !all_elements && check.literals.empty() && check.networks.empty();
}

std::optional<bool> ConstantAnswer(const BoundCheck& check) {
  if (ComparesWithNothing(check) || IsNeverThere(check.left)) return false;
  if (check.right && IsNeverThere(*check.right)) return false;
  if (!IsConstant(check.left) || (check.right && !IsConstant(*check.right))) return std::nullopt;
  Scratch scratch;
  return Evaluate(check, Happening{}, scratch) == Truth::kTrue;
}

std::optional<bool> ConstantAnswer(const BoundCondition& folded) {
  const bool group = folded.kind == Kind::kAnd || folded.kind == Kind::kOr;
  if (!group || !folded.children.empty()) return std::nullopt;
  return folded.kind == Kind::kAnd;
}

BoundCondition FoldConstants(BoundCondition condition) {
  if (condition.kind == Kind::kCheck) {
    const std::optional<bool> answer = ConstantAnswer(*condition.check);
    return answer ? Constant(*answer) : std::move(condition);
  }
  for (BoundCondition& child : condition.children) child = FoldConstants(std::move(child));
  return condition.kind == Kind::kNot ? FoldNot(std::move(condition))
                                      : FoldGroup(std::move(condition));
}

}  // namespace gyrfalcon
