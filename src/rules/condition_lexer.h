// Cuts a condition into tokens on demand: the parser says what it would accept at this place, and
// the lexer takes it or leaves the place unchanged.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rules/condition.h"

namespace gyrfalcon {

// Views `text`, which must outlive it.
class ConditionLexer {
 public:
  explicit ConditionLexer(std::string_view text) : text_(text) {}

  const TextPosition& position() const { return position_; }
  bool AtEnd() const { return position_.offset >= text_.size(); }
  bool AtBlank() const;
  bool At(char c) const { return !AtEnd() && text_[position_.offset] == c; }
  std::string_view last_token() const { return last_token_; }

  void SkipBlanks();
  bool Take(std::string_view exact);  // no word boundary is asked for
  // `word`, only if a blank (or, if allowed, an opening parenthesis) follows.
  bool TakeWord(std::string_view word, bool parenthesis_follows = true);
  bool TakeCall(std::string_view name);  // "name(" in one piece
  std::optional<std::string> TakeIdentifier();
  std::optional<std::string> TakeFieldName();  // at least one dot
  std::optional<std::string> TakeFieldArg();   // what stands between [ and ]
  std::optional<std::string> TakeNumber();
  std::optional<std::string> TakeBare();
  std::optional<std::string> TakeQuoted();  // without quotes and escapes

  // Whether the next word, blanks skipped, could be the list behind a modifier.
  bool ListFollows() const;

 private:
  std::string_view Rest() const { return text_.substr(position_.offset); }
  void Advance(size_t count);
  std::string Cut(size_t count);

  std::string_view text_;
  TextPosition position_;
  std::string last_token_;
};

}  // namespace gyrfalcon
