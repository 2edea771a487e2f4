// The trace session of one sandbox that runs: what it has, made anew, replaced, ended, by
// `runsc trace list|create|delete`. Both kinds of runsc that we know print the same.
//
// gVisor knows one session, "Default". `trace create --force` ends the one that is there before it
// looks at the new one: a session config that runsc then refuses leaves the sandbox with none.
// A config file that is no JSON or has an unknown key, and a socket that nobody listens at, are
// noticed before, and change nothing. Forcing sets the count of drops to 0.
//
// All of this runs runsc and waits: never where events do.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runsc/sandbox_list.h"

namespace gyrfalcon {

struct TraceSession {
  bool exists = false;
  // What its sinks say they could not send, since it was made; the counter wraps at 2^32.
  uint64_t dropped = 0;
};

// What `runsc trace list` prints. Errors (kEnvironment) where it is of no form that is known.
Result<TraceSession> ParseTraceList(std::string_view text);

// Whoever listens to it. Errors name sandbox, root and the mend.
Result<TraceSession> ReadTraceSession(const RunscCall& call, const std::string& sandbox_id);

struct AttachOutcome {
  bool replaced = false;  // a session was there
  std::optional<uint64_t>
      dropped_before;  // by that one; nullopt: there was none, or it was not told
  // For how long nothing was sent between the sessions, at most: what the call of runsc took, which
  // ends the old and begins the new one somewhere in it.
  int64_t window_ns = 0;
};

struct AttachFailure {
  Error error;  // sandbox, root, runsc's own words, the mend
  // The session that was there has been ended, and none has been made: the sandbox is not watched.
  bool session_lost = false;
  // Runsc has something against the session config: no other sandbox will take it either.
  bool config_refused = false;
};

// Gives the sandbox the session of that config file, a path that runsc can read. Without `force` a
// sandbox that has one keeps it, which is an error.
std::expected<AttachOutcome, AttachFailure> Attach(const RunscCall& call,
                                                   const std::string& sandbox_id,
                                                   const std::string& session_path, bool force);

// Ends the session, whosever it is; what it has dropped by then. An error where there is none.
Result<TraceSession> Detach(const RunscCall& call, const std::string& sandbox_id);

// `text` as one word of a shell: paths and ids are others' choice.
std::string ShellWord(std::string_view text);

}  // namespace gyrfalcon
