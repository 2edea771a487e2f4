#include "cli/describe_rules.h"

#include <algorithm>
#include <filesystem>
#include <iterator>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/file.h"
#include "cli/load_rules.h"
#include "rules/description.h"
#include "rules/yaml.h"
#include "runsc/session.h"
#include "wire/listener.h"

namespace gyrfalcon {
namespace {

int NoSuchRule(const std::string& name) {
  return Report({fmt::format("Rule \"{}\" is not loaded; -L lists all", name), Fault::kInput});
}

// Each named file is checked whatever it is called; of a folder the *.yaml.
Result<std::vector<std::pair<std::string, std::string>>> FilesToCheck(
    const std::vector<std::string>& paths) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const std::string& path : paths) {
    std::error_code unknown;
    if (std::filesystem::is_directory(path, unknown)) {
      auto found = ReadRulesFiles({path});
      if (!found) return std::unexpected(found.error());
      std::ranges::move(*found, std::back_inserter(files));
      continue;
    }
    auto text = ReadRulesFile(path);
    if (!text) return std::unexpected(text.error());
    files.emplace_back(path, std::move(*text));
  }
  return files;
}

// Falco's config given as a rules file: common enough to be told.
void HintAtConfig(const RuleLoader& loader) {
  for (const LoadResult& result : loader.results()) {
    const bool mapping =
        !result.successful() && result.errors.front().message.contains("not yaml array of objects");
    if (!mapping) continue;
    fmt::print(stderr,
               "{}: a rules file is a list of items (`- rule: …`); a config is checked with "
               "`gyrfalcon -c {} --dry-run`\n",
               result.name, result.name);
  }
}

}  // namespace

int PrintRulesVerdict(const std::vector<std::string>& paths, const Config& config,
                      const DescribeRequest& describe) {
  const auto files = FilesToCheck(paths);
  if (!files) return Report(files.error());
  RuleLoader loader(AllFields(), config.rules);
  for (const auto& [name, text] : *files) loader.AddFile(name, text);
  const bool successful = loader.successful();
  std::string description;
  if (successful && describe.wanted()) {
    const auto rules = loader.Compile();
    description = config.format.json_output ? DescribeJson(loader, *rules, describe.rule)
                                            : DescribeText(*rules, describe.rule);
    if (description.empty()) return NoSuchRule(describe.rule);
  }
  if (config.format.json_output) {
    fmt::print("{}\n", LoadResultsJson(loader.results(), loader.files(), description));
  } else {
    for (const LoadResult& result : loader.results()) fmt::print("{}\n", VerdictText(result));
    if (!description.empty()) fmt::print("\n{}", description);
  }
  const std::string problems = Diagnostics(loader.results(), loader.files(), true);
  if (!problems.empty()) fmt::print(stderr, "{}\n", problems);
  HintAtConfig(loader);
  for (const std::string& unmet : loader.UnmetPlugins()) {
    fmt::print(stderr, "warning: {}\n", unmet);
  }
  // Not part of the verdict: Falco has no such warning.
  if (const auto rules = loader.Compile(); rules != nullptr && !config.format.json_output) {
    for (const std::string& warning : rules->FieldWarnings()) {
      fmt::print(stderr, "warning: {}\n", warning);
    }
  }
  return successful ? kExitOk : kExitNotWell;
}

int DescribeRules(const std::string& name, const Config& config) {
  const auto files = ReadRulesFiles(config.rules_files);
  if (!files) return Report(files.error());
  RuleLoader loader(AllFields(), config.rules);
  for (const auto& [file, text] : *files) loader.AddFile(file, text);
  if (!loader.successful()) {
    return Report({Diagnostics(loader.results(), loader.files(), false), Fault::kInput});
  }
  const auto rules = loader.Compile();
  const std::string description =
      config.format.json_output ? DescribeJson(loader, *rules, name) : DescribeText(*rules, name);
  if (description.empty()) return NoSuchRule(name);
  fmt::print("{}{}", description, config.format.json_output ? "\n" : "");
  return kExitOk;
}

int PrintSession(const std::string& socket, const Config& config) {
  if (const auto valid = CheckSocketPath(socket); !valid) return Report(valid.error());
  SessionOptions options;
  options.socket_path = socket;
  const auto loaded = LoadRules(config.rules_files, config.rules);
  if (!loaded) return Report(loaded.error());
  fmt::print("{}", GenerateSession(options, *loaded->rules));
  return kExitOk;
}

}  // namespace gyrfalcon
