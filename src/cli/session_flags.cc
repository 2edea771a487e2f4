#include "cli/session_flags.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "alerts/alert_format.h"
#include "base/text.h"
#include "cli/file.h"
#include "runsc/policy_check.h"

namespace gyrfalcon {
namespace {

void Warn(std::string_view text) {
  fmt::print(stderr, "warning: {}\n", PrintableLines(text));
}

void WarnOfRulesOfEveryEvent(const RuleSet& rules) {
  constexpr size_t kShown = 5;
  std::vector<std::string> names;
  size_t count = 0;
  for (const Rule& rule : rules.rules()) {
    if (!rule.enabled || !rule.event_types.all()) continue;
    if (++count <= kShown) names.push_back("\"" + rule.name + "\"");
  }
  if (count == 0) return;
  if (count > kShown) names.push_back(fmt::format("and {} more", count - kShown));
  Warn(
      fmt::format("no evt.type in {} {}: every event that gVisor has a schema for is asked for, "
                  "which slows sandboxes down; say which in the condition",
                  count == 1 ? "rule" : "rules", Join(names, ", ")));
}

}  // namespace

SessionProfile SessionFlags::Profile() const {
  return ParseSessionProfile(profile).value_or(SessionProfile::kStandard);
}

CLI::Option* AddSessionFlags(CLI::App& app, SessionFlags& flags) {
  AddRulesFlags(app, flags.rules);
  return app
      .add_option("--profile", flags.profile,
                  "How much a sandbox tells: `lean` believes what programs say of themselves, "
                  "`standard` checks it, `strict` also shows opens and connects that are hidden")
      ->check(CLI::IsMember({"lean", "standard", "strict"}));
}

Result<Config> ApplySessionFlags(const SessionFlags& flags) {
  auto applied = ApplyFlags(flags.rules);
  if (!applied) return std::unexpected(applied.error());
  if (const auto required = RequireRules(flags.rules, *applied); !required) {
    return std::unexpected(required.error());
  }
  for (const std::string& warning : applied->warnings) Warn(warning);
  return std::move(applied->config);
}

Result<std::shared_ptr<const RuleSet>> LoadSessionRules(const Config& config) {
  auto loaded = LoadRules(config.rules_files, config.rules);
  if (!loaded) return std::unexpected(loaded.error());
  for (const std::string& warning : loaded->warnings) Warn(warning);
  WarnOfRulesOfEveryEvent(*loaded->rules);
  return std::move(loaded->rules);
}

void TellWarnings(std::span<const std::string> warnings) {
  for (const std::string& warning : warnings) Warn(warning);
}

Result<VisibilityPolicy> LoadPolicyQuietly(const std::string& path) {
  const auto text = ReadWholeFile(path, kPolicyBytesMax);
  if (!text) return std::unexpected(text.error());
  return ReadPolicy(path, *text);
}

Result<VisibilityPolicy> LoadPolicy(const std::string& path) {
  auto policy = LoadPolicyQuietly(path);
  if (policy) TellWarnings(Warnings(*policy));
  return policy;
}

}  // namespace gyrfalcon
