// What `rules explain` prints: for people, and as JSON (docs/tuning.md has its keys).
#pragma once

#include <string>

#include "engine/rule_report.h"

namespace gyrfalcon {

struct ExplainStyle {
  bool colour = false;
  std::string rules_arguments;  // as they were given, for commands to go on with: " -r mine.yaml"
  // Why the rule is blind under any session; "": a session can have what it needs.
  std::string blind_for_good;
};

// Lines of text, values shortened.
std::string ExplainText(const ExplainRequest& request, const RuleReport& report,
                        const ExplainStyle& style);
// One document.
std::string ExplainJson(const ExplainRequest& request, const RuleReport& report);

}  // namespace gyrfalcon
