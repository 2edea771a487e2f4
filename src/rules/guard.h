// A guard of a condition: texts of which one operand must be, or begin with, one for the condition
// to hold at all. With an index of the guards of many rules, a value finds the few rules that are
// worth asking.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "rules/plan_nodes.h"

namespace gyrfalcon {

struct GuardKey {
  uint32_t operand = 0;
  std::string_view text;   // lives in the condition
  bool is_prefix = false;  // else the whole value
  bool is_path = false;    // holds for values without doubled slashes only; others may fit anyway
};

// The condition can hold only if one of the keys fits.
using Guard = std::vector<GuardKey>;

inline constexpr size_t kGuardKeysMax = 4096;

// The most selective guard of a node of which `reach` decides the keys' operands; nullopt: it has
// none.
std::optional<Guard> FindGuard(const PlanNodes& nodes, NodeId id, Reach reach);

}  // namespace gyrfalcon
