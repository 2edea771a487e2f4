// What `-L` and `-l` tell about loaded rules, in Falco's shape: each rule, macro and list with what
// was written (`info`) and what became of it (`details`).
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rules/collector.h"
#include "rules/condition.h"

namespace gyrfalcon {

class RuleLoader;
class RuleSet;

struct ConditionDescription {
  std::string compiled;             // everything expanded, printed
  std::set<std::string> fields;     // of the expanded condition, transformers' arguments included
  std::set<std::string> operators;  // with their modifiers: "startswith anyof"
  std::set<std::string> events;     // names, "asyncevent" always among them
  std::set<std::string> macros;     // that the condition itself names
  std::set<std::string> lists;
};

struct MacroDescription {
  const MacroDefinition* definition = nullptr;
  ConditionDescription condition;
  bool used = false;
};

struct ListDescription {
  const ListDefinition* definition = nullptr;
  std::vector<std::string> items;  // nested lists expanded
  bool used = false;
};

struct Descriptions {
  std::map<std::string, ConditionDescription, std::less<>> rules;  // by name; those that compile
  std::vector<MacroDescription> macros;                            // in order of definition
  std::vector<ListDescription> lists;
};

// `source`: as written; `tree`: with lists, macros and exceptions expanded.
ConditionDescription DescribeCondition(std::string_view source, const Condition& tree,
                                       const Collector& collector);

// The JSON object of `-L`; with `rule`, that of `-l`, which has this one rule only. `rules` are
// what `loader` has compiled, after selection. "" when there is no such rule.
std::string DescribeJson(const RuleLoader& loader, const RuleSet& rules,
                         std::string_view rule = {});

// The table of names and descriptions, wrapped as Falco does; "" when there is no such rule.
std::string DescribeText(const RuleSet& rules, std::string_view rule = {});

}  // namespace gyrfalcon
