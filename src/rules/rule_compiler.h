// Compiles what was collected into rules. Internal to the loader.
#pragma once

#include <functional>
#include <vector>

#include "rules/collector.h"
#include "rules/rule_loader.h"

namespace gyrfalcon {

std::vector<Rule> CompileRules(const Collector& collector, const FieldCatalog& catalog,
                               const LoadOptions& options,
                               const std::function<void(LoadProblem)>& report);

}  // namespace gyrfalcon
