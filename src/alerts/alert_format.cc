#include "alerts/alert_format.h"

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

// A text as it stands inside a JSON string, but with its quotes and backslashes as they are.
std::string Printable(std::string_view text) {
  std::string out;
  const std::string escaped = Dump(nlohmann::json(std::string(text)));
  const std::string_view inner = std::string_view(escaped).substr(1, escaped.size() - 2);
  for (size_t i = 0; i < inner.size(); ++i) {
    if (inner[i] == '\\' && i + 1 < inner.size() && (inner[i + 1] == '"' || inner[i + 1] == '\\')) {
      ++i;
    }
    out += inner[i];
  }
  return out;
}

std::string TextLine(const Alert& alert, const AlertFormatOptions& options) {
  const TimeStyle style =
      options.time_format_iso_8601 ? TimeStyle::kIso8601 : TimeStyle::kTimeOfDay;
  return fmt::format("{}: {} {}", FormatTime(alert.time_ns, style), PriorityName(alert.priority),
                     alert.message);
}

struct ToJson {
  nlohmann::json operator()(std::monostate) const { return nullptr; }
  nlohmann::json operator()(const auto& value) const { return value; }
};

}  // namespace

std::string FormatText(const Alert& alert, const AlertFormatOptions& options) {
  return Printable(TextLine(alert, options));
}

std::string FormatJson(const Alert& alert, const AlertFormatOptions& options) {
  nlohmann::json out;
  out["hostname"] = options.hostname;
  out["priority"] = PriorityName(alert.priority);
  out["rule"] = alert.rule;
  out["source"] = alert.source;
  out["time"] = FormatTime(alert.time_ns, TimeStyle::kIso8601Z);
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
