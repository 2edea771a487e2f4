// The words of the condition language as tables: operators, modifiers, transformers. The parser,
// its error messages, the type checks and the docs read these rows.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gyrfalcon {

// In the order of kOperators.
enum class Operator : uint8_t {
  kExists,
  kLessEqual,
  kLess,
  kGreaterEqual,
  kGreater,
  kDoubleEqual,  // "==": means kEqual, kept apart so that a condition prints as it was written
  kEqual,
  kNotEqual,
  kGlob,
  kIglob,
  kContains,
  kIcontains,
  kBcontains,
  kStartswith,
  kBstartswith,
  kEndswith,
  kRegex,
  kIntersects,
  kIn,
  kPmatch,
};

// What may stand to the right of an operator.
enum class OperatorShape : uint8_t { kAlone, kNumber, kText, kList };

// Bits of what an operator can compare.
enum OperandClass : uint8_t {
  kOnNumbers = 1,  // bool included
  kOnText = 2,
  kOnBytes = 4,
  kOnAddresses = 8,  // addresses and networks
  kOnLists = 16,
};

struct OperatorDef {
  std::string_view text;
  OperatorShape shape;
  bool is_word;      // a word of shape kText needs a blank behind it
  uint8_t operands;  // OperandClass bits
  std::string_view help;
};

std::span<const OperatorDef> Operators();
const OperatorDef& Describe(Operator op);

// "a field compared with (modifier) of these values"; kNone is the plain form.
enum class Modifier : uint8_t { kNone, kOneof, kAnyof, kAllof };

struct ModifierDef {
  std::string_view text;
  std::string_view help;
};

std::span<const ModifierDef> Modifiers();  // row i is Modifier i + 1
const ModifierDef& Describe(Modifier modifier);

enum class Transformer : uint8_t {
  kTolower,
  kToupper,
  kB64,
  kBasename,
  kLen,
  kJoin,
  kConcat,
  kGetopt,
};

struct TransformerDef {
  std::string_view text;
  std::string_view help;
};

std::span<const TransformerDef> Transformers();
const TransformerDef& Describe(Transformer transformer);

// "'exists', '<=', …": every row's text quoted, as messages list them.
std::string QuotedOperators();
std::string QuotedTransformers();  // 'val' first, which only stands on the right

// Whether `text` names an operator, possibly with a modifier behind it ("startswith oneof").
struct OperatorText {
  Operator op;
  Modifier modifier;
};
bool ParseOperatorText(std::string_view text, OperatorText& out);

}  // namespace gyrfalcon
