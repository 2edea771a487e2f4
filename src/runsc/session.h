// The session config that tells runsc which points to send and where (its --pod-init-config).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "rules/rule_set.h"

namespace gyrfalcon {

// What a sandbox does when nobody answers its connection.
enum class OnFailure : uint8_t {
  kOpen,    // it starts, and is not watched
  kClosed,  // it does not start
};

// How much a sandbox tells: what each profile sees and costs is in docs/sensor.md.
enum class SessionProfile : uint8_t {
  kLean,      // what the rules and the state need, believed as the program says it
  kStandard,  // and what shows whether it is true: enters, fd_path at close; tripwires of execs
  kStrict,    // and tripwires of opens and connects; the environment at an exec's enter
};
std::optional<SessionProfile> ParseSessionProfile(std::string_view name);

struct SessionOptions {
  std::string socket_path;
  SessionProfile profile = SessionProfile::kStandard;
  OnFailure on_failure = OnFailure::kOpen;
  int retries = 3;  // of a full queue, each a sleep in the sandbox's task
  std::string backoff = "25us";
  std::string backoff_max = "10ms";
};

// With every point that gVisor has a schema for, enter and exit, and all their fields.
std::string GenerateFullSession(const SessionOptions& options);

// With the points that the rules' event types come from, those that keep the state true, and the
// fields that they give. One line of JSON text per level, as people edit it.
std::string GenerateSession(const SessionOptions& options, const RuleSet& rules);

// What a session config says about us: `path` is for messages.
struct SessionConfig {
  std::string endpoint;  // of the remote sink: where we listen
};
// Errors name the file and the mend: no JSON, no trace_session, no remote sink, no endpoint.
Result<SessionConfig> ParseSessionConfig(const std::string& path, const std::string& text);

}  // namespace gyrfalcon
