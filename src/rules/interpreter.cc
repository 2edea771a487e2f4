#include "rules/interpreter.h"

#include <algorithm>
#include <utility>

#include "rules/matchers.h"
#include "rules/transformers.h"

namespace gyrfalcon {
namespace {

// -1, 0, 1 by mathematical value, whatever the kinds.
int CompareNumbers(const Value& a, const Value& b) {
  const auto sign = [](auto x, auto y) {
    if constexpr (std::is_floating_point_v<decltype(x)>) {
      return x < y ? -1 : (x > y ? 1 : 0);
    } else {
      return std::cmp_less(x, y) ? -1 : (std::cmp_greater(x, y) ? 1 : 0);
    }
  };
  const auto real = [](const Value& value) {
    if (value.kind() == ValueKind::kDouble) return value.real();
    return value.kind() == ValueKind::kInt ? static_cast<double>(value.integer())
                                           : static_cast<double>(value.unsigned_integer());
  };
  if (a.kind() == ValueKind::kDouble || b.kind() == ValueKind::kDouble)
    return sign(real(a), real(b));
  const bool a_signed = a.kind() == ValueKind::kInt;
  const bool b_signed = b.kind() == ValueKind::kInt;
  if (a_signed && b_signed) return sign(a.integer(), b.integer());
  if (a_signed) return sign(a.integer(), b.unsigned_integer());
  if (b_signed) return sign(a.unsigned_integer(), b.integer());
  return sign(a.unsigned_integer(), b.unsigned_integer());
}

bool HoldsForOrder(Operator op, int order) {
  switch (op) {
    case Operator::kEqual:
    case Operator::kIn:
    case Operator::kIntersects:
      return order == 0;
    case Operator::kNotEqual:
      return order != 0;
    case Operator::kLess:
      return order < 0;
    case Operator::kLessEqual:
      return order <= 0;
    case Operator::kGreater:
      return order > 0;
    case Operator::kGreaterEqual:
      return order >= 0;
    default:
      return false;
  }
}

}  // namespace

bool CompareTexts(Operator op, std::string_view a, std::string_view b) noexcept {
  switch (op) {
    case Operator::kContains:
    case Operator::kBcontains:
      return a.contains(b);
    case Operator::kIcontains:
      return ContainsIgnoringCase(a, b);
    case Operator::kStartswith:
    case Operator::kBstartswith:
      return a.starts_with(b);
    case Operator::kEndswith:
      return a.ends_with(b);
    case Operator::kGlob:
      return GlobMatch(b, a, Case::kSensitive);
    case Operator::kIglob:
      return GlobMatch(b, a, Case::kIgnored);
    case Operator::kPmatch:
      return PathPrefixMatch(a, b);
    case Operator::kEqual:
    case Operator::kIn:
    case Operator::kIntersects:
      return a == b;
    case Operator::kNotEqual:
      return a != b;
    default:
      return HoldsForOrder(op, a.compare(b));
  }
}

namespace {

bool IsNumber(ValueKind kind) {
  return kind == ValueKind::kInt || kind == ValueKind::kUint || kind == ValueKind::kDouble ||
         kind == ValueKind::kBool;
}

}  // namespace

// Kinds that can't be compared are different.
bool CompareValues(Operator op, const Value& a, const Value& b) noexcept {
  if (a.kind() == ValueKind::kText && b.kind() == ValueKind::kText) {
    return CompareTexts(op, a.text(), b.text());
  }
  if (IsNumber(a.kind()) && IsNumber(b.kind())) return HoldsForOrder(op, CompareNumbers(a, b));
  if (a.kind() == ValueKind::kIp && b.kind() == ValueKind::kIp) {
    return HoldsForOrder(op, a.ip() == b.ip() ? 0 : 1);
  }
  return op == Operator::kNotEqual && !a.missing() && !b.missing();
}

namespace {

// The length of the well-formed UTF-8 sequence at the start, 0 when there is none.
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : (first >= 0xe0 ? 3 : 2);
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool outside = (first == 0xed && byte(1) >= 0xa0) || (first == 0xf4 && byte(1) >= 0x90);
  return overlong || outside ? 0 : length;
}

// RE2 matches characters: bytes that are none become U+FFFD first.
std::string_view WellFormed(std::string_view text, Scratch& scratch) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  size_t good = 0;
  while (good < text.size()) {
    const size_t length = Utf8Length(text.substr(good));
    if (length == 0) break;
    good += length;
  }
  if (good == text.size()) return text;
  const std::span<char> out = scratch.Chars(text.size() * kReplacement.size());
  size_t written = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8Length(text.substr(i));
    const std::string_view piece = length == 0 ? kReplacement : text.substr(i, length);
    std::ranges::copy(piece, out.begin() + static_cast<std::ptrdiff_t>(written));
    written += piece.size();
    i += std::max<size_t>(length, 1);
  }
  return {out.data(), written};
}

