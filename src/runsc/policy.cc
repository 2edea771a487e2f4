#include "runsc/policy.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "points/syscall_catalog.h"

namespace gyrfalcon {
namespace {

using FirstNames = std::map<std::string_view, const PolicyName*>;

std::string ReasonOf(const VisibilityPolicy& policy, const PolicyName& name) {
  return fmt::format("policy {}:{}", policy.path, name.line);
}

// The reasons of those names of the policy that ask for a point; empty: none does.
Reasons PolicyReasons(const VisibilityPolicy& policy, const FirstNames& names,
                      std::string_view point) {
  Reasons out;
  for (const std::string_view call : SyscallsOfPoint(point)) {
    const auto named = names.find(call);
    if (named != names.end()) out.insert(ReasonOf(policy, *named->second));
  }
  return out;
}

std::vector<NamedPoint> AllPoints(const VisibilityPolicy& policy, const FirstNames& names) {
  std::vector<NamedPoint> out;
  for (const auto& [name, place] : names) {
    const SyscallInfo* call = FindSyscall(name);
    if (call == nullptr) continue;
    for (std::string& point : PointsOfSyscall(*call)) {
      out.push_back({std::move(point), ReasonOf(policy, *place)});
    }
  }
  return out;
}

// What is left of a point that the policy does not name: what the state needs.
bool KeepState(AskedPoint& point) {
  const auto is_other = [](const std::string& reason) { return !IsStateReason(reason); };
  std::erase_if(point.reasons, is_other);
  if (point.reasons.empty()) return false;
  for (AskedField& field : point.fields) std::erase_if(field.reasons, is_other);
  std::erase_if(point.fields, [](const AskedField& field) { return field.reasons.empty(); });
  return true;
}

}  // namespace

FirstNames FirstOfEach(const VisibilityPolicy& policy) {
  FirstNames out;
  for (const PolicyName& name : policy.allowlist) out.try_emplace(name.name, &name);
  return out;
}

std::vector<AskedPoint> PointsFor(const VisibilityPolicy& policy, const RuleSet& rules,
                                  SessionProfile profile, bool literal) {
  const FirstNames names = policy.intercept ? FirstOfEach(policy) : FirstNames();
  std::vector<NamedPoint> also;
  if (literal) also = AllPoints(policy, names);
  std::vector<AskedPoint> points = PointsFor(rules, profile, also);
  std::erase_if(points, [&](AskedPoint& point) {
    Reasons named = PolicyReasons(policy, names, point.name);
    if (named.empty()) return !KeepState(point);
    point.reasons.merge(std::move(named));
    return false;
  });
  return points;
}

}  // namespace gyrfalcon
