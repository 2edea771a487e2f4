// Compiles what was collected into rules. Internal to the loader.
#pragma once

#include <functional>
#include <vector>

#include "rules/collector.h"
#include "rules/description.h"
#include "rules/rule_loader.h"

namespace gyrfalcon {

std::vector<Rule> CompileRules(const Collector& collector, const FieldCatalog& catalog,
                               const LoadOptions& options,
                               const std::function<void(LoadProblem)>& report);

// Compiles once more, for what `-L` tells. The result views the collector.
Descriptions DescribeDefinitions(const Collector& collector, const FieldCatalog& catalog,
                                 const LoadOptions& options);

}  // namespace gyrfalcon
