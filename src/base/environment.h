// This process's environment.
#pragma once

#include <cstdlib>
#include <string_view>

namespace gyrfalcon {

// A variable's value, empty where it is not set. Valid until somebody sets or removes it.
inline std::string_view Environment(const char* name) noexcept {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

}  // namespace gyrfalcon
