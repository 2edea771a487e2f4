// An alert as one line: Falco's text, or Falco's JSON.
#pragma once

#include <string>
#include <string_view>

#include "alerts/alert.h"

namespace gyrfalcon {

// Falco's config keys of the same names.
struct AlertFormatOptions {
  bool json_output = false;
  bool json_include_output_property = true;
  bool json_include_output_fields_property = true;
  bool json_include_tags_property = true;
  bool json_include_message_property = false;
  bool time_format_iso_8601 = false;
  std::string hostname;

  friend bool operator==(const AlertFormatOptions&, const AlertFormatOptions&) = default;
};

// For a line on a terminal: control characters escaped as in JSON strings, with those beyond ASCII
// that a terminal acts on; bytes that are no UTF-8 as U+FFFD.
std::string Printable(std::string_view text);
// The same for several lines: their ends stay.
std::string PrintableLines(std::string_view text);

// "08:21:57.026572338: Warning …"; without a newline. Printable, so one alert is one line of
// text.
std::string FormatText(const Alert& alert, const AlertFormatOptions& options);

// {"hostname",…,"time"}, keys in alphabetical order; without a newline.
std::string FormatJson(const Alert& alert, const AlertFormatOptions& options);

inline std::string FormatAlert(const Alert& alert, const AlertFormatOptions& options) {
  return options.json_output ? FormatJson(alert, options) : FormatText(alert, options);
}

}  // namespace gyrfalcon
