#include "rules/operators.h"

#include <array>

namespace gyrfalcon {
namespace {

constexpr uint8_t kOnAll = kOnNumbers | kOnText | kOnBytes | kOnAddresses | kOnLists;
constexpr uint8_t kOnScalars = kOnNumbers | kOnText | kOnBytes | kOnAddresses;
constexpr uint8_t kOnOrdered = kOnNumbers | kOnText;

using enum OperatorShape;

constexpr std::array<OperatorDef, 20> kOperators = {{
    {"exists", kAlone, true, kOnAll, "The field has a value."},
    {"<=", kNumber, false, kOnOrdered, "At most."},
    {"<", kNumber, false, kOnOrdered, "Less than."},
    {">=", kNumber, false, kOnOrdered, "At least."},
    {">", kNumber, false, kOnOrdered, "More than."},
    {"==", kText, false, kOnScalars, "The same as =."},
    {"=", kText, false, kOnScalars, "Equal; text byte by byte."},
    {"!=", kText, false, kOnScalars, "Not equal; false when the field has no value."},
    {"glob", kText, true, kOnText, "The whole text fits a shell pattern (*, ?, [...])."},
    {"iglob", kText, true, kOnText, "As glob, upper and lower case alike."},
    {"contains", kText, true, kOnText | kOnBytes, "The text contains the other."},
    {"icontains", kText, true, kOnText, "As contains, upper and lower case alike."},
    {"bcontains", kText, true, kOnBytes, "The bytes contain these, given in hexadecimal."},
    {"startswith", kText, true, kOnText | kOnBytes, "The text begins with the other."},
    {"bstartswith", kText, true, kOnBytes, "The bytes begin with these, given in hexadecimal."},
    {"endswith", kText, true, kOnText | kOnBytes, "The text ends with the other."},
    {"regex", kText, true, kOnText, "The whole text matches an RE2 pattern (POSIX syntax)."},
    {"intersects", kList, true, kOnAll, "Some element is in the list."},
    {"in", kList, true, kOnAll, "The value, or every element of it, is in the list."},
    {"pmatch", kList, true, kOnText, "Some path of the list is a prefix by components."},
}};

constexpr std::array<ModifierDef, 3> kModifiers = {{
    {"oneof", "The comparison holds for exactly one of the values."},
    {"anyof", "The comparison holds for at least one of the values."},
    {"allof", "The comparison holds for every value; false when there is none."},
}};

constexpr std::array<TransformerDef, 8> kTransformers = {{
    {"tolower", "ASCII letters in lower case."},
    {"toupper", "ASCII letters in upper case."},
    {"b64", "Decoded from base64; no value when it is not base64."},
    {"basename", "The last component of a path."},
    {"len", "Length of a text in bytes, or number of elements of a list."},
    {"join", "join(SEPARATOR, LIST): the elements with the separator between them."},
    {"concat", "concat(A, B, ...): the texts one after the other."},
    {"getopt", "getopt(LIST, \"OPTIONS\")[O]: command line options as POSIX getopt reads them."},
}};

constexpr ModifierDef kNoModifier = {"", "The value is compared as it is."};

void AppendQuoted(std::string_view word, std::string& out) {
  if (!out.empty()) out += ", ";
  out += '\'';
  out += word;
  out += '\'';
}

}  // namespace

std::span<const OperatorDef> Operators() {
  return kOperators;
}

const OperatorDef& Describe(Operator op) {
  return kOperators[static_cast<size_t>(op)];
}

std::span<const ModifierDef> Modifiers() {
  return kModifiers;
}

const ModifierDef& Describe(Modifier modifier) {
  return modifier == Modifier::kNone ? kNoModifier : kModifiers[static_cast<size_t>(modifier) - 1];
}

std::span<const TransformerDef> Transformers() {
  return kTransformers;
}

const TransformerDef& Describe(Transformer transformer) {
  return kTransformers[static_cast<size_t>(transformer)];
}

std::string QuotedOperators() {
  std::string out;
  for (const OperatorDef& row : kOperators) AppendQuoted(row.text, out);
  return out;
}

std::string QuotedTransformers() {
  std::string out;
  AppendQuoted("val", out);
  for (const TransformerDef& row : kTransformers) AppendQuoted(row.text, out);
  return out;
}

bool ParseOperatorText(std::string_view text, OperatorText& out) {
  std::string_view modifier;
  if (const size_t blank = text.find(' '); blank != std::string_view::npos) {
    modifier = text.substr(blank + 1);
    text = text.substr(0, blank);
  }
  out.modifier = Modifier::kNone;
  for (size_t i = 0; i < kModifiers.size(); ++i) {
    if (kModifiers[i].text == modifier) out.modifier = static_cast<Modifier>(i + 1);
  }
  for (size_t i = 0; i < kOperators.size(); ++i) {
    if (kOperators[i].text != text) continue;
    out.op = static_cast<Operator>(i);
    const bool modifier_fits =
        modifier.empty() || (out.modifier != Modifier::kNone && kOperators[i].shape == kText);
    return modifier_fits;
  }
  return false;
}

}  // namespace gyrfalcon
