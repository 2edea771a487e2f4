#include <fmt/format.h>
#include <unistd.h>

#include "alerts/builtin.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/colour.h"
#include "cli/coverage_sources.h"
#include "cli/explain_print.h"
#include "cli/load_rules.h"
#include "cli/log.h"
#include "cli/run_flags.h"
#include "engine/rule_report.h"
#include "runsc/coverage.h"
#include "runsc/session_points.h"

namespace gyrfalcon {
namespace {

constexpr size_t kLimitMax = 1000;

// Why there is no such rule.
Error NoSuchRule(const std::string& name, const LoadedRules& loaded, const Config& config) {
  const auto usage = [](std::string message) { return Error{std::move(message), Fault::kUsage}; };
  if (FindBuiltin(name)) {
    return usage(fmt::format(
        "\"{}\" is a built-in alert and has no condition; docs/sensor.md says when it comes",
        name));
  }
  if (config.rules.priority != Priority::kDebug) {
    LoadOptions all = config.rules;
    all.priority = Priority::kDebug;
    const auto every = LoadRules(config.rules_files, all);
    const Rule* rule = every ? every->rules->Find(name) : nullptr;
    if (rule != nullptr) {
      return usage(fmt::format(
          "\"{}\" has priority {}, and the config drops what is less urgent than {}: change "
          "`priority`, or that of the rule",
          name, PriorityName(rule->priority), PriorityName(config.rules.priority)));
    }
  }
  std::vector<std::string_view> names;
  for (const Rule& rule : loaded.rules->rules()) names.push_back(rule.name);
  const auto nearest = NearestWord(name, names);
  return usage(fmt::format("no rule \"{}\" in {}{}", name, Join(loaded.files, ", "),
                           nearest ? fmt::format("; did you mean \"{}\"?", *nearest) : ""));
}

// For the commands that go on from here.
std::string RulesArguments(const RunFlags& flags) {
  std::string out;
  for (const std::string& file : flags.rules_files) out += " -r " + file;
  return out;
}

// Why no session makes the rule find anything, whichever runsc it is; "": one may.
std::string WhyBlindForGood(const RuleSet& rules, const std::string& name) {
  const SentPoints newest = PointsOfNewestRunsc().points;
  const SentPoints wanted = Sent(PointsFor(rules, SessionProfile::kStandard));
  const Coverage coverage = CoverageOf(rules, Intersect(wanted, newest), newest, &wanted);
  const auto rule = std::ranges::find(coverage.rules, name, &RuleCoverage::rule);
  if (rule == coverage.rules.end() || rule->status != CoverageStatus::kBlind) return "";
  const std::string& instead = rule->missing.front().substitute;
  return FirstReason(*rule) + (instead.empty() ? "" : ". Instead: " + instead);
}

}  // namespace

int ExplainRuleCommand(std::vector<std::string> args) {
  const auto app = MakeApp("rules explain");
  std::string name;
  std::string session;
  uint64_t event = 0;
  bool json = false;
  RunFlags flags;
  ExplainRequest request;
  app->add_option("RULE", name, "The rule's name")->required();
  app->add_option("CAPTURE", request.captures, "Files in gVisor's tracereplay format")->required();
  AddRulesFlags(*app, flags);
  CLI::Option* one = app->add_option(
      "--event", event, "The whole condition at this event: a number as `dump` counts messages");
  app->add_option("--session", session,
                  "The session config that the captures were made with: what it does not ask for "
                  "is told from what did not happen");
  app->add_option("--limit", request.limit, "How many events of a kind are shown")
      ->check(CLI::Range(size_t{1}, kLimitMax))
      ->capture_default_str();
  app->add_flag("--json", json, "One JSON document");
  if (const auto code = Parse(*app, std::move(args))) return *code;
  if (!one->empty()) request.event = event;
  if (request.event && request.captures.size() > 1) {
    return Report({"--event needs one CAPTURE: each counts its own messages", Fault::kUsage});
  }

  const auto applied = ApplyFlags(flags);
  if (!applied) return Report(applied.error());
  if (const auto required = RequireRules(flags, *applied); !required) {
    return Report(required.error());
  }
  Config config = applied->config;
  config.rules.keep_whole = true;
  for (const std::string& warning : applied->warnings) PrintWarning(config, warning);
  const auto loaded = LoadRules(config.rules_files, config.rules);
  if (!loaded) return Report(loaded.error());
  request.rules = loaded->rules;
  request.rule = loaded->rules->Find(name);
  if (request.rule == nullptr) return Report(NoSuchRule(name, *loaded, config));
  if (!session.empty()) {
    auto asked = PointsOfSessionFile(session);
    if (!asked) return Report(asked.error());
    request.session = std::move(asked->points);
  }

  const auto report = ExplainRule(request);
  if (!report) return Report(report.error());
  for (const std::string& warning : report->warnings) PrintWarning(config, warning);
  if (json) {
    fmt::print("{}", ExplainJson(request, *report));
  } else {
    const bool colour = HasColour(STDOUT_FILENO);
    fmt::print("{}", ExplainText(request, *report,
                                 {.colour = colour,
                                  .rules_arguments = RulesArguments(flags),
                                  .blind_for_good = report->unsent.empty()
                                                        ? std::string()
                                                        : WhyBlindForGood(*loaded->rules, name)}));
  }
  return request.event || report->fired != 0 ? kExitOk : kExitNotWell;
}

}  // namespace gyrfalcon
