// What rules files define, as collected: lists, macros and rules after every append, override and
// redefinition, but before anything is compiled.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rules/condition.h"
#include "rules/load_result.h"
#include "rules/priority.h"
#include "rules/source_text.h"

namespace gyrfalcon {

// Where an item stands in the order of definitions. A redefinition keeps the index of the first one
// and raises the visibility; a macro sees those whose index is below its own visibility.
struct DefinitionOrder {
  uint32_t index = 0;
  uint32_t visibility = 0;
};

struct ListDefinition {
  std::string name;
  std::vector<std::string> items;
  DefinitionOrder order;
  LoadContext context;
};

struct MacroDefinition {
  std::string name;
  SourceText condition;
  DefinitionOrder order;
  LoadContext context;
  LoadContext condition_context;
};

// "fields", "comps" or one value of an exception: a word or a list of them.
struct ExceptionEntry {
  bool given = false;
  bool is_list = false;
  std::string text;
  std::vector<ExceptionEntry> items;
};

struct ExceptionDefinition {
  std::string name;
  ExceptionEntry fields;
  ExceptionEntry comps;
  std::vector<ExceptionEntry> values;
  bool has_values = false;
  LoadContext context;
};

struct RuleDefinition {
  std::string name;
  std::string desc;
  SourceText condition;
  SourceText output;
  std::string source = "syscall";
  Priority priority = Priority::kDebug;
  std::set<std::string> tags;
  std::vector<ExceptionDefinition> exceptions;
  bool enabled = true;
  bool warn_evttypes = true;
  bool skip_if_unknown_filter = false;
  bool capture = false;
  uint32_t capture_duration_ms = 0;
  bool unknown_source = false;
  DefinitionOrder order;
  LoadContext context;
  LoadContext condition_context;
  LoadContext output_context;
};

// What one item of a file changes on a rule: only what is set.
struct RuleUpdate {
  std::string name;
  std::optional<std::string> desc;
  std::optional<SourceText> condition;
  std::optional<SourceText> output;
  std::optional<std::string> source;
  std::optional<Priority> priority;
  std::optional<std::set<std::string>> tags;
  std::optional<std::vector<ExceptionDefinition>> exceptions;
  std::optional<bool> enabled;
  std::optional<bool> warn_evttypes;
  std::optional<bool> skip_if_unknown_filter;
  std::optional<bool> capture;
  std::optional<uint32_t> capture_duration_ms;
  LoadContext context;
  LoadContext condition_context;
  LoadContext output_context;
};

struct PluginRequirement {
  struct Version {
    std::string name;
    std::string version;
  };
  std::vector<Version> alternatives;  // the first is the one asked for
  LoadContext context;
};

}  // namespace gyrfalcon
