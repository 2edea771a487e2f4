// From the text of a condition to its syntax tree. The text is a user's, or a fuzzer's: any input
// ends in a tree or in an error, in time linear in its length, and nesting is limited so that
// neither the parser nor anything that walks the tree can run out of stack.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "rules/condition.h"

namespace gyrfalcon {

inline constexpr uint32_t kNestingMax = 1000;

// `message` is in Falco's words; rules files in the wild are tested against them.
struct SyntaxError {
  std::string message;
  TextPosition position;
};

std::expected<Condition, SyntaxError> ParseCondition(const SourceText& text,
                                                     uint32_t nesting_max = kNestingMax);
std::expected<Condition, SyntaxError> ParseCondition(std::string_view text,
                                                     uint32_t nesting_max = kNestingMax);

// A field or a transformer call at the start of `text`, as outputs and exceptions name them;
// `length` is how much of the text it took.
struct ParsedOperand {
  Operand operand;
  size_t length;
};
std::expected<ParsedOperand, SyntaxError> ParseFieldOrTransformer(std::string_view text);

}  // namespace gyrfalcon
