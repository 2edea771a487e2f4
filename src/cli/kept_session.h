// The session config that the daemon keeps, by a visibility policy (config key `visibility_policy`:
// what the rules and the state need of what it lets be seen) or because it keeps runsc's TOML, too
// (`gvisor.runsc_toml`): what the rules, the state and the profile need.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/config.h"
#include "rules/rule_set.h"
#include "runsc/session.h"

namespace gyrfalcon {

struct KeptSession {
  std::string text;
  std::vector<std::string> warnings;  // of the policy, a line each
  size_t points = 0;
  SessionOptions options;  // what it was made of
  std::vector<AskedPoint> asked;
};

struct KeptSessionWish {
  std::string policy_file;   // "": none
  std::string session_file;  // it need not be there
  std::string socket_path;
  SessionProfile profile = SessionProfile::kStandard;
  std::optional<OnFailure> on_failure{};  // nullopt: as the file has it, else open
};

// nullopt: no session config is kept.
std::optional<KeptSessionWish> KeptSessionWishOf(const Config& config,
                                                 const std::string& socket_path);

// Errors (kInput) of the policy have its path, line and column.
Result<KeptSession> MakeKeptSession(const KeptSessionWish& wish, const RuleSet& rules);

// What this runsc takes of it: as it is, or without what one of before November 2022 does not know.
// An error (kEnvironment, in its words) where it takes neither: no sandbox would start. As it is,
// with a warning, where that runsc can't be asked; without one where there is none. Runs it: 5 s at
// most, each of a few times.
Result<KeptSession> FitToRunsc(KeptSession session, const std::string& runsc);

// Writes it where it differs from what is there: true. The first time the file is another's, so
// what it had is kept beside it, as FILE.bak, unless there is one.
Result<bool> WriteKeptSession(const std::string& session_file, const KeptSession& session);

// Writes it again where the file is gone, for no sandbox starts with a runtime that names it then:
// true. Another text stays.
Result<bool> RestoreKeptSession(const std::string& session_file, const std::string& text);

}  // namespace gyrfalcon