// The evaluation of one check over one left value.
class CheckEvaluation {
 public:
  CheckEvaluation(const BoundCheck& check, const Happening& happening, Scratch& scratch)
      : check_(check), happening_(happening), scratch_(scratch) {}

  Truth Run(const Value& left) {
    if (check_.op == Operator::kExists) return Truth::kTrue;
    if (check_.right) {
      right_ = Extract(*check_.right, happening_, scratch_);
      if (right_.missing()) return Truth::kMissing;
    }
    return Quantified(left) ? Truth::kTrue : Truth::kFalse;
  }

 private:
  bool Quantified(const Value& left) {
    if (left.kind() != ValueKind::kList) return Modified({&left, 1});
    const std::span<const Value> items = left.items();
    if ((check_.left.flags & kEitherSide) != 0) return Modified(items);
    if ((check_.left.flags & kAnyAncestor) != 0) {
      return std::ranges::any_of(items, [&](const Value& item) { return Modified({&item, 1}); });
    }
    const auto holds = [&](const Value& item) { return Modified({&item, 1}); };
    if (check_.op == Operator::kIn) return std::ranges::all_of(items, holds);
    return std::ranges::any_of(items, holds);
  }

  // `sides` is one value, or the sides of a connection.
  bool Modified(std::span<const Value> sides) {
    const size_t count = TargetCount();
    const auto holds = [&](size_t target) { return HoldsFor(sides, target); };
    size_t held = 0;
    switch (check_.modifier) {
      case Modifier::kNone:
        if (!check_.text_set.empty()) return InSet(sides);
        for (size_t i = 0; i < count; ++i) {
          if (holds(i)) return true;
        }
        return false;
      case Modifier::kAnyof:
        for (size_t i = 0; i < count; ++i) {
          if (holds(i)) return true;
        }
        return false;
      case Modifier::kAllof:
        for (size_t i = 0; i < count; ++i) {
          if (!holds(i)) return false;
        }
        return count > 0;
      case Modifier::kOneof:
        for (size_t i = 0; i < count; ++i) held += holds(i) ? size_t{1} : size_t{0};
        return held == 1;
    }
    return false;
  }

  bool InSet(std::span<const Value> sides) const {
    return std::ranges::any_of(sides, [&](const Value& side) {
      return side.kind() == ValueKind::kText && check_.text_set.contains(side.text());
    });
  }

  // "!=" asks that no side is equal; everything else that some side fits.
  bool HoldsFor(std::span<const Value> sides, size_t target) {
    const auto holds = [&](const Value& side) {
      return !side.missing() && CompareOne(side, target);
    };
    if (check_.op == Operator::kNotEqual) return std::ranges::all_of(sides, holds);
    return std::ranges::any_of(sides, holds);
  }

  size_t TargetCount() const {
    if (check_.right) return right_.kind() == ValueKind::kList ? right_.items().size() : 1;
    return check_.left.type == FieldType::kNet ? check_.networks.size() : check_.literals.size();
  }

