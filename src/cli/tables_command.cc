// `fields` and `points`: the tables that rules and sessions are made from.
#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/arguments.h"
#include "fields/field.h"
#include "points/schema.h"
#include "runsc/known_runsc.h"

namespace gyrfalcon {
namespace {

std::string_view TypeName(FieldType type) {
  constexpr std::array<std::string_view, 12> kNames = {"bool", "int",        "uint",     "double",
                                                       "port", "text",       "bytes",    "ip",
                                                       "net",  "event type", "distance", "opaque"};
  return kNames[static_cast<size_t>(type)];
}

std::string_view AvailabilityName(Availability availability) {
  constexpr std::array<std::string_view, 5> kNames = {"yes", "partial", "metadata", "constant",
                                                      "never"};
  return kNames[static_cast<size_t>(availability)];
}

nlohmann::json FieldJson(const FieldDef& field) {
  return {{"name", field.name},
          {"type", TypeName(field.type)},
          {"falco_type", FalcoTypeName(field)},
          {"deprecated", (field.flags & kDeprecated) != 0},
          {"argument", field.arg != ArgForm::kNone},
          {"list", (field.flags & kIsList) != 0},
          {"available", AvailabilityName(field.availability)},
          {"help", field.help}};
}

// As `runsc trace metadata` names it; of a system call's sides both are known, or none.
std::string MetadataName(const PointDef& point) {
  return std::string(point.name) + (point.is_syscall() ? "/exit" : "");
}

std::string_view SinceText(const PointDef& point, std::string_view field = {}) {
  const KnownRunsc* first = FirstWith(MetadataName(point), field);
  return first == nullptr ? "none yet" : first->name;
}

// Fields that came later than the point, with the runsc that they came with.
std::map<std::string_view, std::string_view> LaterFields(const PointDef& point) {
  std::map<std::string_view, std::string_view> out;
  const auto add = [&](std::string_view field) {
    const std::string_view since = SinceText(point, field);
    if (!field.empty() && since != SinceText(point)) out.emplace(field, since);
  };
  for (const std::string_view field : Split(point.optional_fields, '|')) add(field);
  for (const std::string_view field : ContextFields(point)) add(field);
  return out;
}

// Whether the runsc of that name is the first with the point or one of its fields.
bool CameWith(const PointDef& point, std::string_view since) {
  return SinceText(point) == since ||
         std::ranges::any_of(LaterFields(point),
                             [&](const auto& field) { return field.second == since; });
}

std::string LaterFieldsText(const PointDef& point) {
  std::string out;
  for (const auto& [field, since] : LaterFields(point)) {
    out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", field, since);
  }
  return out;
}

nlohmann::json PointJson(const PointDef& point) {
  std::vector<std::string_view> optional_fields = Split(point.optional_fields, '|');
  std::erase(optional_fields, std::string_view());
  nlohmann::json fields = nlohmann::json::array();
  for (const FieldSpec& field : FindMessage(static_cast<uint16_t>(point.message))->fields) {
    fields.push_back(field.name);
  }
  nlohmann::json out = {
      {"name", point.name},
      {"message_type", static_cast<uint16_t>(point.message)},
      {"sides", point.is_syscall() ? nlohmann::json{"enter", "exit"} : nlohmann::json::array()},
      {"event_type", point.event_type},
      {"fields", std::move(fields)},
      {"optional_fields", optional_fields},
      {"context_fields", ContextFields(point)},
      {"since", SinceText(point)}};
  nlohmann::json& later = out["fields_since"] = nlohmann::json::object();
  for (const auto& [field, since] : LaterFields(point)) later[std::string(field)] = since;
  return out;
}

template <class Row, class NameOf>
int NoSuch(std::string_view what, const std::string& name, std::span<const Row> rows,
           NameOf name_of) {
  std::vector<std::string_view> names;
  for (const Row& row : rows) names.push_back(name_of(row));
  const auto nearest = NearestWord(name, names);
  return Report({fmt::format("no {} named `{}`{}", what, name,
                             nearest ? fmt::format("; did you mean `{}`?", *nearest) : ""),
                 Fault::kInput});
}

void PrintField(const FieldDef& field) {
  fmt::print("{}\n  {}\n  type: {}{}\n  available under gVisor: {}\n", field.name, field.help,
             TypeName(field.type), (field.flags & kIsList) != 0 ? ", a list" : "",
             AvailabilityName(field.availability));
}

void PrintPoint(const PointDef& point) {
  const nlohmann::json json = PointJson(point);
  fmt::print("{}\n  sides: {}\n  evt.type: {}\n  fields: {}\n  optional: {}\n", point.name,
             point.is_syscall() ? "enter, exit" : "one message",
             point.event_type.empty() ? "none: it only keeps the state true" : point.event_type,
             fmt::join(json["fields"].get<std::vector<std::string>>(), ", "),
             point.optional_fields.empty() ? "none" : point.optional_fields);
  const std::string later = LaterFieldsText(point);
  fmt::print("  since: runsc {}{}{}\n", SinceText(point), later.empty() ? "" : "; later: ", later);
}

}  // namespace

int ShowFields(std::vector<std::string> args) {
  const auto app = MakeApp("fields");
  std::string name;
  bool json = false;
  app->add_option("NAME", name, "Explain this one");
  app->add_flag("--json", json, "Print JSON");
  if (const auto code = Parse(*app, std::move(args))) return *code;
  const auto rows = AllFields().rows();
  nlohmann::json out = nlohmann::json::array();
  bool found = name.empty();
  for (const FieldDef& field : rows) {
    if (!name.empty() && field.name != name) continue;
    found = true;
    if (json) {
      out.push_back(FieldJson(field));
    } else if (!name.empty()) {
      PrintField(field);
    } else {
      fmt::print("{:<42} {:<9} {}\n", field.name, AvailabilityName(field.availability), field.help);
    }
  }
  if (!found) return NoSuch("field", name, rows, [](const FieldDef& row) { return row.name; });
  if (json) fmt::print("{}\n", out.dump());
  return kExitOk;
}

int ShowPoints(std::vector<std::string> args) {
  const auto app = MakeApp("points");
  std::string name;
  bool json = false;
  std::string since;
  app->add_option("NAME", name, "Explain this one, named without /enter and /exit");
  app->add_option("--since", since,
                  "Only points that came, or got a field, with this runsc: `debian` (" +
                      std::string(KnownRunscs().front().version) + ") or `current` (" +
                      std::string(KnownRunscs().back().version) + ")")
      ->check(CLI::IsMember({"debian", "current"}));
  app->add_flag("--json", json, "Print JSON");
  if (const auto code = Parse(*app, std::move(args))) return *code;
  nlohmann::json out = nlohmann::json::array();
  bool found = name.empty();
  for (const PointDef& point : Points()) {
    if (!name.empty() && point.name != name) continue;
    found = true;
    if (!since.empty() && !CameWith(point, since)) continue;
    if (json) {
      out.push_back(PointJson(point));
    } else if (!name.empty()) {
      PrintPoint(point);
    } else {
      const std::string later = LaterFieldsText(point);
      fmt::print("{:<28} {:<20} {}{}\n", point.name, point.event_type, SinceText(point),
                 later.empty() || since.empty() ? "" : "  with " + later);
    }
  }
  if (!found) return NoSuch("point", name, Points(), [](const PointDef& row) { return row.name; });
  if (json) fmt::print("{}\n", out.dump());
  return kExitOk;
}

}  // namespace gyrfalcon
