// The session config that tells runsc which points to send and where (its --pod-init-config).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rules/rule_set.h"
#include "runsc/session_points.h"

namespace gyrfalcon {

// What a sandbox does when nobody answers its connection.
enum class OnFailure : uint8_t {
  kOpen,    // it starts, and is not watched
  kClosed,  // it does not start
};

struct SessionOptions {
  std::string socket_path;
  SessionProfile profile = SessionProfile::kStandard;
  OnFailure on_failure = OnFailure::kOpen;
  int retries = 3;  // of a full queue, each a sleep in the sandbox's task
  std::string backoff = "25us";
  std::string backoff_max = "10ms";
  // runsc before November 2022 does not know the key, and starts no sandbox with one that it does
  // not know: without it, only points that this runsc knows may be asked for.
  bool ignore_missing = true;
};

// Every point that gVisor has a schema for, enter and exit, with all its fields. No reasons.
std::vector<AskedPoint> FullPoints();

// The config that asks for these points. One line of JSON text per level, as people edit it.
std::string GenerateSession(const SessionOptions& options, std::span<const AskedPoint> points);
// With the points and fields that the rules, the state and the profile need.
std::string GenerateSession(const SessionOptions& options, const RuleSet& rules);
// With FullPoints().
std::string GenerateFullSession(const SessionOptions& options);

// A session config that every runsc takes and that asks for nothing: what is left where one was,
// for a runtime that names an absent file starts no sandbox.
std::string EmptySession();
bool IsEmptySession(const std::string& text);

// The points and fields, each with its reasons: a table for people (colons, indented), and
// `{"profile","points":[{"point","reasons":[],"optional_fields":[{"field","reasons":[]}],
// "context_fields":[…]}]}`.
std::string ExplainSession(std::span<const AskedPoint> points);
std::string ExplainSessionJson(SessionProfile profile, std::span<const AskedPoint> points);

// What a session config says about us: `path` is for messages.
struct SessionConfig {
  std::string endpoint;                       // of the remote sink: where we listen
  OnFailure on_failure = OnFailure::kClosed;  // runsc's default
};
// Errors name the file and the mend: no JSON, no trace_session, no remote sink, no endpoint.
Result<SessionConfig> ParseSessionConfig(const std::string& path, const std::string& text);

}  // namespace gyrfalcon
