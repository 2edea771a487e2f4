// What toml++ does not bound: it descends once for each part of a dotted key.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace gyrfalcon {

inline constexpr size_t kTomlDotsMax = 64;

// The first line, counted from 1, with more dots than that which may be a key's; nullopt: none has.
// A comment's are not, but in a text with strings of several lines.
std::optional<size_t> FirstLineOfManyDots(std::string_view toml);

}  // namespace gyrfalcon
