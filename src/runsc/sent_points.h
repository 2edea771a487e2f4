// What a sandbox sends: the trace points, with the names of their fields. It is read from a session
// config (what was asked for), from `runsc trace metadata` (what a runsc knows), or made from what
// would be generated; coverage, the policy and the session generator hold it against what rules
// need.
//
// All texts are an administrator's, and bounded all the same. Nothing here is for the way of an
// event; any thread.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runsc/session_points.h"

namespace gyrfalcon {

// Of one point, as gVisor names them.
struct SentPoint {
  std::set<std::string, std::less<>> context;
  std::set<std::string, std::less<>> optional;

  friend bool operator==(const SentPoint&, const SentPoint&) = default;
};

// By name, side included: "syscall/open/exit", "sentry/execve", "syscall/sysno/87/enter".
using SentPoints = std::map<std::string, SentPoint, std::less<>>;

inline constexpr size_t kSentPointsBytesMax = size_t{4} << 20;  // of a text
inline constexpr size_t kSentPointsMax = 16 * 1024;
inline constexpr size_t kSentFieldsMax = 256;     // of one kind and point
inline constexpr size_t kSentNameBytesMax = 256;  // of a point or a field

// The points of a session config: `--pod-init-config`'s JSON with its trace_session, or that inner
// object alone. What runsc refuses or would not understand is an error (kInput): no JSON, an
// unknown key, a value of another type. They begin with "PATH:LINE:COLUMN: " and end with the mend.
// A point that is named twice has its last entry's fields, as in runsc; points that no runsc knows
// are kept.
Result<SentPoints> ReadSessionPoints(const std::string& path, const std::string& text);

// Every point and field that a runsc knows, from the output of `runsc trace metadata`. Errors
// (kInput, "PATH:LINE: …") for another program's output, and for a part of one: it says how many
// points there are.
Result<SentPoints> ReadRunscMetadata(const std::string& path, const std::string& text);

SentPoints Sent(std::span<const AskedPoint> asked);

// What of `asked` a runsc sends that knows `known`: unknown points and fields fall away, as with
// `ignore_missing` (every session that gyrfalcon makes has it).
SentPoints Intersect(const SentPoints& asked, const SentPoints& known);

// Runs `BINARY trace metadata`: waits, 5 s at most. kEnvironment where it can't be run or fails;
// kInput where it is no runsc.
Result<SentPoints> AskRunsc(const std::string& binary);

}  // namespace gyrfalcon
