#include "base/host_name.h"

#include <array>
#include <cstdlib>

#include <unistd.h>

namespace gyrfalcon {

const std::string& HostName() {
  static const std::string name = [] {
    if (const char* given = std::getenv("FALCO_HOSTNAME"); given != nullptr) {
      return std::string(given);
    }
    std::array<char, 256> buffer{};
    gethostname(buffer.data(), buffer.size() - 1);
    return std::string(buffer.data());
  }();
  return name;
}

}  // namespace gyrfalcon
