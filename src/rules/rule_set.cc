#include "rules/rule_set.h"

#include <algorithm>

#include "base/text.h"
#include "rules/plan.h"

namespace gyrfalcon {
RuleSet::RuleSet(std::vector<Rule> rules, RuleMatching matching)
    : rules_(std::move(rules)), matching_(matching) {
  for (const Rule& rule : rules_) {
    if (!rule.enabled) continue;
    for (size_t type = 0; type < kEventTypeCount; ++type) {
      if (rule.event_types.test(type)) by_type_[type].push_back(&rule);
    }
  }
}

RuleSet::~RuleSet() = default;

const Plan& RuleSet::plan() const {
  return plan({});
}

const Plan& RuleSet::plan(const PlanFigures& learnt) const {
  std::call_once(plan_once_, [&] { plan_ = std::make_unique<Plan>(*this, PlanLimits(), learnt); });
  return *plan_;
}

const Rule* RuleSet::Find(std::string_view name) const {
  const auto found = std::ranges::find(rules_, name, &Rule::name);
  return found == rules_.end() ? nullptr : &*found;
}

std::vector<std::string> RuleSet::FieldWarnings() const {
  std::vector<std::string> warnings;
  for (const Rule& rule : rules_) {
    if (!rule.enabled || rule.never_fields.empty()) continue;
    const std::vector<std::string> names(rule.never_fields.begin(), rule.never_fields.end());
    warnings.push_back(
        "rule '" + rule.name +
        "': gVisor never tells these fields, so they are always missing: " + Join(names, ", "));
  }
  return warnings;
}

}  // namespace gyrfalcon
