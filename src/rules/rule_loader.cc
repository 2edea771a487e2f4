#include "rules/rule_loader.h"

#include <algorithm>

#include "rules/matchers.h"
#include "rules/plugin_requirements.h"
#include "rules/rule_compiler.h"
#include "rules/rules_reader.h"

namespace gyrfalcon {
namespace {

bool Selects(const RuleSelection& selection, const Rule& rule) {
  switch (selection.by) {
    case RuleSelection::By::kPattern: {
      // Only * is special here.
      std::string pattern;
      for (const char c : selection.text) {
        if (c == '?' || c == '[' || c == '\\') pattern += '\\';
        pattern += c;
      }
      return GlobMatch(pattern, rule.name, Case::kSensitive);
    }
    case RuleSelection::By::kTag:
      return rule.tags.contains(selection.text);
    case RuleSelection::By::kSubstring:
      return rule.name.contains(selection.text);
  }
  return false;
}

}  // namespace

RuleLoader::RuleLoader(const FieldCatalog& catalog, LoadOptions options)
    : catalog_(catalog),
      options_(std::move(options)),
      collector_(catalog, [this](LoadProblem warning) { AddProblem(std::move(warning)); }) {}

void RuleLoader::AddProblem(LoadProblem problem) {
  LoadResult& result = results_.back();
  problem.beyond_first_error = !result.errors.empty();
  if (problem.snippet.empty() && !problem.context.empty()) {
    const auto file = std::ranges::find(files_, problem.context.back().file, &RulesFile::name);
    if (file != files_.end()) {
      problem.snippet = Snippet(file->text, problem.context.back().position.offset);
    }
  }
  (IsError(problem.code) ? result.errors : result.warnings).push_back(std::move(problem));
}

void RuleLoader::AddFile(std::string_view name, std::string_view text) {
  files_.push_back({std::string(name), std::string(text)});
  results_.emplace_back().name = name;
  const auto report = [this](LoadProblem problem) { AddProblem(std::move(problem)); };
  const auto index = static_cast<uint32_t>(files_.size() - 1);
  // The reader's problems go to results_.back(), which stays where it is.
  results_.back().schema_outcomes = ReadRulesFile(files_.back(), index, collector_, report);
  rules_ = CompileRules(collector_, catalog_, options_, report);
}

bool RuleLoader::successful() const {
  return std::ranges::all_of(results_, &LoadResult::successful);
}

std::vector<std::string> RuleLoader::UnmetPlugins() const {
  return UnmetPluginRequirements(collector_.plugin_requirements);
}

std::shared_ptr<const RuleSet> RuleLoader::Compile() {
  if (!successful()) return nullptr;
  std::vector<Rule> rules = std::move(rules_);
  rules_.clear();
  std::erase_if(rules, [&](const Rule& rule) { return rule.priority > options_.priority; });
  for (const RuleSelection& selection : options_.selection) {
    for (Rule& rule : rules) {
      if (Selects(selection, rule)) rule.enabled = selection.enable;
    }
  }
  return std::make_shared<const RuleSet>(std::move(rules), options_.matching);
}

}  // namespace gyrfalcon
