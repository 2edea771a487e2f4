#include "alerts/alert_format.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "fields/time_text.h"

namespace gyrfalcon {
namespace {

// nlohmann's escaping is Falco's: control characters as \n or \u0001, invalid UTF-8 as U+FFFD.
std::string Dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Characters beyond ASCII's controls that change what a terminal shows: DEL, the C1 controls, line
// and paragraph separators, and those that turn the direction of writing.
struct Range {
  uint32_t first, last;
};
constexpr Range kUnprintable[] = {
    {0x7f, 0x9f}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff}};

// The code point at the start of valid UTF-8, and its length in bytes.
std::pair<uint32_t, size_t> FirstCodePoint(std::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  if (byte(0) < 0x80) return {byte(0), 1};
  if (byte(0) < 0xe0) return {(byte(0) & 0x1fu) << 6 | (byte(1) & 0x3fu), 2};
  if (byte(0) < 0xf0) {
    return {(byte(0) & 0x0fu) << 12 | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu), 3};
  }
  return {0x10000, 4};  // no character up there is among the unprintable
}

// Stands for itself in a line, whatever is beside it.
bool IsPlain(char c) {
  return c >= ' ' && c <= '~';
}

// Appends a text without plain characters as it stands inside a JSON string, and nothing in it that
// a terminal would act on.
void AppendOdd(std::string_view text, std::string& out) {
  const std::string escaped = Dump(nlohmann::json(std::string(text)));
  std::string_view rest = std::string_view(escaped).substr(1, escaped.size() - 2);
  while (!rest.empty()) {
    const auto [code_point, length] = FirstCodePoint(rest);
    const bool unprintable = std::ranges::any_of(kUnprintable, [code_point](const Range& range) {
      return code_point >= range.first && code_point <= range.last;
    });
    if (unprintable) {
      out += fmt::format("\\u{:04x}", code_point);
    } else {
      out += rest.substr(0, length);
    }
    rest.remove_prefix(length);
  }
}

std::string TextLine(const Alert& alert, const AlertFormatOptions& options) {
  const TimeStyle of_day = options.has_date ? TimeStyle::kDateTime : TimeStyle::kTimeOfDay;
  const TimeStyle style = options.time_format_iso_8601 ? TimeStyle::kIso8601 : of_day;
  return fmt::format("{}: {} {}", FormatTime(alert.time_ns, style), PriorityName(alert.priority),
                     alert.message);
}

struct ToJson {
  nlohmann::json operator()(std::monostate) const { return nullptr; }
  nlohmann::json operator()(const auto& value) const { return value; }
};

}  // namespace

// Command lines may have 100 KB, nearly all of them plain, which is copied in one go. A plain
// character ends whatever bytes of UTF-8 are before it, so the others can be looked at by
// themselves.
std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const bool plain = IsPlain(text.front());
    const auto end = std::ranges::find_if(text, [plain](char c) { return IsPlain(c) != plain; });
    const auto length = static_cast<size_t>(end - text.begin());
    if (plain) {
      out += text.substr(0, length);
    } else {
      AppendOdd(text.substr(0, length), out);
    }
    text.remove_prefix(length);
  }
  return out;
}

std::string PrintableLines(std::string_view text) {
  std::string out;
  while (true) {
    const size_t end = text.find('\n');
    out += Printable(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    out += '\n';
    text.remove_prefix(end + 1);
  }
}

std::string FormatText(const Alert& alert, const AlertFormatOptions& options) {
  return Printable(TextLine(alert, options));
}

std::string FormatJson(const Alert& alert, const AlertFormatOptions& options, AlertStamp stamp) {
  nlohmann::json out;
  out["hostname"] = options.hostname;
  out["priority"] = PriorityName(alert.priority);
  out["rule"] = alert.rule;
  out["source"] = alert.source;
  out["time"] = FormatTime(alert.time_ns, TimeStyle::kIso8601Z);
  if (options.json_include_sequence_property && stamp.sequence != 0) {
    out["boot_id"] = stamp.boot_id;
    out["sequence"] = stamp.sequence;
  }
  if (options.json_include_output_property) out["output"] = TextLine(alert, options);
  if (options.json_include_message_property) out["message"] = alert.message;
  if (options.json_include_tags_property) out["tags"] = alert.tags;
  if (options.json_include_output_fields_property) {
    nlohmann::json fields = nlohmann::json::object();
    for (const AlertField& field : alert.fields) {
      fields[field.name] = std::visit(ToJson{}, field.value);
    }
    out["output_fields"] = std::move(fields);
  }
  return Dump(out);
}

}  // namespace gyrfalcon
