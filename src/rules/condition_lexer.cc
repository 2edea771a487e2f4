#include "rules/condition_lexer.h"

#include <algorithm>

namespace gyrfalcon {
namespace {

bool IsBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\b';
}

bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

int HexDigit(char c) {
  if (IsDigit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

size_t IdentifierLength(std::string_view text) {
  if (text.empty() || !IsLetter(text[0])) return 0;
  size_t length = 1;
  while (length < text.size() &&
         (IsLetter(text[length]) || IsDigit(text[length]) || text[length] == '_')) {
    ++length;
  }
  return length;
}

size_t DigitsLength(std::string_view text) {
  size_t length = 0;
  while (length < text.size() && IsDigit(text[length])) ++length;
  return length;
}

size_t HexNumberLength(std::string_view text) {
  if (text.size() < 3 || text[0] != '0' || (text[1] != 'x' && text[1] != 'X')) return 0;
  size_t length = 2;
  while (length < text.size() && HexDigit(text[length]) >= 0) ++length;
  return length > 2 ? length : 0;
}

size_t DecimalNumberLength(std::string_view text) {
  size_t length = !text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0;
  const size_t whole = DigitsLength(text.substr(length));
  if (whole == 0) return 0;
  length += whole;
  if (length < text.size() && text[length] == '.') ++length;
  length += DigitsLength(text.substr(length));
  if (length + 1 < text.size() && (text[length] == 'e' || text[length] == 'E') &&
      (text[length + 1] == '+' || text[length + 1] == '-')) {
    const size_t exponent = DigitsLength(text.substr(length + 2));
    if (exponent > 0) length += 2 + exponent;
  }
  return length;
}

constexpr bool IsBareEnd(char c) {
  return std::string_view("()\"' \t\n\v\f\r=,").find(c) != std::string_view::npos;
}

size_t BareLength(std::string_view text) {
  return static_cast<size_t>(std::ranges::find_if(text, IsBareEnd) - text.begin());
}

// Undoes one escape at text[0] == '\\'; gives how many characters it took, 0 for an unknown one.
size_t Unescape(std::string_view text, char quote, std::string& out) {
  if (text.size() < 2) return 0;
  constexpr std::string_view kNames = "bfnrt\\/";
  constexpr std::string_view kValues = "\b\f\n\r\t\\/";
  const char c = text[1];
  if (c == 'x') {
    if (text.size() < 4 || HexDigit(text[2]) < 0 || HexDigit(text[3]) < 0) return 0;
    out += static_cast<char>(HexDigit(text[2]) * 16 + HexDigit(text[3]));
    return 4;
  }
  if (c == quote) {
    out += c;
    return 2;
  }
  // A backslash before a blank stays, and eats the blank (Falco).
  if (IsBlank(c)) {
    out += '\\';
    return 2;
  }
  const size_t index = kNames.find(c);
  if (index == std::string_view::npos) return 0;
  out += kValues[index];
  return 2;
}

}  // namespace

bool ConditionLexer::AtBlank() const {
  return !AtEnd() && IsBlank(text_[position_.offset]);
}

void ConditionLexer::Advance(size_t count) {
  for (const char c : Rest().substr(0, count)) {
    ++position_.offset;
    ++position_.column;
    if (c == '\n') {
      ++position_.line;
      position_.column = 1;
    }
  }
}

std::string ConditionLexer::Cut(size_t count) {
  std::string token(Rest().substr(0, count));
  Advance(count);
  last_token_ = token;
  return token;
}

void ConditionLexer::SkipBlanks() {
  size_t count = 0;
  const std::string_view rest = Rest();
  while (count < rest.size() && IsBlank(rest[count])) ++count;
  Advance(count);
}

bool ConditionLexer::Take(std::string_view exact) {
  if (!Rest().starts_with(exact)) return false;
  Cut(exact.size());
  return true;
}

bool ConditionLexer::TakeWord(std::string_view word, bool parenthesis_follows) {
  const std::string_view rest = Rest();
  if (!rest.starts_with(word) || rest.size() == word.size()) return false;
  const char next = rest[word.size()];
  if (!IsBlank(next) && !(parenthesis_follows && next == '(')) return false;
  Cut(word.size());
  return true;
}

bool ConditionLexer::TakeCall(std::string_view name) {
  const std::string_view rest = Rest();
  if (!rest.starts_with(name) || rest.size() == name.size() || rest[name.size()] != '(') {
    return false;
  }
  Cut(name.size());
  Cut(1);
  return true;
}

std::optional<std::string> ConditionLexer::TakeIdentifier() {
  const size_t length = IdentifierLength(Rest());
  if (length == 0) return std::nullopt;
  return Cut(length);
}

std::optional<std::string> ConditionLexer::TakeFieldName() {
  const std::string_view rest = Rest();
  size_t length = IdentifierLength(rest);
  const size_t first = length;
  while (length > 0 && length < rest.size() && rest[length] == '.') {
    const size_t part = IdentifierLength(rest.substr(length + 1));
    if (part == 0) break;
    length += 1 + part;
  }
  if (length == first) return std::nullopt;
  return Cut(length);
}

std::optional<std::string> ConditionLexer::TakeFieldArg() {
  if (std::optional<std::string> quoted = TakeQuoted()) return quoted;
  const std::string_view rest = Rest();
  const size_t length = std::min(rest.find_first_of("[]\"' \t\r\n"), rest.size());
  if (length == 0) return std::nullopt;
  return Cut(length);
}

std::optional<std::string> ConditionLexer::TakeNumber() {
  size_t length = HexNumberLength(Rest());
  if (length == 0) length = DecimalNumberLength(Rest());
  if (length == 0) return std::nullopt;
  return Cut(length);
}

std::optional<std::string> ConditionLexer::TakeBare() {
  const size_t length = BareLength(Rest());
  if (length == 0) return std::nullopt;
  return Cut(length);
}

std::optional<std::string> ConditionLexer::TakeQuoted() {
  const std::string_view rest = Rest();
  if (rest.empty() || (rest[0] != '"' && rest[0] != '\'')) return std::nullopt;
  std::string value;
  for (size_t i = 1; i < rest.size();) {
    if (rest[i] == rest[0]) {
      Cut(i + 1);
      last_token_ = value;
      return value;
    }
    if (rest[i] == '\\') {
      const size_t taken = Unescape(rest.substr(i), rest[0], value);
      if (taken == 0) return std::nullopt;
      i += taken;
    } else {
      value += rest[i++];
    }
  }
  return std::nullopt;
}

bool ConditionLexer::ListFollows() const {
  const std::string_view rest = Rest();
  size_t i = 0;
  while (i < rest.size() && IsBlank(rest[i])) ++i;
  if (i == 0 || i == rest.size()) return false;
  if (rest[i] == '(') return true;
  const std::string_view word = rest.substr(i, IdentifierLength(rest.substr(i)));
  return !word.empty() && word != "and" && word != "or";
}

}  // namespace gyrfalcon
