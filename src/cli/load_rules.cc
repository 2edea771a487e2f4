#include "cli/load_rules.h"

#include <algorithm>
#include <filesystem>
#include <iterator>

#include <fmt/format.h>

#include "alerts/builtin.h"
#include "base/text.h"
#include "cli/file.h"
#include "rules/yaml.h"

namespace gyrfalcon {

extern const std::string_view kEmbeddedRules;  // rules/gyrfalcon_rules.yaml

Result<std::string> ReadRulesFile(const std::string& path) {
  // A pipe or a device might be waited on for ever.
  std::error_code unreadable;
  if (std::filesystem::exists(path, unreadable) &&
      !std::filesystem::is_regular_file(path, unreadable)) {
    return Fail(Fault::kEnvironment,
                fmt::format("{}: not a regular file; name a file or a folder", path));
  }
  return ReadWholeFile(path, kRulesFileBytesMax);
}

Result<std::vector<std::pair<std::string, std::string>>> ReadRulesFiles(
    const std::vector<std::string>& paths) {
  std::vector<std::pair<std::string, std::string>> files;
  if (paths.empty()) {
    files.emplace_back("(embedded)", std::string(kEmbeddedRules));
    return files;
  }
  const auto expanded = ExpandRulesPaths(paths);
  if (!expanded) return std::unexpected(expanded.error());
  for (const std::string& path : *expanded) {
    auto text = ReadRulesFile(path);
    if (!text) return std::unexpected(text.error());
    files.emplace_back(path, std::move(*text));
  }
  if (files.empty()) {
    return Fail(Fault::kInput,
                "no rules file among " + Join(paths, ", ") + ": names must end in .yaml or .yml");
  }
  return files;
}

// A built-in alert is no rule, and is switched elsewhere.
void HintAtBuiltins(const LoadOptions& options, std::vector<std::string>& warnings) {
  for (const RuleSelection& selection : options.selection) {
    const auto builtin = FindBuiltin(selection.text);
    if (!builtin || selection.by == RuleSelection::By::kTag) continue;
    warnings.push_back(fmt::format(
        "'{}' is a built-in alert, not a rule: `builtin_alerts: [{{name: '{}', enabled: {}}}]` in "
        "the config, or -o, switches it",
        selection.text, Describe(*builtin).rule, selection.enable));
  }
}

Result<LoadedRules> LoadRules(const std::vector<std::string>& paths, const LoadOptions& options) {
  const auto files = ReadRulesFiles(paths);
  if (!files) return std::unexpected(files.error());
  RuleLoader loader(AllFields(), options);
  LoadedRules loaded;
  for (const auto& [name, text] : *files) {
    loader.AddFile(name, text);
    loaded.files.push_back(name);
  }
  if (!loader.successful()) {
    return Fail(Fault::kInput, Diagnostics(loader.results(), loader.files(), false));
  }
  for (const LoadResult& result : loader.results()) {
    if (result.warnings.empty()) continue;
    const size_t count = result.warnings.size();
    loaded.warnings.push_back(fmt::format("{}: {} warning{}; `gyrfalcon rules check {}` shows {}",
                                          result.name, count, count == 1 ? "" : "s",
                                          Join(loaded.files, " "), count == 1 ? "it" : "them"));
  }
  for (std::string& unmet : loader.UnmetPlugins()) loaded.warnings.push_back(std::move(unmet));
  loaded.rules = loader.Compile();
  std::ranges::copy(loader.unused_options(), std::back_inserter(loaded.warnings));
  HintAtBuiltins(options, loaded.warnings);
  for (std::string& warning : loaded.rules->FieldWarnings()) {
    loaded.warnings.push_back(std::move(warning));
  }
  return loaded;
}

size_t CountEnabled(const RuleSet& rules) {
  return static_cast<size_t>(std::ranges::count_if(rules.rules(), &Rule::enabled));
}

}  // namespace gyrfalcon
