// The syntax tree of a condition: what was written, before any field is looked up. Plain values; a
// tree is copied to put a macro's body where its name stands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rules/operators.h"
#include "rules/source_text.h"

namespace gyrfalcon {

// A place inside the text that was parsed, as Falco counts: lines and columns from 1.
struct TextPosition {
  uint32_t offset = 0;
  uint32_t line = 1;
  uint32_t column = 1;
};

// One side of a check, or an argument of a transformer.
struct Operand {
  enum class Kind : uint8_t {
    kField,        // text = dotted name, bracket = what stands in [ ]
    kFieldValue,   // val(FIELD), on the right only
    kTransformer,  // items = arguments, bracket = what stands in [ ] behind the call
    kText,         // text = the value without quotes
    kNumber,       // text = the number as written
    kList,         // items = the values
  };

  Kind kind = Kind::kText;
  Transformer transformer = Transformer::kTolower;
  std::string text;
  std::optional<std::string> bracket;
  std::vector<Operand> items;
  TextPosition position;
};

struct Condition {
  enum class Kind : uint8_t { kAnd, kOr, kNot, kCheck, kMacro };

  Kind kind = Kind::kAnd;
  Operator op = Operator::kExists;      // kCheck
  Modifier modifier = Modifier::kNone;  // kCheck
  std::vector<Condition> children;      // kAnd, kOr: two or more; kNot: one
  Operand left;                         // kCheck
  std::optional<Operand> right;         // kCheck, unless `exists`
  std::string macro;                    // kMacro
  // Whose body this is, for explanations: "macro open_write", "exception trusted"; "" elsewhere.
  std::string from;
  TextPosition position;
  Origin origin;  // where in the rules files, when the text knew
};

enum class PrintStyle : uint8_t {
  kFalco,   // as Falco prints its trees: values with odd characters may not read back
  kSource,  // reads back as the same tree
};

// "(a and not b.c in (d, e))".
std::string PrintCondition(const Condition& condition, PrintStyle style = PrintStyle::kFalco);
std::string PrintOperand(const Operand& operand, PrintStyle style = PrintStyle::kFalco);

// How many nodes the tree has, and how deep it is.
struct ConditionSize {
  size_t nodes = 0;
  size_t depth = 0;
};
ConditionSize Measure(const Condition& condition);

}  // namespace gyrfalcon
