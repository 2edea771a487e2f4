// The version of the rules language that a file asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gyrfalcon {

struct EngineVersion {
  uint32_t major_part = 0;
  uint32_t minor_part = 0;
  uint32_t patch_part = 0;
  std::string text;
};

// "26" means 0.26.0; else three numbers, with any suffix behind them ("0.31.0-rc1").
std::optional<EngineVersion> ParseEngineVersion(std::string_view text);

// Same major version, and not older.
bool Satisfies(const EngineVersion& offered, const EngineVersion& required);

}  // namespace gyrfalcon
