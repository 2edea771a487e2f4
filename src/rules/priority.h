// How urgent a rule says that its alerts are.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gyrfalcon {

// Smaller is more urgent.
enum class Priority : uint8_t {
  kEmergency,
  kAlert,
  kCritical,
  kError,
  kWarning,
  kNotice,
  kInformational,
  kDebug,
};

std::string_view PriorityName(Priority priority);  // "Emergency"

// By name in any case; "INFO" is Informational. No abbreviation, no number.
std::optional<Priority> ParsePriority(std::string_view text);

// The name nearest to a misspelt one, for "did you mean".
std::optional<std::string_view> NearestPriority(std::string_view text);

}  // namespace gyrfalcon
