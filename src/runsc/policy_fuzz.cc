// Any text is a policy within the limits, or an error with its place.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "rules/rule_loader.h"
#include "runsc/policy_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto policy = ReadPolicy("p", text);
  if (!policy) {
    if (!policy.error().message.starts_with("p:")) std::abort();
    return 0;
  }
  if (policy->allowlist.size() > kPolicyNamesMax) std::abort();
  for (const PolicyName& name : policy->allowlist) {
    if (name.line == 0 || name.column == 0) std::abort();
  }
  const PolicyCheck check = CheckPolicy(*policy);
  if (check.entries != check.names.size() + check.repeats()) std::abort();
  if (PolicyCheckText(check).empty() || PolicyCheckJson(check).empty()) std::abort();
  // Narrower than without, wider when taken at its word.
  static const auto rules = RuleLoader(AllFields()).Compile();
  const auto needed = PointsFor(*policy, *rules, SessionProfile::kStrict, false);
  if (needed.size() > PointsFor(*rules, SessionProfile::kStrict).size()) std::abort();
  const auto literal = PointsFor(*policy, *rules, SessionProfile::kStrict, true);
  if (literal.size() < needed.size()) std::abort();
  return 0;
}
