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
  bool json_include_sequence_property = true;  // ours: boot_id and sequence, of those that have one
  bool time_format_iso_8601 = false;
  bool has_date = false;  // in text, before the time of day: for a history
  std::string hostname;

  friend bool operator==(const AlertFormatOptions&, const AlertFormatOptions&) = default;
};

// Which alert it is, for a receiver that looks for gaps and repeats: the random name of the
// daemon's start, and the number of the alert in it, from 1. 0: it has none.
struct AlertStamp {
  std::string_view boot_id = {};
  uint64_t sequence = 0;
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
std::string FormatJson(const Alert& alert, const AlertFormatOptions& options,
                       AlertStamp stamp = {});

inline std::string FormatAlert(const Alert& alert, const AlertFormatOptions& options,
                               AlertStamp stamp = {}) {
  return options.json_output ? FormatJson(alert, options, stamp) : FormatText(alert, options);
}

}  // namespace gyrfalcon
