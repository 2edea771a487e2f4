#include "state/terminal.h"

#include <sys/stat.h>

#include "base/text.h"

namespace gyrfalcon {

uint32_t TerminalOf(std::string_view path, uint32_t mode) {
  if (!S_ISCHR(mode)) return 0;
  constexpr std::string_view kPts = "/dev/pts/";
  if (path.starts_with(kPts)) {
    const auto number = ParseUint(path.substr(kPts.size()));
    return number ? kSomeTerminal | (static_cast<uint32_t>(*number) & 0xff) : 0;
  }
  // /dev/null and its like are open to all, a terminal is not.
  constexpr uint32_t kOpenToAll = 0666;
  return path.starts_with("host:[") && (mode & 0777) != kOpenToAll ? kSomeTerminal : 0;
}

}  // namespace gyrfalcon
