// The rules in force: immutable after loading, shared by all workers, replaced as a whole on
// reload.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fields/field.h"
#include "points/event_types.h"
#include "rules/bound_condition.h"
#include "rules/output_format.h"
#include "rules/plan_figures.h"
#include "rules/priority.h"

namespace gyrfalcon {

struct Rule {
  // A field that alerts of the rule carry beside those of its output.
  struct ExtraField {
    std::string key;
    OutputFormat format;
    bool raw = false;  // the typed value of its one field instead of text
  };

  std::string name;
  std::string desc;
  std::string condition_text;      // as written, without exceptions
  std::string condition_compiled;  // the expanded tree, printed
  std::string output;              // with what append_output added
  OutputFormat format;
  std::vector<ExtraField> extra_fields;
  std::string source;
  Priority priority = Priority::kDebug;
  std::set<std::string> tags;
  bool enabled = true;
  bool capture = false;
  uint32_t capture_duration_ms = 0;
  BoundCondition condition;
  EventTypeSet event_types;            // asyncevent included
  std::vector<std::string> fields;     // that the condition reads, in order, each once
  std::set<std::string> never_fields;  // of the condition: always missing under gVisor
};

// `first`: the first rule that matches an event, in order of loading; `all`: every one.
enum class RuleMatching : uint8_t { kFirst, kAll };

class Plan;  // rules/plan.h

class RuleSet {
 public:
  RuleSet(std::vector<Rule> rules, RuleMatching matching);
  ~RuleSet();
  RuleSet(const RuleSet&) = delete;
  RuleSet& operator=(const RuleSet&) = delete;

  std::span<const Rule> rules() const { return rules_; }  // in order of loading, disabled ones too
  const Rule* Find(std::string_view name) const;
  RuleMatching matching() const { return matching_; }

  // The enabled rules that can match events of a type, in order of loading.
  std::span<const Rule* const> RulesFor(EventType type) const { return by_type_[type.index]; }

  // How they are evaluated (rules/matcher.h). Compiled when it is first asked for, from any thread:
  // who only checks rules need not wait for it.
  const Plan& plan() const;
  // The same, in the order that an earlier plan has learnt to be cheap.
  const Plan& plan(const PlanFigures& learnt) const;

  // A line for each enabled rule whose condition asks fields that gVisor never feeds.
  std::vector<std::string> FieldWarnings() const;

 private:
  std::vector<Rule> rules_;
  RuleMatching matching_;
  std::array<std::vector<const Rule*>, kEventTypeCount> by_type_;
  mutable std::once_flag plan_once_;
  mutable std::unique_ptr<const Plan> plan_;
};

}  // namespace gyrfalcon
