#include "rules/event_type_inference.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"

namespace gyrfalcon {
namespace {

using Inferred = std::expected<EventTypeSet, std::string>;

const EventTypeSet kAll = ~EventTypeSet();

bool IsEventType(const Operand& operand) {
  return operand.kind == Operand::Kind::kField &&
         (operand.text == "evt.type" || operand.text == "syscall.type");
}

bool MentionsEventType(const Operand& operand) {
  return IsEventType(operand) || std::ranges::any_of(operand.items, MentionsEventType);
}

std::span<const Operand> ValuesOf(const Condition& check) {
  if (check.right->kind == Operand::Kind::kList) return check.right->items;
  return {&*check.right, 1};
}

EventTypeSet NamedTypes(const Condition& check) {
  EventTypeSet types;
  for (const Operand& value : ValuesOf(check)) {
    if (const auto type = FindEventType(value.text)) types.set(type->index);
  }
  return types;
}

Inferred FromTypeCheck(const Condition& check, bool negated) {
  if (check.op == Operator::kExists) return negated ? EventTypeSet() : kAll;
  const Operand::Kind kind = check.right->kind;
  if (kind == Operand::Kind::kFieldValue || kind == Operand::Kind::kTransformer) {
    return std::unexpected(
        "right-hand field comparisons on `evt.type`/`syscall.type` checks are not supported by "
        "event code search");
  }
  switch (check.op) {
    case Operator::kDoubleEqual:
    case Operator::kEqual:
    case Operator::kIn:
      return negated ? ~NamedTypes(check) : NamedTypes(check);
    case Operator::kNotEqual:
      return negated ? NamedTypes(check) : ~NamedTypes(check);
    default:
      return kAll;
  }
}

// Events are numbered from 1, so some comparisons are always or never true.
enum class Invariant : uint8_t { kNone, kAlways, kNever };

Invariant EventNumberInvariant(const Condition& check) {
  if (check.op == Operator::kExists || check.modifier != Modifier::kNone) return Invariant::kNone;
  const std::span<const Operand> values = ValuesOf(check);
  // A negative number means nothing here (Falco): the field is unsigned.
  const auto number = [](const Operand& value) -> std::optional<uint64_t> {
    const bool constant =
        value.kind == Operand::Kind::kText || value.kind == Operand::Kind::kNumber;
    return constant ? ParseUint(value.text) : std::nullopt;
  };
  if (check.op == Operator::kIn || check.op == Operator::kIntersects) {
    const bool never = std::ranges::all_of(values, [&](const Operand& value) {
      const auto n = number(value);
      return n && *n < 1;
    });
    return never ? Invariant::kNever : Invariant::kNone;
  }
  if (values.size() != 1) return Invariant::kNone;
  const std::optional<uint64_t> n = number(values[0]);
  if (!n) return Invariant::kNone;
  switch (check.op) {
    case Operator::kDoubleEqual:
    case Operator::kEqual:
      return *n < 1 ? Invariant::kNever : Invariant::kNone;
    case Operator::kNotEqual:
      return *n < 1 ? Invariant::kAlways : Invariant::kNone;
    case Operator::kLess:
      return *n <= 1 ? Invariant::kNever : Invariant::kNone;
    case Operator::kLessEqual:
      return *n < 1 ? Invariant::kNever : Invariant::kNone;
    case Operator::kGreater:
      return *n < 1 ? Invariant::kAlways : Invariant::kNone;
    case Operator::kGreaterEqual:
      return *n <= 1 ? Invariant::kAlways : Invariant::kNone;
    default:
      return Invariant::kNone;
  }
}

Inferred FromCheck(const Condition& check, bool negated) {
  if (IsEventType(check.left)) return FromTypeCheck(check, negated);
  if (check.left.kind == Operand::Kind::kTransformer && MentionsEventType(check.left)) {
    return std::unexpected(
        "event code search does not support `evt.type` checks with transformers");
  }
  if (check.left.kind == Operand::Kind::kField && check.left.text == "evt.num" &&
      !check.left.bracket) {
    const Invariant invariant = EventNumberInvariant(check);
    if (invariant == (negated ? Invariant::kAlways : Invariant::kNever)) return EventTypeSet();
  }
  return kAll;
}

Inferred Infer(const Condition& condition, bool negated) {
  switch (condition.kind) {
    case Condition::Kind::kMacro:
      return kAll;
    case Condition::Kind::kCheck:
      return FromCheck(condition, negated);
    case Condition::Kind::kNot:
      return Infer(condition.children.front(), !negated);
    case Condition::Kind::kAnd:
    case Condition::Kind::kOr: {
      const bool intersect = (condition.kind == Condition::Kind::kAnd) != negated;
      EventTypeSet types = intersect ? kAll : EventTypeSet();
      for (const Condition& child : condition.children) {
        const Inferred inner = Infer(child, negated);
        if (!inner) return inner;
        types = intersect ? types & *inner : types | *inner;
      }
      return types;
    }
  }
  return kAll;
}

}  // namespace

Inferred InferEventTypes(const Condition& condition) {
  return Infer(condition, false);
}

size_t FalcoCodeCount(const EventTypeSet& types) {
  size_t count = 0;
  const auto defs = EventTypes();
  for (size_t i = 0; i < defs.size(); ++i) {
    if (types.test(i)) count += defs[i].falco_codes;
  }
  return count;
}

}  // namespace gyrfalcon
