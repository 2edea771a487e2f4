#include "runsc/session.h"

#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "points/schema.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;

std::string Finish(const SessionOptions& options, Json points) {
  Json sink;
  sink["name"] = "remote";
  sink["config"]["endpoint"] = options.socket_path;
  sink["config"]["retries"] = options.retries;
  sink["config"]["backoff"] = options.backoff;
  sink["config"]["backoff_max"] = options.backoff_max;
  sink["ignore_setup_error"] = options.on_failure == OnFailure::kOpen;
  Json out;
  Json& session = out["trace_session"];
  session["name"] = "Default";  // the only name that gVisor knows
  // An older runsc lacks some points and fields; without this it would run unmonitored.
  if (options.ignore_missing) session["ignore_missing"] = true;
  session["points"] = std::move(points);
  session["sinks"] = Json::array({std::move(sink)});
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

std::vector<AskedPoint> FullPoints() {
  std::vector<AskedPoint> out;
  const auto add = [&out](const PointDef& point, std::string_view side) {
    AskedPoint asked{
        .name = std::string(point.name) + std::string(side), .reasons = {}, .fields = {}};
    for (const std::string_view field : ContextFields(point))
      asked.fields.push_back({field, false, {}});
    for (const std::string_view field : Split(point.optional_fields, '|')) {
      if (!field.empty()) asked.fields.push_back({field, true, {}});
    }
    out.push_back(std::move(asked));
  };
  for (const PointDef& point : Points()) {
    if (!point.is_syscall()) {
      add(point, "");
    } else {
      add(point, "/enter");
      add(point, "/exit");
    }
  }
  return out;
}

std::string GenerateSession(const SessionOptions& options, std::span<const AskedPoint> points) {
  Json list = Json::array();
  for (const AskedPoint& point : points) {
    Json out;
    out["name"] = point.name;
    out["optional_fields"] = Json::array();
    out["context_fields"] = Json::array();
    for (const AskedField& field : point.fields) {
      out[field.optional ? "optional_fields" : "context_fields"].push_back(field.name);
    }
    list.push_back(std::move(out));
  }
  return Finish(options, std::move(list));
}

std::string GenerateSession(const SessionOptions& options, const RuleSet& rules) {
  return GenerateSession(options, PointsFor(rules, options.profile));
}

std::string EmptySession() {
  Json out;
  Json& session = out["trace_session"];
  session["name"] = "Default";
  session["points"] = Json::array();
  session["sinks"] = Json::array();
  return out.dump(2) + "\n";
}

bool IsEmptySession(const std::string& text) {
  const Json in = Json::parse(text, nullptr, false);
  const auto is_empty = [](const Json& object, const char* key) {
    const auto list = object.find(key);
    return list != object.end() && list->is_array() && list->empty();
  };
  if (!in.is_object() || !in.contains("trace_session")) return false;
  const Json& session = in["trace_session"];
  return session.is_object() && is_empty(session, "points") && is_empty(session, "sinks");
}

std::string GenerateFullSession(const SessionOptions& options) {
  return GenerateSession(options, FullPoints());
}

namespace {

// For a line: the first few, those that stand whatever the rules are before the rules'.
std::string Joined(const Reasons& reasons) {
  constexpr size_t kShown = 3;
  std::string out;
  size_t shown = 0;
  for (const bool of_rules : {false, true}) {
    for (const std::string& reason : reasons) {
      if (reason.starts_with("rule ") != of_rules || shown == kShown) continue;
      if (shown++ > 0) out += "; ";
      out += reason;
    }
  }
  if (reasons.size() > kShown) out += fmt::format("; and {} more", reasons.size() - kShown);
  return out;
}

}  // namespace

std::string ExplainSession(std::span<const AskedPoint> points) {
  std::string out;
  for (const AskedPoint& point : points) {
    out += fmt::format("{}: {}\n", point.name, Joined(point.reasons));
    for (const AskedField& field : point.fields) {
      // What only says again why the point is there is no news.
      const std::string reasons = Joined(field.reasons);
      out += fmt::format("  {} {}: {}\n", field.optional ? "optional" : "context", field.name,
                         reasons == Joined(point.reasons) ? "as the point" : reasons);
    }
  }
  return out;
}

std::string ExplainSessionJson(SessionProfile profile, std::span<const AskedPoint> points) {
  Json out;
  out["profile"] = Name(profile);
  Json& list = out["points"] = Json::array();
  for (const AskedPoint& point : points) {
    Json row;
    row["point"] = point.name;
    row["reasons"] = point.reasons;
    row["optional_fields"] = Json::array();
    row["context_fields"] = Json::array();
    for (const AskedField& field : point.fields) {
      row[field.optional ? "optional_fields" : "context_fields"].push_back(
          {{"field", field.name}, {"reasons", field.reasons}});
    }
    list.push_back(std::move(row));
  }
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<SessionConfig> ParseSessionConfig(const std::string& path, const std::string& text) {
  const auto fail = [&path](std::string_view what) {
    return Fail(Fault::kEnvironment, path + ": " + std::string(what) +
                                         "; make one with `gyrfalcon session generate > " + path +
                                         "`");
  };
  Json config = Json::parse(text, nullptr, false);
  if (config.is_discarded()) return fail("not JSON");
  // `runsc trace create` also takes the inner object alone.
  if (config.is_object() && config.contains("trace_session"))
    config = Json(config["trace_session"]);
  if (!config.is_object() || !config.contains("sinks") || !config["sinks"].is_array()) {
    return fail("no trace_session with sinks");
  }
  for (const Json& sink : config["sinks"]) {
    if (!sink.is_object() || sink.value("name", Json()) != "remote") continue;
    const Json endpoint = sink.value("/config/endpoint"_json_pointer, Json());
    if (!endpoint.is_string()) return fail("the remote sink has no config.endpoint");
    const Json ignores = sink.value("ignore_setup_error", Json());
    return SessionConfig{
        .endpoint = endpoint.get<std::string>(),
        .on_failure = ignores == Json(true) ? OnFailure::kOpen : OnFailure::kClosed};
  }
  return fail("no sink named \"remote\"");
}

}  // namespace gyrfalcon
