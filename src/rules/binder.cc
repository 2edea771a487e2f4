#include "rules/binder.h"

#include <algorithm>

#include "base/text.h"
#include "rules/condition_parser.h"
#include "rules/literals.h"

namespace gyrfalcon {
namespace {

using Outcome = std::expected<void, BindProblem>;

uint8_t OperandClassOf(const BoundOperand& operand) {
  if (operand.is_list()) return kOnLists;
  switch (operand.type) {
    case FieldType::kText:
    case FieldType::kEventType:
      return kOnText;
    case FieldType::kBytes:
      return kOnBytes;
    case FieldType::kIp:
    case FieldType::kNet:
      return kOnAddresses;
    case FieldType::kOpaque:
      return 0;
    default:
      return kOnNumbers;
  }
}

std::string_view ClassName(uint8_t operand_class) {
  switch (operand_class) {
    case kOnLists:
      return "list";
    case kOnText:
      return "string";
    case kOnBytes:
      return "buffer";
    case kOnAddresses:
      return "ip address and network";
    default:
      return "numeric";
  }
}

std::string UpperWord(std::string_view word) {
  std::string out;
  for (const char c : word) out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return out;
}

bool IsWordChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == ' ' || c == '/';
}

// Whether a regex is no more than a word, perhaps with an anchor or "anything" at either end.
bool IsSimpleRegex(std::string_view pattern) {
  for (const std::string_view head : {"^", ".*", ".?", ".+"}) {
    if (pattern.starts_with(head)) pattern.remove_prefix(head.size());
  }
  for (const std::string_view tail : {"$", ".*", ".?", ".+"}) {
    if (pattern.ends_with(tail)) pattern.remove_suffix(tail.size());
  }
  return !pattern.empty() && std::ranges::all_of(pattern, IsWordChar);
}

class Binder {
 public:
  Binder(const FieldCatalog& catalog, std::vector<BindProblem>& warnings)
      : catalog_(catalog), warnings_(warnings) {}

  std::expected<BoundCondition, BindProblem> Bind(const Condition& condition) {
    BoundCondition bound;
    if (!condition.from.empty()) bound.from = std::make_unique<const std::string>(condition.from);
    switch (condition.kind) {
      case Condition::Kind::kMacro:
        return std::unexpected(
            Problem(condition, "filter error: unexpected identifier '" + condition.macro + "'"));
      case Condition::Kind::kCheck: {
        bound.kind = BoundCondition::Kind::kCheck;
        bound.check = std::make_unique<BoundCheck>();
        if (Outcome outcome = BindCheck(condition, *bound.check); !outcome) {
          return std::unexpected(std::move(outcome.error()));
        }
        return bound;
      }
      case Condition::Kind::kAnd:
        bound.kind = BoundCondition::Kind::kAnd;
        break;
      case Condition::Kind::kOr:
        bound.kind = BoundCondition::Kind::kOr;
        break;
      case Condition::Kind::kNot:
        bound.kind = BoundCondition::Kind::kNot;
        break;
    }
    bound.children.reserve(condition.children.size());
    for (const Condition& child : condition.children) {
      auto inner = Bind(child);
      if (!inner) return inner;
      bound.children.push_back(std::move(*inner));
    }
    return bound;
  }

 private:
  static BindProblem Problem(const Condition& node, std::string message) {
    return {std::move(message), {}, node.position, node.origin};
  }

  static std::unexpected<BindProblem> Refuse(const Condition& node, std::string message,
                                             std::string suggestion = {}) {
    BindProblem problem = Problem(node, std::move(message));
    problem.suggestion = std::move(suggestion);
    return std::unexpected(std::move(problem));
  }

  // "proc.name in " of "proc.name in (a, b)".
  static uint32_t LengthBeforeRight(const Condition& node) {
    size_t length = PrintOperand(node.left).size() + Describe(node.op).text.size() + 2;
    if (node.modifier != Modifier::kNone) length += Describe(node.modifier).text.size() + 1;
    return static_cast<uint32_t>(length);
  }

  Outcome BindCheck(const Condition& node, BoundCheck& check) {
    check.text = PrintCondition(node);
    check.right_offset = node.right ? LengthBeforeRight(node) : 0;
    check.position = node.position;
    check.origin = node.origin;
    check.op = node.op == Operator::kDoubleEqual ? Operator::kEqual : node.op;
    check.modifier = node.modifier;
    auto left = BindOperand(node.left, catalog_);
    if (!left) return Refuse(node, std::move(left.error()), SuggestField(node.left));
    check.left = std::move(*left);
    if (check.left.type == FieldType::kDistance && check.op == Operator::kEqual) {
      check.op = Operator::kLessEqual;
    }
    if (Outcome outcome = CheckOperator(node, check); !outcome) return outcome;
    if (!node.right) return {};
    const Operand::Kind kind = node.right->kind;
    if (kind == Operand::Kind::kFieldValue || kind == Operand::Kind::kTransformer) {
      return BindRight(node, check);
    }
    return BindLiterals(node, check);
  }

