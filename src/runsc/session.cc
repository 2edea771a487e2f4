#include "runsc/session.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "points/schema.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;

// Points without which the state is wrong, whatever the rules ask: how processes come, become other
// programs and go, and what their fds are.
constexpr MessageType kStateMessages[] = {
    MessageType::kContainerStart, MessageType::kSentryClone, MessageType::kSentryExec,
    MessageType::kSentryTaskExit, MessageType::kOpen,        MessageType::kClose,
    MessageType::kSocket,         MessageType::kConnect,     MessageType::kBind,
    MessageType::kListen,         MessageType::kAccept,      MessageType::kDup,
    MessageType::kFcntl,          MessageType::kPipe,        MessageType::kSocketPair,
    MessageType::kChdir,          MessageType::kSetid,       MessageType::kSetresid,
};

bool KeepsState(MessageType type) {
  return std::ranges::find(kStateMessages, type) != std::end(kStateMessages);
}

enum class Side : uint8_t { kOnly, kEnter, kExit };

std::string PointName(const PointDef& point, Side side) {
  std::string name(point.name);
  if (side == Side::kEnter) name += "/enter";
  if (side == Side::kExit) name += "/exit";
  return name;
}

Json MakePoint(std::string name, std::vector<std::string_view> optional_fields,
               std::span<const std::string_view> context_fields) {
  Json out;
  out["name"] = std::move(name);
  std::erase(optional_fields, std::string_view());
  out["optional_fields"] = optional_fields;
  out["context_fields"] =
      std::vector<std::string_view>(context_fields.begin(), context_fields.end());
  return out;
}

Json MakePoint(const PointDef& point, Side side) {
  return MakePoint(PointName(point, side), Split(point.optional_fields, '|'), ContextFields(point));
}

// The hashes cost the sandbox a read of the whole file at each exec.
bool IsCostly(std::string_view optional_field) {
  return optional_field.starts_with("binary_sha");
}

Json MakeTailoredPoint(const PointDef& point, Side side) {
  std::vector<std::string_view> optional_fields = Split(point.optional_fields, '|');
  std::erase_if(optional_fields, IsCostly);
  return MakePoint(PointName(point, side), std::move(optional_fields), ContextFields(point));
}

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
  session["ignore_missing"] = true;
  session["points"] = std::move(points);
  session["sinks"] = Json::array({std::move(sink)});
  return out.dump(2) + "\n";
}

EventTypeSet TypesOf(const RuleSet& rules) {
  EventTypeSet types;
  for (const Rule& rule : rules.rules()) {
    if (rule.enabled) types |= rule.event_types;
  }
  return types;
}

// A rule without any evt.type fits every event, but raw system calls cost the sandbox dearly and
// tell little: only those that a rule names are asked for.
std::set<uint64_t> RawSysnos(const RuleSet& rules) {
  std::set<uint64_t> numbers;
  for (const Rule& rule : rules.rules()) {
    if (!rule.enabled || rule.event_types.all()) continue;
    constexpr uint64_t kSysnoEnd = 512;
    for (uint64_t sysno = 0; sysno < kSysnoEnd; ++sysno) {
      if (SchematisedPoint(sysno, kHostArch) != nullptr) continue;
      const auto type = FindEventType(SyscallName(kHostArch, sysno));
      if (type && rule.event_types.test(type->index)) numbers.insert(sysno);
    }
  }
  return numbers;
}

}  // namespace

std::string GenerateFullSession(const SessionOptions& options) {
  Json points = Json::array();
  for (const PointDef& point : Points()) {
    if (!point.is_syscall()) {
      points.push_back(MakePoint(point, Side::kOnly));
    } else {
      points.push_back(MakePoint(point, Side::kEnter));
      points.push_back(MakePoint(point, Side::kExit));
    }
  }
  return Finish(options, std::move(points));
}

std::string GenerateSession(const SessionOptions& options, const RuleSet& rules) {
  const EventTypeSet types = TypesOf(rules);
  Json points = Json::array();
  for (const PointDef& point : Points()) {
    const auto type = FindEventType(point.event_type);
    const bool wanted = type && types.test(type->index);
    const bool is_exec_call = point.message == MessageType::kExecve;
    const bool is_clone_call =
        point.message == MessageType::kClone || point.message == MessageType::kFork;
    if (is_exec_call) {
      // sentry/execve tells execs; the enter has the path as passed, which older runsc tell nowhere
      // else.
      points.push_back(MakeTailoredPoint(point, Side::kEnter));
    } else if (is_clone_call || (!wanted && !KeepsState(point.message))) {
      continue;  // sentry/clone tells
    } else {
      points.push_back(MakeTailoredPoint(point, point.is_syscall() ? Side::kExit : Side::kOnly));
    }
  }
  for (const uint64_t sysno : RawSysnos(rules)) {
    // A raw exit takes its context fields from the enter's entry, so both are there and alike.
    for (const std::string_view side : {"enter", "exit"}) {
      points.push_back(MakePoint("syscall/sysno/" + std::to_string(sysno) + "/" + std::string(side),
                                 {}, AllContextFields()));
    }
  }
  return Finish(options, std::move(points));
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
    return SessionConfig{endpoint.get<std::string>()};
  }
  return fail("no sink named \"remote\"");
}

}  // namespace gyrfalcon