  bool CompareOne(const Value& value, size_t target) {
    if (check_.right) {
      const bool list = right_.kind() == ValueKind::kList;
      return CompareValues(check_.op, value, list ? right_.items()[target] : right_);
    }
    if (check_.left.type == FieldType::kNet) {
      const bool inside =
          value.kind() == ValueKind::kIp && check_.networks[target].Contains(value.ip());
      return HoldsForOrder(check_.op, inside ? 0 : 1);
    }
    if (check_.op == Operator::kRegex) {
      if (value.kind() != ValueKind::kText) return false;
      const std::string_view text = WellFormed(value.text(), scratch_);
      return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()),
                                 *check_.regexes[target]);
    }
    return CompareValues(check_.op, value, check_.literals[target]);
  }

  const BoundCheck& check_;
  const Happening& happening_;
  Scratch& scratch_;
  Value right_;
};

Value ExtractItems(const BoundOperand& operand, const Happening& happening, Scratch& scratch) {
  const std::span<Value> out = scratch.Values(operand.items.size());
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = Extract(operand.items[i], happening, scratch);
    if (out[i].missing()) return {};
  }
  return Value::List(out);
}

Value ExtractCall(const BoundOperand& call, const Happening& happening, Scratch& scratch) {
  const Value arguments = ExtractItems(call, happening, scratch);
  if (arguments.missing()) return {};
  const std::span<const Value> items = arguments.items();
  switch (call.transformer) {
    case Transformer::kLen:
      return LengthOf(items[0]);
    case Transformer::kConcat:
      return JoinValues({}, items, scratch);
    case Transformer::kJoin:
      if (items[0].kind() != ValueKind::kText || items[1].kind() != ValueKind::kList) return {};
      return JoinValues(items[0].text(), items[1].items(), scratch);
    case Transformer::kGetopt:
      if (items[1].kind() != ValueKind::kText) return {};
      return GetOptions(items[0], items[1].text(), call.option, scratch);
    default:
      return TransformText(call.transformer, items[0], scratch);
  }
}

}  // namespace

Value Extract(const BoundOperand& operand, const Happening& happening, Scratch& scratch) noexcept {
  switch (operand.kind) {
    case BoundOperand::Kind::kField:
      return operand.field.Extract(happening, scratch);
    case BoundOperand::Kind::kTransformer:
      return ExtractCall(operand, happening, scratch);
    case BoundOperand::Kind::kConstant:
      return Value::Text(operand.text);
    case BoundOperand::Kind::kList:
      return ExtractItems(operand, happening, scratch);
  }
  return {};
}

Truth Compare(const BoundCheck& check, const Value& left, const Happening& happening,
              Scratch& scratch) noexcept {
  return CheckEvaluation(check, happening, scratch).Run(left);
}

Value ExtractLeft(const BoundOperand& left, const Happening& happening, Scratch& scratch) noexcept {
  if (left.kind == BoundOperand::Kind::kField && !QuantifiesOverItems(left.flags)) {
    return left.field.Extract(happening, scratch);
  }
  const Value value = Extract(left, happening, scratch);
  const bool is_empty = value.kind() == ValueKind::kList && value.items().empty();
  return is_empty && QuantifiesOverItems(left.flags) ? Value() : value;
}

Truth Evaluate(const BoundCheck& check, const Happening& happening, Scratch& scratch,
               Value* seen) noexcept {
  const Value left = ExtractLeft(check.left, happening, scratch);
  if (seen != nullptr) *seen = left;
  if (left.missing()) return Truth::kMissing;
  return Compare(check, left, happening, scratch);
}

bool Evaluate(const BoundCondition& condition, const Happening& happening, Scratch& scratch,
              EvaluationTracer* tracer) noexcept {
  if (condition.kind == BoundCondition::Kind::kCheck) {
    Value seen;
    const Truth truth = Evaluate(*condition.check, happening, scratch, &seen);
    if (tracer != nullptr) tracer->OnCheck(*condition.check, truth, seen);
    return truth == Truth::kTrue;
  }
  bool result = condition.kind != BoundCondition::Kind::kOr;
  for (const BoundCondition& child : condition.children) {
    const bool truth = Evaluate(child, happening, scratch, tracer);
    if (condition.kind == BoundCondition::Kind::kNot) {
      result = !truth;
    } else if (truth != result) {
      result = truth;
      break;
    }
  }
  if (tracer != nullptr) tracer->OnGroup(condition, result);
  return result;
}

}  // namespace gyrfalcon
