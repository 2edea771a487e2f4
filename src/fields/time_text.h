// Times as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace gyrfalcon {

enum class TimeStyle : uint8_t {
  kTimeOfDay,         // 08:21:57.026572338, local
  kTimeOfDaySeconds,  // 08:21:57, local
  kDateTime,          // 2026-11-22 08:21:57.026572338, local
  kDateTimeSeconds,   // 2026-11-22 08:21:57, local
  kIso8601,           // 2026-11-22T08:21:57.026572338+0000, UTC
  kIso8601Z,          // 2026-11-22T08:21:57.026572338Z, UTC: the "time" of a JSON alert
};

std::string FormatTime(int64_t time_ns, TimeStyle style);

}  // namespace gyrfalcon
