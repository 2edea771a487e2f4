// Rules, profile and policy as `session generate` and the policy commands take them.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cli/load_rules.h"
#include "cli/run_flags.h"
#include "runsc/policy.h"
#include "runsc/session_points.h"

namespace CLI {
class Option;
}

namespace gyrfalcon {

struct SessionFlags {
  RunFlags rules;
  std::string profile = "standard";

  SessionProfile Profile() const;
};

// -c -r -o -t -T -D -p and --profile, which is given back.
CLI::Option* AddSessionFlags(CLI::App& app, SessionFlags& flags);

// The config that these flags make, as `replay` has it; warnings go to standard error.
Result<Config> ApplySessionFlags(const SessionFlags& flags);

// Its rules, never null. Warnings go to standard error; one names rules without any evt.type: every
// event is asked for because of them.
Result<std::shared_ptr<const RuleSet>> LoadSessionRules(const Config& config);

// On standard error.
void TellWarnings(std::span<const std::string> warnings);
// Reads and tells the warnings, unknown names among them, on standard error.
Result<VisibilityPolicy> LoadPolicy(const std::string& path);
// The same without telling.
Result<VisibilityPolicy> LoadPolicyQuietly(const std::string& path);

}  // namespace gyrfalcon
