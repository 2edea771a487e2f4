// A visibility policy: the system calls that an operator wants to see, as a list of names in TOML
// (`syscall_allowlist = ["execve", …]`, `intercept_syscalls = true`). Nothing is forwarded or
// forbidden by it: it narrows what a sandbox is asked to tell.
//
// The file is an administrator's, and bounded all the same. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rules/rule_set.h"
#include "runsc/session_points.h"

namespace gyrfalcon {

inline constexpr size_t kPolicyBytesMax = size_t{1} << 20;
inline constexpr size_t kPolicyNamesMax = 10'000;
inline constexpr size_t kPolicyProblemsMax = 20;  // told of one file

struct PolicyName {
  std::string name;
  uint32_t line = 0;  // from 1
  uint32_t column = 0;
};

struct VisibilityPolicy {
  std::string path;                   // for messages and reasons
  bool intercept = true;              // false: only what keeps the state true
  std::vector<PolicyName> allowlist;  // as written, in order: repeats and unknown names too
  std::vector<std::string>
      warnings;  // "PATH:LINE:COLUMN: …": keys that mean nothing here, an empty list
};

// Each name once, with the place where it stands first.
std::map<std::string_view, const PolicyName*> FirstOfEach(const VisibilityPolicy& policy);

// Errors (kInput) say "PATH:LINE:COLUMN: …" and the mend, several a line each: no TOML, a list that
// is none, something else than a name in it, no list at all, too much.
Result<VisibilityPolicy> ReadPolicy(const std::string& path, const std::string& text);

// What a session asks for under a policy. The points that keep the state true are always in, with
// the fields that the state needs; else a point is there only if the policy names its system call.
// Of those, what the rules and the profile need; `literal`: all of them, needed or not. Each point
// that the policy names has the reason "policy PATH:LINE" beside the others.
std::vector<AskedPoint> PointsFor(const VisibilityPolicy& policy, const RuleSet& rules,
                                  SessionProfile profile, bool literal);

}  // namespace gyrfalcon
