// When output has colours.
#pragma once

#include <cstdlib>

#include <unistd.h>

namespace gyrfalcon {

// On a terminal, and not where NO_COLOR is set.
inline bool HasColour(int fd) {
  return isatty(fd) == 1 && std::getenv("NO_COLOR") == nullptr;
}

}  // namespace gyrfalcon
