#include <algorithm>

#include "rules/condition.h"

namespace gyrfalcon {
namespace {

constexpr std::string_view kBareBreakers = "()\"' \t\n\v\f\r=,";

// The escapes of quoted text, as the lexer undoes them; Falco quotes where one of these, a quote or
// a blank is in the value.
bool AppendEscaped(char c, std::string& out) {
  switch (c) {
    case '\b':
      out += "\\b";
      return true;
    case '\f':
      out += "\\f";
      return true;
    case '\n':
      out += "\\n";
      return true;
    case '\r':
      out += "\\r";
      return true;
    case '\t':
      out += "\\t";
      return true;
    case '\\':
      out += "\\\\";
      return true;
    case '"':
      out += "\\\"";
      return true;
    default:
      out += c;
      return c == ' ' || c == '\'';
  }
}

std::string Escape(std::string_view text, bool& needs_quotes) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) needs_quotes |= AppendEscaped(c, out);
  return out;
}

void AppendValue(std::string_view text, PrintStyle style, std::string& out) {
  bool quotes = style == PrintStyle::kSource &&
                (text.empty() || text.find_first_of(kBareBreakers) != std::string_view::npos);
  const std::string escaped = Escape(text, quotes);
  if (quotes) out += '"';
  out += escaped;
  if (quotes) out += '"';
}

void AppendFieldArg(std::string_view text, PrintStyle style, std::string& out) {
  bool quotes = style == PrintStyle::kSource &&
                (text.empty() || text.find_first_of("[]") != std::string_view::npos);
  const std::string escaped = Escape(text, quotes);
  out += '[';
  if (quotes) out += '"';
  out += escaped;
  if (quotes) out += '"';
  out += ']';
}

void AppendOperand(const Operand& operand, PrintStyle style, std::string& out);

// Falco writes the arguments of a transformer without quotes; read back, they would be bare words.
void AppendArgument(const Operand& operand, PrintStyle style, std::string& out) {
  using enum Operand::Kind;
  if (operand.kind == kList) {
    out += '(';
    for (const Operand& item : operand.items) {
      if (&item != &operand.items.front()) out += ',';
      AppendArgument(item, style, out);
    }
    out += ')';
  } else if (operand.kind == kText && style == PrintStyle::kFalco) {
    out += operand.text;
  } else if (operand.kind == kText) {
    bool unused = false;
    out += '"';
    out += Escape(operand.text, unused);
    out += '"';
  } else {
    AppendOperand(operand, style, out);
  }
}

void AppendOperand(const Operand& operand, PrintStyle style, std::string& out) {
  switch (operand.kind) {
    case Operand::Kind::kField:
      out += operand.text;
      break;
    case Operand::Kind::kFieldValue:
      out += "val(";
      out += operand.text;
      if (operand.bracket) AppendFieldArg(*operand.bracket, style, out);
      out += ')';
      return;
    case Operand::Kind::kTransformer:
      out += Describe(operand.transformer).text;
      out += '(';
      for (const Operand& item : operand.items) {
        if (&item != &operand.items.front()) out += ',';
        AppendArgument(item, style, out);
      }
      out += ')';
      break;
    case Operand::Kind::kText:
      AppendValue(operand.text, style, out);
      return;
    case Operand::Kind::kNumber:
      out += operand.text;
      return;
    case Operand::Kind::kList:
      out += '(';
      for (const Operand& item : operand.items) {
        if (&item != &operand.items.front()) out += ", ";
        AppendOperand(item, style, out);
      }
      out += ')';
      return;
  }
  if (operand.bracket) AppendFieldArg(*operand.bracket, style, out);
}

void AppendCheck(const Condition& check, PrintStyle style, std::string& out) {
  AppendOperand(check.left, style, out);
  out += ' ';
  out += Describe(check.op).text;
  if (check.modifier != Modifier::kNone) {
    out += ' ';
    out += Describe(check.modifier).text;
  }
  if (!check.right) return;
  out += ' ';
  AppendOperand(*check.right, style, out);
}

void AppendCondition(const Condition& condition, PrintStyle style, std::string& out) {
  switch (condition.kind) {
    case Condition::Kind::kAnd:
    case Condition::Kind::kOr:
      out += '(';
      for (const Condition& child : condition.children) {
        if (&child != &condition.children.front()) {
          out += condition.kind == Condition::Kind::kAnd ? " and " : " or ";
        }
        AppendCondition(child, style, out);
      }
      out += ')';
      return;
    case Condition::Kind::kNot: {
      // "not not a" reads back as a: the source style needs parentheses there.
      const Condition& child = condition.children.front();
      const bool group = style == PrintStyle::kSource && child.kind == Condition::Kind::kNot;
      out += group ? "not (" : "not ";
      AppendCondition(child, style, out);
      if (group) out += ')';
      return;
    }
    case Condition::Kind::kCheck:
      AppendCheck(condition, style, out);
      return;
    case Condition::Kind::kMacro: {
      // A macro may be called "not"; in parentheses it can't be taken for the operator.
      const bool reserved =
          condition.macro == "not" || condition.macro == "and" || condition.macro == "or";
      const bool group = style == PrintStyle::kSource && reserved;
      if (group) out += '(';
      out += condition.macro;
      if (group) out += ')';
      return;
    }
  }
}

}  // namespace

std::string PrintCondition(const Condition& condition, PrintStyle style) {
  std::string out;
  AppendCondition(condition, style, out);
  return out;
}

std::string PrintOperand(const Operand& operand, PrintStyle style) {
  std::string out;
  AppendOperand(operand, style, out);
  return out;
}

ConditionSize Measure(const Condition& condition) {
  ConditionSize size{1, 1};
  for (const Condition& child : condition.children) {
    const ConditionSize below = Measure(child);
    size.nodes += below.nodes;
    size.depth = std::max(size.depth, below.depth + 1);
  }
  return size;
}

}  // namespace gyrfalcon
