#include "rules/engine_version.h"

#include <charconv>
#include <tuple>

namespace gyrfalcon {

std::optional<EngineVersion> ParseEngineVersion(std::string_view text) {
  EngineVersion version;
  const char* at = text.data();
  const char* end = text.data() + text.size();
  uint32_t* const parts[] = {&version.major_part, &version.minor_part, &version.patch_part};
  for (size_t i = 0; i < 3; ++i) {
    const auto [stop, error] = std::from_chars(at, end, *parts[i]);
    if (error != std::errc{}) return std::nullopt;
    at = stop;
    if (i == 0 && at == end) {
      version.minor_part = version.major_part;
      version.major_part = 0;
      version.text = "0." + std::string(text) + ".0";
      return version;
    }
    if (i == 2) break;
    if (at == end || *at != '.') return std::nullopt;
    ++at;
  }
  version.text = text;
  return version;
}

bool Satisfies(const EngineVersion& offered, const EngineVersion& required) {
  return offered.major_part == required.major_part &&
         std::tie(offered.minor_part, offered.patch_part) >=
             std::tie(required.minor_part, required.patch_part);
}

}  // namespace gyrfalcon
