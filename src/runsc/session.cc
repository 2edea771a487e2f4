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

// A message with one string that is not UTF-8 is not sent. So what the program can fill with such
// bytes is asked for only where its loss does no harm, or shows: `cwd` and `process_name`, which
// are in every message, at container/start and at the enters of opens. An exit without its enter
// tells of those; with the enters come the folder and the name of a process that nothing
// introduced.
bool CanBlind(std::string_view context_field) {
  return context_field == "cwd" || context_field == "process_name";
}

bool MayCarryNames(const PointDef& point, Side side) {
  return point.message == MessageType::kContainerStart ||
         (point.message == MessageType::kOpen && side == Side::kEnter);
}

std::vector<std::string_view> WithoutNames(std::span<const std::string_view> context_fields) {
  std::vector<std::string_view> out(context_fields.begin(), context_fields.end());
  std::erase_if(out, CanBlind);
  return out;
}

Json MakeTailoredPoint(const PointDef& point, Side side, SessionProfile profile) {
  std::vector<std::string_view> optional_fields = Split(point.optional_fields, '|');
  std::erase_if(optional_fields, IsCostly);
  if (profile == SessionProfile::kLean) {
    return MakePoint(PointName(point, side), std::move(optional_fields), ContextFields(point));
  }
  const bool wants_env = profile == SessionProfile::kStrict && side == Side::kEnter;
  if (!wants_env) std::erase(optional_fields, "envv");
  const auto context_fields = MayCarryNames(point, side) ? std::vector(ContextFields(point).begin(),
                                                                       ContextFields(point).end())
                                                         : WithoutNames(ContextFields(point));
  return MakePoint(PointName(point, side), std::move(optional_fields), context_fields);
}

// Calls whose raw messages stand beside the schematised ones.
constexpr std::string_view kStandardTripwires[] = {"execve", "execveat"};
constexpr std::string_view kStrictTripwires[] = {"execve", "execveat", "open", "openat", "connect"};

std::span<const std::string_view> Tripwires(SessionProfile profile) {
  if (profile == SessionProfile::kStrict) return kStrictTripwires;
  if (profile == SessionProfile::kStandard) return kStandardTripwires;
  return {};
}

bool IsTripwire(std::string_view syscall, SessionProfile profile) {
  return std::ranges::find(Tripwires(profile), syscall) != Tripwires(profile).end();
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

constexpr uint64_t kSysnoEnd = 512;

// A rule without any evt.type fits every event, but raw system calls cost the sandbox dearly and
// tell little: only those that a rule names are asked for.
std::set<uint64_t> RawSysnos(const RuleSet& rules) {
  std::set<uint64_t> numbers;
  for (const Rule& rule : rules.rules()) {
    if (!rule.enabled || rule.event_types.all()) continue;
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

namespace {

// Which messages of a call are asked for.
struct Sides {
  bool enter = false;
  bool exit = false;
};

// Where the state believes what is told.
Sides LeanSides(const PointDef& point, bool wanted) {
  // sentry/execve tells execs; the enter has the path as passed, which older runsc tell nowhere
  // else.
  if (point.message == MessageType::kExecve) return {.enter = true, .exit = false};
  const bool is_clone = point.message == MessageType::kClone || point.message == MessageType::kFork;
  if (is_clone) return {};  // sentry/clone tells
  return {.enter = false, .exit = wanted || KeepsState(point.message)};
}

Sides WantedSides(const PointDef& point, bool wanted, SessionProfile profile) {
  Sides sides = LeanSides(point, wanted);
  if (profile == SessionProfile::kLean) return sides;
  switch (point.message) {
    case MessageType::kExecve:  // the twins of the tripwires; a failed exec is told by its exit
    case MessageType::kOpen:
    case MessageType::kConnect:
      return {.enter = true, .exit = true};
    case MessageType::kClose:  // the enter knows the file
      return {.enter = true, .exit = wanted};
    default:
      return sides;
  }
}

// A raw exit takes its context fields from the enter's entry, so both are there and alike.
void AddRawPoint(uint64_t sysno, std::span<const std::string_view> context_fields, Json& points) {
  for (const std::string_view side : {"enter", "exit"}) {
    points.push_back(MakePoint("syscall/sysno/" + std::to_string(sysno) + "/" + std::string(side),
                               {}, context_fields));
  }
}

constexpr std::string_view kTripwireContext[] = {"time", "thread_id", "container_id"};

}  // namespace

std::optional<SessionProfile> ParseSessionProfile(std::string_view name) {
  if (name == "lean") return SessionProfile::kLean;
  if (name == "standard") return SessionProfile::kStandard;
  if (name == "strict") return SessionProfile::kStrict;
  return std::nullopt;
}

std::string GenerateSession(const SessionOptions& options, const RuleSet& rules) {
  const EventTypeSet types = TypesOf(rules);
  Json points = Json::array();
  for (const PointDef& point : Points()) {
    const auto type = FindEventType(point.event_type);
    const bool wanted = type && types.test(type->index);
    if (!point.is_syscall()) {
      if (!wanted && !KeepsState(point.message)) continue;
      points.push_back(MakeTailoredPoint(point, Side::kOnly, options.profile));
      continue;
    }
    const Sides sides = WantedSides(point, wanted, options.profile);
    if (sides.enter) points.push_back(MakeTailoredPoint(point, Side::kEnter, options.profile));
    if (sides.exit) points.push_back(MakeTailoredPoint(point, Side::kExit, options.profile));
  }
  for (uint64_t sysno = 0; sysno < kSysnoEnd; ++sysno) {
    if (IsTripwire(SyscallName(kHostArch, sysno), options.profile)) {
      AddRawPoint(sysno, kTripwireContext, points);
    }
  }
  const bool lean = options.profile == SessionProfile::kLean;
  const auto all = AllContextFields();
  const auto raw_context = lean ? std::vector(all.begin(), all.end()) : WithoutNames(all);
  for (const uint64_t sysno : RawSysnos(rules)) AddRawPoint(sysno, raw_context, points);
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
