// Text comparisons of the condition language that the standard library lacks. Bytes, not
// characters; no allocation, no recursion; the time of a glob is bounded by pattern times text.
#pragma once

#include <string_view>

namespace gyrfalcon {

enum class Case : bool { kSensitive, kIgnored };

// fnmatch(3) without flags: * and ? match '/' and leading dots, \ quotes, [a-z], [!a], [[:digit:]].
bool GlobMatch(std::string_view pattern, std::string_view text, Case letter_case) noexcept;

// ASCII letters in upper and lower case alike.
bool ContainsIgnoringCase(std::string_view text, std::string_view part) noexcept;

// Whether `prefix` names `path` or a directory above it, component by component; components of the
// prefix may be globs. "/" is above every absolute path, "" above everything.
bool PathPrefixMatch(std::string_view path, std::string_view prefix) noexcept;

// What every text that the glob takes begins with.
std::string_view PlainStart(std::string_view glob) noexcept;
// What every path without doubled slashes begins with that PathPrefixMatch puts below the prefix;
// "": nothing is sure.
std::string_view PlainPathStart(std::string_view prefix) noexcept;
bool HasDoubledSlash(std::string_view text) noexcept;

char LowerAscii(char c) noexcept;
char UpperAscii(char c) noexcept;

}  // namespace gyrfalcon
