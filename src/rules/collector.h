// Gathers the definitions of all files in order: defines, appends, replaces. One collector is
// shared by the files of a rule set, so a later file can change what an earlier one defined.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fields/field.h"
#include "rules/definitions.h"

namespace gyrfalcon {

class Collector {
 public:
  using Outcome = std::expected<void, LoadProblem>;
  using Warn = std::function<void(LoadProblem)>;

  // `catalog` says which fields exceptions may name; `warn` gets what is odd but no error.
  Collector(const FieldCatalog& catalog, Warn warn) : catalog_(catalog), warn_(std::move(warn)) {}

  Outcome DefineList(ListDefinition list);
  Outcome AppendList(ListDefinition list);
  Outcome DefineMacro(MacroDefinition macro);
  Outcome AppendMacro(const MacroDefinition& macro);
  Outcome DefineRule(RuleDefinition rule);
  Outcome AppendRule(RuleUpdate update);
  Outcome ReplaceInRule(RuleUpdate update);
  Outcome EnableRule(const RuleUpdate& update);

  // An item by that name could not be read: what refers to it is no error of its own.
  void MarkBroken(std::string_view kind, std::string_view name);
  bool IsBroken(std::string_view kind, std::string_view name) const;

  const std::vector<ListDefinition>& lists() const { return lists_; }
  const std::vector<MacroDefinition>& macros() const { return macros_; }
  const std::vector<RuleDefinition>& rules() const { return rules_; }

  std::vector<PluginRequirement> plugin_requirements;
  std::string required_engine_version = "0.0.0";

 private:
  Outcome MergeException(RuleDefinition& rule, ExceptionDefinition exception);
  Outcome ValidateException(ExceptionDefinition& exception) const;
  Outcome ValidateListForm(ExceptionDefinition& exception) const;
  Outcome ValidateScalarForm(ExceptionDefinition& exception) const;
  RuleDefinition* FindRule(std::string_view name);

  const FieldCatalog& catalog_;
  Warn warn_;
  std::vector<ListDefinition> lists_;
  std::vector<MacroDefinition> macros_;
  std::vector<RuleDefinition> rules_;
  std::map<std::string, size_t, std::less<>> list_index_;
  std::map<std::string, size_t, std::less<>> macro_index_;
  std::map<std::string, size_t, std::less<>> rule_index_;
  std::set<std::string, std::less<>> broken_;
  uint32_t next_ = 0;
};

}  // namespace gyrfalcon
