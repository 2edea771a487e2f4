// Loads rules files, in order, into a rule set. Everything that is wrong in any of them is found in
// one go. One loader makes one rule set; a reload takes a new loader. Not thread-safe (service
// names may be looked up in the system's database); meant for start-up and reload, not for the
// event path.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fields/field.h"
#include "rules/collector.h"
#include "rules/load_result.h"
#include "rules/rule_set.h"

namespace gyrfalcon {

// One entry of `rules:` in the config; they are applied in order, after all files.
struct RuleSelection {
  enum class By : uint8_t { kPattern, kTag, kSubstring };  // a pattern has * wildcards
  By by = By::kPattern;
  std::string text;
  bool enable = true;
};

// One entry of `append_output`: what is added to the rules that fit.
struct AppendOutput {
  std::string match_source;          // empty: any
  std::string match_rule;            // empty: any
  std::set<std::string> match_tags;  // all of them must be on the rule
  std::string extra_output;
  struct Field {
    std::string key;
    std::string format;  // empty: the value of the field named `key`
  };
  std::vector<Field> extra_fields;
  bool suggested_output = false;  // every field of the catalog that asks for it
};

struct LoadOptions {
  Priority priority = Priority::kDebug;  // rules less urgent than this are dropped
  RuleMatching matching = RuleMatching::kFirst;
  std::vector<RuleSelection> selection;
  std::vector<AppendOutput> append_output;
  // Keeps the parts of conditions that always have the same answer, for who shows each part. The
  // rules find the same.
  bool keep_whole = false;
};

class RuleLoader {
 public:
  // The catalog must outlive the loader and the rule set.
  explicit RuleLoader(const FieldCatalog& catalog, LoadOptions options = {});
  RuleLoader(const RuleLoader&) = delete;
  RuleLoader& operator=(const RuleLoader&) = delete;

  // Reads a file's text and compiles everything so far; the outcome is in results().
  void AddFile(std::string_view name, std::string_view text);

  // The rules of all files; nullptr if any of them has an error. Leaves the loader empty.
  std::shared_ptr<const RuleSet> Compile();

  // After Compile: selections, and additions to outputs, that fit no rule.
  const std::vector<std::string>& unused_options() const { return unused_options_; }

  const std::vector<LoadResult>& results() const { return results_; }  // one per file, in order
  const std::vector<RulesFile>& files() const { return files_; }
  const Collector& definitions() const { return collector_; }
  const FieldCatalog& catalog() const { return catalog_; }
  const LoadOptions& options() const { return options_; }
  bool successful() const;

  // What the files require of plugins and do not get here, a line each with its place. It stops
  // nothing: rules that need another plugin have a source of their own and are skipped.
  std::vector<std::string> UnmetPlugins() const;

 private:
  void AddProblem(LoadProblem problem);
  void ApplySelection(std::vector<Rule>& rules);

  const FieldCatalog& catalog_;
  LoadOptions options_;
  Collector collector_;
  std::vector<RulesFile> files_;
  std::vector<std::string> unused_options_;
  std::vector<LoadResult> results_;
  std::vector<Rule> rules_;  // as of the last file
};

}  // namespace gyrfalcon
