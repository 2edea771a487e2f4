// `policy check`, `policy suggest` and `policy diff`.
#include <fmt/format.h>

#include "cli/arguments.h"
#include "cli/session_flags.h"
#include "runsc/policy_check.h"

namespace gyrfalcon {

int CheckPolicyCommand(std::vector<std::string> args) {
  const auto app = MakeApp("policy check");
  std::string path;
  bool json = false;
  app->add_option("FILE", path, "A list of system calls in TOML")->required();
  app->add_flag("--json", json, "Print JSON");
  if (const auto code = Parse(*app, std::move(args))) return *code;
  const auto policy = LoadPolicyQuietly(path);
  if (!policy) return Report(policy.error());
  if (!json) TellWarnings(policy->warnings);  // unknown names are what this prints
  const PolicyCheck check = CheckPolicy(*policy);
  fmt::print("{}", json ? PolicyCheckJson(check) : PolicyCheckText(check));
  return check.unknown() == 0 ? kExitOk : kExitNotWell;
}

int SuggestPolicyCommand(std::vector<std::string> args) {
  const auto app = MakeApp("policy suggest");
  SessionFlags flags;
  AddSessionFlags(*app, flags);
  if (const auto code = Parse(*app, std::move(args))) return *code;
  const auto config = ApplySessionFlags(flags);
  if (!config) return Report(config.error());
  const auto rules = LoadSessionRules(*config);
  if (!rules) return Report(rules.error());
  fmt::print("{}", SuggestPolicy(**rules, flags.Profile()));
  return kExitOk;
}

int DiffPoliciesCommand(std::vector<std::string> args) {
  const auto app = MakeApp("policy diff");
  SessionFlags flags;
  std::string path_a;
  std::string path_b;
  bool json = false;
  bool literal = false;
  app->add_option("A", path_a, "A list of system calls in TOML")->required();
  app->add_option("B", path_b, "Another one")->required();
  AddSessionFlags(*app, flags);
  app->add_flag("--literal", literal, "Compare sessions with all points of all names");
  app->add_flag("--json", json, "Print JSON");
  if (const auto code = Parse(*app, std::move(args))) return *code;
  const auto a = LoadPolicy(path_a);
  if (!a) return Report(a.error());
  const auto b = LoadPolicy(path_b);
  if (!b) return Report(b.error());
  const auto config = ApplySessionFlags(flags);
  if (!config) return Report(config.error());
  const auto rules = LoadSessionRules(*config);
  if (!rules) return Report(rules.error());
  const auto points_a = PointsFor(*a, **rules, flags.Profile(), literal);
  const auto points_b = PointsFor(*b, **rules, flags.Profile(), literal);
  const PolicySession session_a{*a, points_a};
  const PolicySession session_b{*b, points_b};
  fmt::print("{}",
             json ? PolicyDiffJson(session_a, session_b) : PolicyDiffText(session_a, session_b));
  return kExitOk;
}

}  // namespace gyrfalcon
