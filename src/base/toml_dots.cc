#include "base/toml_dots.h"

#include <algorithm>

#include "base/text.h"

namespace gyrfalcon {
namespace {

// Where the line's comment begins, or its end. For a text without strings of several lines.
size_t CommentBegin(std::string_view line) {
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char byte = line[i];
    if (quote == 0 && byte == '#') return i;
    if (quote == 0 && (byte == '"' || byte == '\'')) {
      quote = byte;
    } else if (quote == '"' && byte == '\\') {
      ++i;
    } else if (byte == quote) {
      quote = 0;
    }
  }
  return line.size();
}

}  // namespace

std::optional<size_t> FirstLineOfManyDots(std::string_view toml) {
  const bool has_long_strings = toml.contains("\"\"\"") || toml.contains("'''");
  size_t line = 1;
  for (const std::string_view row : Split(toml, '\n')) {
    const size_t end = has_long_strings ? row.size() : CommentBegin(row);
    const auto dots = std::ranges::count(row.substr(0, end), '.');
    if (static_cast<size_t>(dots) > kTomlDotsMax) return line;
    ++line;
  }
  return std::nullopt;
}

}  // namespace gyrfalcon
