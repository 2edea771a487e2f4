#include "rules/matchers.h"

#include <algorithm>
#include <array>
#include <optional>

namespace gyrfalcon {

char LowerAscii(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

char UpperAscii(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsLower(char c) {
  return c >= 'a' && c <= 'z';
}
bool IsUpper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool IsAlpha(char c) {
  return IsLower(c) || IsUpper(c);
}
bool IsAlnum(char c) {
  return IsAlpha(c) || IsDigit(c);
}
bool IsSpace(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool IsBlankChar(char c) {
  return c == ' ' || c == '\t';
}
bool IsPrint(char c) {
  return c >= ' ' && c <= '~';
}
bool IsGraph(char c) {
  return c > ' ' && c <= '~';
}
bool IsPunct(char c) {
  return IsGraph(c) && !IsAlnum(c);
}
bool IsCntrl(char c) {
  return (c >= 0 && c < ' ') || c == '\x7f';
}
bool IsXdigit(char c) {
  return IsDigit(c) || (LowerAscii(c) >= 'a' && LowerAscii(c) <= 'f');
}

struct CharClass {
  std::string_view name;
  bool (*holds)(char);
};

constexpr std::array<CharClass, 12> kClasses = {{{"alnum", IsAlnum},
                                                 {"alpha", IsAlpha},
                                                 {"blank", IsBlankChar},
                                                 {"cntrl", IsCntrl},
                                                 {"digit", IsDigit},
                                                 {"graph", IsGraph},
                                                 {"lower", IsLower},
                                                 {"print", IsPrint},
                                                 {"punct", IsPunct},
                                                 {"space", IsSpace},
                                                 {"upper", IsUpper},
                                                 {"xdigit", IsXdigit}}};

// Both readings of a character when case is ignored.
struct Readings {
  char a;
  char b;
};

Readings ReadingsOf(char c, Case letter_case) {
  if (letter_case == Case::kSensitive) return {c, c};
  return {LowerAscii(c), UpperAscii(c)};
}

bool InRange(Readings c, char low, char high) {
  const auto within = [&](char x) {
    const auto value = static_cast<unsigned char>(x);
    return value >= static_cast<unsigned char>(low) && value <= static_cast<unsigned char>(high);
  };
  return within(c.a) || within(c.b);
}

struct BracketResult {
  bool matches;
  size_t length;  // of the bracket expression in the pattern
};

// `pattern` begins behind '['. nullopt: there is no closing bracket, so '[' stands for itself.
std::optional<BracketResult> MatchBracket(std::string_view pattern, char c, Case letter_case) {
  const Readings readings = ReadingsOf(c, letter_case);
  size_t i = 0;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  bool matches = false;
  for (bool first = true; i < pattern.size(); first = false) {
    if (pattern[i] == ']' && !first) return BracketResult{matches != negated, i + 1};
    if (pattern.substr(i).starts_with("[:")) {
      const size_t end = pattern.find(":]", i + 2);
      if (end == std::string_view::npos) return std::nullopt;
      const auto found =
          std::ranges::find(kClasses, pattern.substr(i + 2, end - i - 2), &CharClass::name);
      if (found != kClasses.end()) matches |= found->holds(readings.a) || found->holds(readings.b);
      i = end + 2;
      continue;
    }
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    const char low = pattern[i++];
    char high = low;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      ++i;
      if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
      high = pattern[i++];
    }
    matches |= InRange(readings, low, high);
  }
  return std::nullopt;
}

// Whether the pattern element at its start takes `c`; gives the element's length, 0 if it doesn't.
size_t MatchElement(std::string_view pattern, char c, Case letter_case) {
  switch (pattern[0]) {
    case '?':
      return 1;
    case '[':
      if (const auto bracket = MatchBracket(pattern.substr(1), c, letter_case)) {
        return bracket->matches ? bracket->length + 1 : 0;
      }
      return c == '[' ? 1 : 0;
    case '\\':
      if (pattern.size() > 1) {
        return InRange(ReadingsOf(c, letter_case), pattern[1], pattern[1]) ? 2 : 0;
      }
      return c == '\\' ? 1 : 0;
    default: {
      const bool equal = letter_case == Case::kSensitive ? pattern[0] == c
                                                         : LowerAscii(pattern[0]) == LowerAscii(c);
      return equal ? 1 : 0;
    }
  }
}

}  // namespace

// Only the last star ever needs to be tried again: an earlier one can't do better.
bool GlobMatch(std::string_view pattern, std::string_view text, Case letter_case) noexcept {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
      continue;
    }
    const size_t length =
        p < pattern.size() ? MatchElement(pattern.substr(p), text[t], letter_case) : 0;
    if (length > 0) {
      p += length;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool ContainsIgnoringCase(std::string_view text, std::string_view part) noexcept {
  return !std::ranges::search(text, part, {}, LowerAscii, LowerAscii).empty() || part.empty();
}

namespace {

// Cuts the next component off; the root of an absolute path counts as an empty one.
std::string_view NextComponent(std::string_view& path, bool at_start) {
  if (at_start && path.starts_with('/')) {
    path.remove_prefix(1);
    return {};
  }
  while (path.starts_with('/')) path.remove_prefix(1);
  const size_t slash = std::min(path.find('/'), path.size());
  const std::string_view component = path.substr(0, slash);
  path.remove_prefix(slash);
  return component;
}

bool OnlySlashes(std::string_view path) {
  return path.find_first_not_of('/') == std::string_view::npos;
}

}  // namespace

bool PathPrefixMatch(std::string_view path, std::string_view prefix) noexcept {
  for (bool at_start = true;; at_start = false) {
    if (at_start ? prefix.empty() : OnlySlashes(prefix)) return true;
    if (at_start ? path.empty() : OnlySlashes(path)) return false;
    const bool rooted = at_start && prefix.starts_with('/');
    if (at_start && rooted != path.starts_with('/')) return false;
    const std::string_view wanted = NextComponent(prefix, at_start);
    const std::string_view component = NextComponent(path, at_start);
    if (wanted != component && !GlobMatch(wanted, component, Case::kSensitive)) return false;
  }
}

std::string_view PlainStart(std::string_view glob) noexcept {
  return glob.substr(0, glob.find_first_of("*?[\\"));
}

std::string_view PlainPathStart(std::string_view prefix) noexcept {
  if (HasDoubledSlash(prefix)) return {};
  std::string_view plain = PlainStart(prefix);
  while (plain.ends_with('/')) plain.remove_suffix(1);
  return plain;
}

// Without leaving early: so it is done for many bytes at once.
bool HasDoubledSlash(std::string_view text) noexcept {
  unsigned found = 0;
  for (size_t i = 1; i < text.size(); ++i) {
    found |= static_cast<unsigned>(text[i - 1] == '/') & static_cast<unsigned>(text[i] == '/');
  }
  return found != 0;
}

}  // namespace gyrfalcon
