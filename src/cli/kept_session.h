// The session config that the daemon keeps by a visibility policy (config key `visibility_policy`):
// what the rules and the state need of what the policy lets be seen.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "rules/rule_set.h"

namespace gyrfalcon {

struct KeptSession {
  std::string text;
  std::vector<std::string> warnings;  // of the policy, a line each
  size_t points = 0;
};

// `session_file`: what it has now says what a sandbox does when nobody answers; it need not be
// there. Errors (kInput) of the policy have its path, line and column.
Result<KeptSession> MakeKeptSession(const std::string& policy_file, const std::string& session_file,
                                    const std::string& socket_path, const RuleSet& rules);

// Writes it where it differs from what is there: true. The first time the file is another's, so
// what it had is kept beside it, as FILE.bak, unless there is one.
Result<bool> WriteKeptSession(const std::string& session_file, const KeptSession& session);

}  // namespace gyrfalcon
