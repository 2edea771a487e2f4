#include "rules/condition_parser.h"

#include <utility>

#include "rules/condition_lexer.h"

namespace gyrfalcon {
namespace {

// Recursive descent; each function leaves its result in an out parameter and returns false once
// `error_` is set.
class Parser {
 public:
  Parser(std::string_view text, const SourceText* source, uint32_t nesting_max)
      : lexer_(text), source_(source), nesting_max_(nesting_max) {}

  std::expected<Condition, SyntaxError> Parse() {
    Condition condition;
    lexer_.SkipBlanks();
    if (!ParseOr(condition)) return std::unexpected(std::move(error_));
    lexer_.SkipBlanks();
    if (!lexer_.AtEnd()) {
      Fail("unexpected token after '" + std::string(lexer_.last_token()) +
           "', expecting 'or', 'and'");
      return std::unexpected(std::move(error_));
    }
    return condition;
  }

  std::expected<ParsedOperand, SyntaxError> ParseSource() {
    ParsedOperand parsed;
    const Found found = ParseFieldOrCall(parsed.operand);
    if (found == Found::kNo) Fail("expected a field or a transformer");
    if (found != Found::kYes) return std::unexpected(std::move(error_));
    parsed.length = lexer_.position().offset;
    return parsed;
  }

 private:
  enum class Found : uint8_t { kYes, kNo, kError };

  // Counts one level of nesting for as long as it lives.
  class Level {
   public:
    explicit Level(Parser& parser) : parser_(parser) { ++parser_.depth_; }
    ~Level() { --parser_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    bool ok() const {
      if (parser_.depth_ <= parser_.nesting_max_) return true;
      return parser_.Fail("exceeded max depth limit of " + std::to_string(parser_.nesting_max_));
    }

   private:
    Parser& parser_;
  };

  bool Fail(std::string message) {
    error_ = {std::move(message), lexer_.position()};
    return false;
  }

  void Mark(Condition& node) {
    node.position = lexer_.position();
    if (source_ != nullptr) node.origin = source_->OriginAt(node.position.offset);
  }

  bool ParseOr(Condition& out) { return ParseChain(out, Condition::Kind::kOr); }

  // a and b and c: n-ary, a single child stands for itself.
  bool ParseChain(Condition& out, Condition::Kind kind) {
    const bool is_or = kind == Condition::Kind::kOr;
    const std::string_view word = is_or ? "or" : "and";
    Condition chain;
    chain.kind = kind;
    Mark(chain);
    for (;;) {
      Condition& child = chain.children.emplace_back();
      if (!(is_or ? ParseChain(child, Condition::Kind::kAnd) : ParseNot(child))) return false;
      lexer_.SkipBlanks();
      if (!lexer_.Take(word)) break;
      if (!lexer_.AtBlank() && !lexer_.At('(')) {
        return Fail("expected blank or '(' after '" + std::string(word) + "'");
      }
      lexer_.SkipBlanks();
    }
    if (chain.children.size() == 1) {
      Condition only = std::move(chain.children.front());
      out = std::move(only);
    } else {
      out = std::move(chain);
    }
    return true;
  }

  // A chain of "not" cancels in pairs.
  bool ParseNot(Condition& out) {
    Condition negation;
    negation.kind = Condition::Kind::kNot;
    Mark(negation);
    bool negated = false;
    while (lexer_.TakeWord("not")) {
      lexer_.SkipBlanks();
      negated = !negated;
    }
    if (!negated) return ParsePrimary(out);
    if (!ParsePrimary(negation.children.emplace_back())) return false;
    out = std::move(negation);
    return true;
  }

  bool ParsePrimary(Condition& out) {
    if (lexer_.Take("(")) {
      const Level level(*this);
      if (!level.ok()) return false;
      lexer_.SkipBlanks();
      if (!ParseOr(out)) return false;
      lexer_.SkipBlanks();
      return lexer_.Take(")") || Fail("expected a ')' token");
    }
    Mark(out);
    switch (ParseFieldOrCall(out.left)) {
      case Found::kYes:
        return ParseCheck(out);
      case Found::kError:
        return false;
      case Found::kNo:
        break;
    }
    if (std::optional<std::string> name = lexer_.TakeIdentifier()) {
      out.kind = Condition::Kind::kMacro;
      out.macro = std::move(*name);
      return true;
    }
    return Fail("expected a '(' token, a field check, or an identifier");
  }

