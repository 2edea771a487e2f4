// Falco's flags, a row each: what becomes of them here. The daemon refuses those that mean nothing
// by it, and docs/moving-from-falco.md lists what differs.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

enum class FlagEffect : uint8_t {
  kSame,      // as in Falco
  kDiffers,   // works, and `why` says how it differs
  kNoEffect,  // accepted
  kRefused,   // an error that says why
};

struct FalcoFlag {
  std::string_view flag;
  FlagEffect effect;
  std::string_view why;  // one sentence without a full stop; "" for kSame
};

std::span<const FalcoFlag> FalcoFlags();

// The error for the first flag among the arguments that is refused. Values are not told from flags.
std::optional<Error> FindRefusedFlag(const std::vector<std::string>& args);

// Falco's old presets for -p (`-pc`, `-pk`, …), which it ignores since append_output has
// suggested_output.
bool IsPrintPreset(std::string_view format);

std::string FalcoFlagsMarkdown();  // those that are not the same

}  // namespace gyrfalcon
