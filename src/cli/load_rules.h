// Rules for a command: read, compiled, and told about.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "rules/rule_loader.h"

namespace gyrfalcon {

struct LoadedRules {
  std::shared_ptr<const RuleSet> rules;  // never null
  std::vector<std::string> files;        // in order; "(embedded)" for ours
  std::vector<std::string> warnings;     // one line each
};

// Reads `paths` (files and folders), or the embedded rules when there are none. The error
// (Fault::kInput) has every problem of every file with place, line, caret and suggestion.
Result<LoadedRules> LoadRules(const std::vector<std::string>& paths, const LoadOptions& options);

size_t CountEnabled(const RuleSet& rules);

// Only regular files: a pipe could be waited on for ever.
Result<std::string> ReadRulesFile(const std::string& path);

// (name, text) of each file that `paths` stand for.
Result<std::vector<std::pair<std::string, std::string>>> ReadRulesFiles(
    const std::vector<std::string>& paths);

}  // namespace gyrfalcon
