#include "cli/load_rules.h"

#include <filesystem>

#include <fmt/format.h>

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
    loaded.warnings.push_back(fmt::format("{}: {} warnings; `gyrfalcon rules check` shows them",
                                          result.name, result.warnings.size()));
  }
  for (std::string& unmet : loader.UnmetPlugins()) loaded.warnings.push_back(std::move(unmet));
  loaded.rules = loader.Compile();
  for (std::string& warning : loaded.rules->FieldWarnings()) {
    loaded.warnings.push_back(std::move(warning));
  }
  return loaded;
}

}  // namespace gyrfalcon