  // The left side is there; what follows is an operator and its right side.
  bool ParseCheck(Condition& out) {
    out.kind = Condition::Kind::kCheck;
    lexer_.SkipBlanks();
    if (!TakeOperator(out.op)) {
      return Fail("expected a valid check operator: one of " + QuotedOperators());
    }
    const OperatorShape shape = Describe(out.op).shape;
    if (shape == OperatorShape::kAlone) return true;
    lexer_.SkipBlanks();
    Operand& right = out.right.emplace();
    switch (shape) {
      case OperatorShape::kNumber:
        return ParseNumberSide(right);
      case OperatorShape::kList:
        return ParseListSide(right);
      default:
        out.modifier = TakeModifier();
        return out.modifier == Modifier::kNone ? ParseTextSide(right) : ParseListSide(right);
    }
  }

  bool TakeOperator(Operator& op) {
    const std::span<const OperatorDef> rows = Operators();
    for (size_t i = 0; i < rows.size(); ++i) {
      const OperatorDef& row = rows[i];
      const bool needs_blank = row.is_word && row.shape == OperatorShape::kText;
      if (needs_blank ? lexer_.TakeWord(row.text, false) : lexer_.Take(row.text)) {
        op = static_cast<Operator>(i);
        return true;
      }
    }
    return false;
  }

  // "oneof" is a modifier if a list follows, else it is a value like any other.
  Modifier TakeModifier() {
    const std::span<const ModifierDef> rows = Modifiers();
    for (size_t i = 0; i < rows.size(); ++i) {
      ConditionLexer ahead = lexer_;
      if (!ahead.TakeWord(rows[i].text, false) || !ahead.ListFollows()) continue;
      lexer_ = std::move(ahead);
      lexer_.SkipBlanks();
      return static_cast<Modifier>(i + 1);
    }
    return Modifier::kNone;
  }

  bool ParseNumberSide(Operand& out) {
    if (const Found found = ParseRightCall(out); found != Found::kNo) return found == Found::kYes;
    out.position = lexer_.position();
    if (std::optional<std::string> number = lexer_.TakeNumber()) {
      out.kind = Operand::Kind::kNumber;
      out.text = std::move(*number);
      return true;
    }
    return Fail("expected a number value or a field with a valid transformer: " +
                QuotedTransformers());
  }

  bool ParseTextSide(Operand& out) {
    if (const Found found = ParseRightCall(out); found != Found::kNo) return found == Found::kYes;
    if (TakeText(out)) return true;
    return Fail("expected a string value or a field with a valid transformer: " +
                QuotedTransformers());
  }

  bool ParseListSide(Operand& out) {
    if (const Found found = ParseRightCall(out); found != Found::kNo) return found == Found::kYes;
    out.position = lexer_.position();
    if (lexer_.Take("(")) return ParseListItems(out);
    if (std::optional<std::string> word = lexer_.TakeIdentifier()) {
      out.kind = Operand::Kind::kText;  // what is left of a list's name: one value
      out.text = std::move(*word);
      return true;
    }
    return Fail("expected a list, an identifier, or a field with a valid transformer: " +
                QuotedTransformers());
  }

  bool ParseListItems(Operand& out) {
    out.kind = Operand::Kind::kList;
    lexer_.SkipBlanks();
    Operand item;
    if (TakeText(item)) {
      out.items.push_back(std::move(item));
      lexer_.SkipBlanks();
      while (lexer_.Take(",")) {
        lexer_.SkipBlanks();
        if (!TakeText(out.items.emplace_back())) return Fail("expected a string value");
        lexer_.SkipBlanks();
      }
    }
    return lexer_.Take(")") || Fail("expected a ')' token");
  }

  bool TakeText(Operand& out) {
    out.position = lexer_.position();
    std::optional<std::string> text = lexer_.TakeQuoted();
    if (!text) text = lexer_.TakeBare();
    if (!text) return false;
    out.kind = Operand::Kind::kText;
    out.text = std::move(*text);
    return true;
  }

  // val(FIELD) or a transformer, on the right side.
  Found ParseRightCall(Operand& out) {
    out.position = lexer_.position();
    if (!lexer_.TakeCall("val")) return ParseCall(out);
    lexer_.SkipBlanks();
    Operand field;
    const Found found = ParseField(field);
    if (found == Found::kError) return found;
    if (found == Found::kNo) {
      Fail("expected a field within 'val' transformer");
      return Found::kError;
    }
    out.kind = Operand::Kind::kFieldValue;
    out.text = std::move(field.text);
    out.bracket = std::move(field.bracket);
    return CloseCall();
  }

