#include "fields/time_text.h"

#include <array>
#include <string_view>

#include <fmt/format.h>
#include <time.h>

namespace gyrfalcon {
namespace {

struct StyleDef {
  bool has_date;
  char separator;  // between date and time of day
  bool has_nanoseconds;
  bool is_utc;
  std::string_view suffix;
};

constexpr std::array<StyleDef, 6> kStyles = {{
    {false, ' ', true, false, ""},
    {false, ' ', false, false, ""},
    {true, ' ', true, false, ""},
    {true, ' ', false, false, ""},
    {true, 'T', true, true, "+0000"},
    {true, 'T', true, true, "Z"},
}};

}  // namespace

std::string FormatTime(int64_t time_ns, TimeStyle style) {
  constexpr int64_t kNsPerS = 1'000'000'000;
  const StyleDef& def = kStyles[static_cast<size_t>(style)];
  int64_t nanoseconds = time_ns % kNsPerS;
  time_t seconds = time_ns / kNsPerS;
  if (nanoseconds < 0) {  // before 1970: only a forged clock
    nanoseconds += kNsPerS;
    --seconds;
  }
  tm parts{};
  if ((def.is_utc ? gmtime_r(&seconds, &parts) : localtime_r(&seconds, &parts)) == nullptr) {
    return fmt::format("{}", time_ns);
  }
  std::string out;
  if (def.has_date) {
    out = fmt::format("{:04}-{:02}-{:02}{}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                      def.separator);
  }
  out += fmt::format("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec);
  if (def.has_nanoseconds) out += fmt::format(".{:09}", nanoseconds);
  out += def.suffix;
  return out;
}

}  // namespace gyrfalcon
