// The one transparent hash/equal pair for maps keyed by text, so that a std::string_view can be
// looked up without making a std::string. (Debian's Abseil has a string_view type of its own.)
#pragma once

#include <functional>
#include <string_view>

namespace gyrfalcon {

struct TextHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};

struct TextEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const noexcept { return a == b; }
};

}  // namespace gyrfalcon
