// `rules coverage`: what rules see of what a sandbox sends.
#include <cstdio>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/colour.h"
#include "cli/coverage_report.h"
#include "cli/coverage_sources.h"
#include "cli/file.h"
#include "cli/load_rules.h"
#include "cli/run_flags.h"
#include "cli/session_flags.h"
#include "runsc/coverage.h"
#include "runsc/known_runsc.h"

namespace gyrfalcon {
namespace {

struct CoverageFlags {
  std::string policy;
  std::string session;
  std::string runsc;
  std::string metadata;  // a file, or the name of one that is built in
  std::string profile = "standard";
  std::string fail_on;
  std::string html;
  bool json = false;
};

Result<NamedPoints> FindRunsc(const CoverageFlags& flags) {
  if (!flags.runsc.empty()) return PointsOfRunsc(flags.runsc);
  for (const KnownRunsc& known : KnownRunscs()) {
    const bool newest = flags.metadata.empty() && &known == &KnownRunscs().back();
    if (!newest && known.name != flags.metadata) continue;
    return NamedPoints{PointsOf(known), fmt::format("runsc {} ({})", known.name, known.version)};
  }
  return PointsOfMetadataFile(flags.metadata);
}

// What is asked for, before the runsc leaves out what it does not know.
Result<NamedPoints> FindAsked(const CoverageFlags& flags, const RuleSet& rules,
                              SessionProfile profile, const SentPoints& wanted) {
  if (!flags.policy.empty()) {
    const auto policy = LoadPolicy(flags.policy);
    if (!policy) return std::unexpected(policy.error());
    return NamedPoints{Sent(PointsFor(*policy, rules, profile, false)),
                       fmt::format("the session of `session generate --policy {}`", flags.policy)};
  }
  if (!flags.session.empty()) return PointsOfSessionFile(flags.session);
  return NamedPoints{
      wanted,
      fmt::format("the session of `session generate --profile {}` for these rules", flags.profile)};
}

bool Fails(const Coverage& coverage, const std::string& fail_on) {
  if (fail_on.empty()) return false;
  return coverage.blind > 0 || (fail_on == "degraded" && coverage.degraded > 0);
}

}  // namespace

int CoverRules(std::vector<std::string> args) {
  const auto app = MakeApp("rules coverage");
  RunFlags rules_flags;
  CoverageFlags flags;
  AddRulesFlags(*app, rules_flags);
  CLI::Option* session = app->add_option(
      "--session", flags.session,
      "The session config that sandboxes have (default: the one that `session generate` "
      "would make for these rules)");
  app->add_option("--policy", flags.policy,
                  "A visibility policy (TOML): what the session that is made of it leaves to see")
      ->excludes(session);
  CLI::Option* runsc =
      app->add_option("--runsc", flags.runsc, "The runsc that runs them, asked for what it knows");
  app->add_option("--runsc-metadata", flags.metadata,
                  "The saved output of `runsc trace metadata`; or `debian` or `current`, two that "
                  "are built in (default: current)")
      ->excludes(runsc);
  app->add_option("--profile", flags.profile, "Of the session that would be generated")
      ->check(CLI::IsMember({"lean", "standard", "strict"}));
  app->add_option("--fail-on", flags.fail_on,
                  "End with 1 if a rule is `blind`, or `degraded` or blind")
      ->check(CLI::IsMember({"blind", "degraded"}));
  app->add_flag("--json", flags.json, "Print JSON");
  app->add_option("--html", flags.html, "Also write a page with the picture to this file");
  if (const auto code = Parse(*app, std::move(args))) return *code;

  const auto config = ApplyFlags(rules_flags);
  if (!config) return Report(config.error());
  LoadOptions options = config->config.rules;
  options.keep_whole = true;  // what a missing field decides would be folded away
  const auto loaded = LoadRules(config->config.rules_files, options);
  if (!loaded) return Report(loaded.error());
  const auto known = FindRunsc(flags);
  if (!known) return Report(known.error());
  const auto profile = ParseSessionProfile(flags.profile).value_or(SessionProfile::kStandard);
  const SentPoints wanted = Sent(PointsFor(*loaded->rules, profile));
  const auto asked = FindAsked(flags, *loaded->rules, profile, wanted);
  if (!asked) return Report(asked.error());

  const Coverage coverage =
      CoverageOf(*loaded->rules, Intersect(asked->points, known->points), known->points, &wanted);
  const CoverageReport report{coverage, fmt::format("{}, on {}", asked->name, known->name)};
  if (!flags.html.empty()) {
    if (const auto written = ReplaceFile(flags.html, CoverageHtml(report)); !written) {
      return Report(written.error());
    }
  }
  const bool colour = HasColour(STDOUT_FILENO);
  fmt::print("{}", flags.json ? CoverageJson(report) : CoverageText(report, colour));
  return Fails(coverage, flags.fail_on) ? kExitNotWell : kExitOk;
}

}  // namespace gyrfalcon