  std::string SuggestField(const Operand& operand) const {
    if (operand.kind == Operand::Kind::kTransformer) {
      for (const Operand& item : operand.items) {
        std::string suggestion = SuggestField(item);
        if (!suggestion.empty()) return suggestion;
      }
      return {};
    }
    const bool is_field =
        operand.kind == Operand::Kind::kField || operand.kind == Operand::Kind::kFieldValue;
    if (!is_field || catalog_.Bind(operand.text, operand.bracket)) return {};
    const auto nearest = catalog_.Nearest(operand.text);
    return nearest && *nearest != operand.text ? "did you mean '" + std::string(*nearest) + "'?"
                                               : std::string();
  }

  Outcome CheckOperator(const Condition& node, const BoundCheck& check) const {
    const OperatorDef& op = Describe(check.op);
    const uint8_t operand_class = OperandClassOf(check.left);
    if (operand_class == 0 && check.op != Operator::kExists) {
      return Refuse(node, "'" + std::string(Describe(node.op).text) +
                              "' operator not supported for type '" +
                              std::string(TypeName(check.left)) + "'");
    }
    if ((op.operands & operand_class) != 0 || operand_class == 0) return {};
    const bool modified = operand_class == kOnAddresses && check.modifier != Modifier::kNone;
    return Refuse(node, "filter error: '" + std::string(Describe(node.op).text) +
                            (modified ? "' with modifier" : "' operator") + " not supported for " +
                            std::string(ClassName(operand_class)) + " filters");
  }

  // val(FIELD) or a transformer on the right.
  Outcome BindRight(const Condition& node, BoundCheck& check) {
    auto right = BindOperand(*node.right, catalog_);
    if (!right) return Refuse(node, std::move(right.error()), SuggestField(*node.right));
    if (check.op == Operator::kRegex) {
      return Refuse(node, "operator '" + UpperWord(Describe(check.op).text) +
                              "' doesn't support right-hand side fields");
    }
    const BoundField& left_field = check.left.field;
    if (left_field.def != nullptr && (left_field.flags & kNoRhs) != 0) {
      return Refuse(node, "field '" + std::string(left_field.def->name) +
                              "' doesn't support right-hand side fields");
    }
    const BoundField& right_field = right->field;
    if (right_field.def != nullptr && ((right_field.flags & kNoRhs) != 0 || right->is_list())) {
      return Refuse(node, "field '" + std::string(right_field.def->name) +
                              "' can't be used as a right-hand side field");
    }
    if (TypeName(check.left) != TypeName(*right)) {
      return Refuse(node, "field '" + PrintOperand(node.left) + "' has type '" +
                              std::string(TypeName(check.left)) +
                              "' while the right-hand side field '" + RightName(*node.right) +
                              "' has incompatible type '" + std::string(TypeName(*right)) + "'");
    }
    check.right = std::move(*right);
    return {};
  }

  static std::string RightName(const Operand& right) {
    if (right.kind != Operand::Kind::kFieldValue) return PrintOperand(right);
    Operand field = right;
    field.kind = Operand::Kind::kField;
    return PrintOperand(field);
  }

  Outcome BindLiterals(const Condition& node, BoundCheck& check) {
    const std::span<const Operand> values = node.right->kind == Operand::Kind::kList
                                                ? std::span<const Operand>(node.right->items)
                                                : std::span(&*node.right, 1);
    ReserveLiterals(values.size(), check);
    for (const Operand& value : values) {
      auto added = AddLiteral(value.text, check);
      if (!added) {
        return Refuse(node, std::move(added.error().message), std::move(added.error().suggestion));
      }
      WarnAbout(node, value, check);
    }
    // Worth hashing only where walking the list costs more.
    constexpr size_t kHashFrom = 8;
    const bool is_set = check.op == Operator::kIn || check.op == Operator::kIntersects;
    if (is_set && check.texts.size() >= kHashFrom) {
      check.text_set.insert(check.texts.begin(), check.texts.end());
    }
    return {};
  }

  void WarnAbout(const Condition& node, const Operand& value, const BoundCheck& check) {
    if (check.op == Operator::kRegex && IsSimpleRegex(value.text)) {
      Warn(node, value,
           "regex check with '" + value.text +
               "' may be optimized with simpler operators such as '=', 'contains', 'startswith', "
               "'endswith'");
    }
    if (OperandClassOf(check.left) != kOnText || !value.text.contains('.')) return;
    const auto parsed = ParseFieldOrTransformer(value.text);
    if (!parsed || parsed->length != value.text.size()) return;
    if (!BindOperand(parsed->operand, catalog_)) return;
    const bool is_field = parsed->operand.kind == Operand::Kind::kField;
    Warn(node, value,
         "'" + value.text + "' may be a valid field " + (is_field ? "" : "transformer ") +
             "misused as a const string value");
  }

  void Warn(const Condition& node, const Operand& value, std::string message) {
    warnings_.push_back({std::move(message), {}, value.position, node.origin});
  }

  const FieldCatalog& catalog_;
  std::vector<BindProblem>& warnings_;
};

}  // namespace

std::expected<BoundCondition, BindProblem> BindCondition(const Condition& condition,
                                                         const FieldCatalog& catalog,
                                                         std::vector<BindProblem>& warnings) {
  return Binder(catalog, warnings).Bind(condition);
}

}  // namespace gyrfalcon