  Found CloseCall() {
    lexer_.SkipBlanks();
    if (lexer_.Take(")")) return Found::kYes;
    Fail("expected a ')' token closing the transformer");
    return Found::kError;
  }

  Found ParseFieldOrCall(Operand& out) {
    const Found found = ParseCall(out);
    return found == Found::kNo ? ParseField(out) : found;
  }

  Found ParseField(Operand& out) {
    out.position = lexer_.position();
    std::optional<std::string> name = lexer_.TakeFieldName();
    if (!name) return Found::kNo;
    out.kind = Operand::Kind::kField;
    out.text = std::move(*name);
    return ParseBracket(out);
  }

  // The optional [ARG] behind a field or a call.
  Found ParseBracket(Operand& out) {
    if (!lexer_.Take("[")) return Found::kYes;
    out.bracket = lexer_.TakeFieldArg();
    if (!out.bracket) {
      Fail("expected a valid field argument: a quoted string or a bare string");
      return Found::kError;
    }
    if (lexer_.Take("]")) return Found::kYes;
    Fail("expected a ']' token");
    return Found::kError;
  }

  Found ParseCall(Operand& out) {
    out.position = lexer_.position();
    const std::span<const TransformerDef> rows = Transformers();
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!lexer_.TakeCall(rows[i].text)) continue;
      out.kind = Operand::Kind::kTransformer;
      out.transformer = static_cast<Transformer>(i);
      return ParseArguments(out);
    }
    return Found::kNo;
  }

  Found ParseArguments(Operand& out) {
    const Level level(*this);
    if (!level.ok()) return Found::kError;
    do {
      lexer_.SkipBlanks();
      if (!ParseArgument(out.items.emplace_back())) return Found::kError;
      lexer_.SkipBlanks();
    } while (lexer_.Take(","));
    const Found closed = CloseCall();
    return closed == Found::kYes ? ParseBracket(out) : closed;
  }

  bool ParseArgument(Operand& out) {
    if (const Found found = ParseSimpleArgument(out); found != Found::kNo) {
      return found == Found::kYes;
    }
    out.position = lexer_.position();
    if (lexer_.Take("(")) return ParseArgumentList(out);
    return Fail(
        "expected field transformer argument: field, transformer, quoted string, number, or "
        "transformer list");
  }

  Found ParseSimpleArgument(Operand& out) {
    if (const Found found = ParseFieldOrCall(out); found != Found::kNo) return found;
    std::optional<std::string> text = lexer_.TakeQuoted();
    out.kind = text ? Operand::Kind::kText : Operand::Kind::kNumber;
    if (!text) text = lexer_.TakeNumber();
    if (!text) return Found::kNo;
    out.text = std::move(*text);
    return Found::kYes;
  }

  bool ParseArgumentList(Operand& out) {
    out.kind = Operand::Kind::kList;
    lexer_.SkipBlanks();
    if (lexer_.Take(")")) return true;
    do {
      lexer_.SkipBlanks();
      const Found found = ParseSimpleArgument(out.items.emplace_back());
      if (found == Found::kError) return false;
      if (found == Found::kNo) {
        return Fail(
            "expected transformer list argument: field, transformer, quoted string, or number");
      }
      lexer_.SkipBlanks();
    } while (lexer_.Take(","));
    return CloseCall() == Found::kYes;
  }

  ConditionLexer lexer_;
  const SourceText* source_;
  uint32_t nesting_max_;
  uint32_t depth_ = 0;
  SyntaxError error_;
};

}  // namespace

std::expected<Condition, SyntaxError> ParseCondition(const SourceText& text, uint32_t nesting_max) {
  return Parser(text.text(), &text, nesting_max).Parse();
}

std::expected<Condition, SyntaxError> ParseCondition(std::string_view text, uint32_t nesting_max) {
  return Parser(text, nullptr, nesting_max).Parse();
}

std::expected<ParsedOperand, SyntaxError> ParseFieldOrTransformer(std::string_view text) {
  return Parser(text, nullptr, kNestingMax).ParseSource();
}

}  // namespace gyrfalcon
