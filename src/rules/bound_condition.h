// A condition after every name in it was looked up and every literal read: what the interpreter
// walks and what a compiled plan is made from. Immutable once bound; safe to read from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_set.h>
#include <re2/re2.h>

#include "base/hash.h"
#include "fields/field.h"
#include "rules/condition.h"

namespace gyrfalcon {

// Something that has a value at run time: a field, a transformer of operands, or a constant.
struct BoundOperand {
  enum class Kind : uint8_t { kField, kTransformer, kConstant, kList };

  Kind kind = Kind::kConstant;
  FieldType type = FieldType::kText;
  uint8_t flags = 0;  // FieldFlag bits: kIsList, kEitherSide, kAnyAncestor
  BoundField field;
  Transformer transformer = Transformer::kTolower;
  char option = '\0';  // getopt(…)[o]
  std::string text;    // kConstant
  std::vector<BoundOperand> items;

  bool is_list() const { return (flags & kIsList) != 0; }
};

// A check against literals or against another operand. `literals` views `texts` and `addresses`,
// which therefore have their capacity from the start.
struct BoundCheck {
  BoundOperand left;
  Operator op = Operator::kExists;  // never kDoubleEqual
  Modifier modifier = Modifier::kNone;
  std::vector<Value> literals;
  std::vector<std::string> texts;
  std::vector<IpAddress> addresses;
  std::vector<IpNetwork> networks;                 // instead of literals, for network fields
  std::vector<std::unique_ptr<re2::RE2>> regexes;  // beside literals, for `regex`
  absl::flat_hash_set<std::string_view, TextHash, TextEqual> text_set;  // of texts, when many
  std::optional<BoundOperand> right;  // val(…) or a transformer, instead of literals
  std::string text;                   // the check as written, for explanations
  uint32_t right_offset = 0;          // where its right side begins there; 0: it has none
  TextPosition position;
  Origin origin;
};

struct BoundCondition {
  enum class Kind : uint8_t { kAnd, kOr, kNot, kCheck };

  Kind kind = Kind::kAnd;
  std::vector<BoundCondition> children;
  std::unique_ptr<BoundCheck> check;  // kCheck
  // Condition::from, as far as folding has left the part whole (LoadOptions::keep_whole).
  std::unique_ptr<const std::string> from;
};

// Calls `visit(const BoundField&)` for every field of the condition, in order of appearance.
template <class Visit>
void ForEachField(const BoundOperand& operand, const Visit& visit) {
  if (operand.kind == BoundOperand::Kind::kField) visit(operand.field);
  for (const BoundOperand& item : operand.items) ForEachField(item, visit);
}

template <class Visit>
void ForEachField(const BoundCondition& condition, const Visit& visit) {
  if (condition.check != nullptr) {
    ForEachField(condition.check->left, visit);
    if (condition.check->right) ForEachField(*condition.check->right, visit);
  }
  for (const BoundCondition& child : condition.children) ForEachField(child, visit);
}

}  // namespace gyrfalcon
