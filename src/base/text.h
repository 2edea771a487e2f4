// Small text helpers used everywhere.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gyrfalcon {

std::string_view TrimBlanks(std::string_view text);

// Pieces between `separator`, empty ones included: "a,,b" gives three.
std::vector<std::string_view> Split(std::string_view text, char separator);

std::string Join(std::span<const std::string> pieces, std::string_view separator);

// The candidate nearest to `word` by edit distance, for "did you mean"; nullopt when none is close
// (more than a third of the word's length away).
std::optional<std::string_view> NearestWord(std::string_view word,
                                            std::span<const std::string_view> candidates);

// Whole text as a number; nullopt on anything else, an overflow included.
std::optional<int64_t> ParseInt(std::string_view text);
std::optional<uint64_t> ParseUint(std::string_view text);

// The last component of a path: "/bin/sh" gives "sh", "sh" gives "sh", "/a/" gives "".
std::string_view PathBasename(std::string_view path);

// Absolute path from `path`, taken relative to `directory` when it is not absolute; "//", "/./" and
// "/../" are resolved by text, as Falco does (symbolic links are not known here). Clears `out`
// first.
void NormalizePath(std::string_view directory, std::string_view path, std::string& out);

}  // namespace gyrfalcon
