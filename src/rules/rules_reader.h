// Reads one rules file: YAML items become calls on the collector. Goes on after an error, so that
// one bad item does not hide the next; what comes after the first error is marked so.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/collector.h"
#include "rules/load_result.h"

namespace gyrfalcon {

inline constexpr std::string_view kEngineVersion = "0.63.0";

// `file` is the index of the file in the loader; `report` gets every error and warning of the
// reading itself (what the collector warns about goes its own way). Gives what the schema says, as
// LoadResult::schema_outcomes.
std::vector<std::string> ReadRulesFile(const RulesFile& file, uint32_t file_index,
                                       Collector& collector,
                                       const std::function<void(LoadProblem)>& report);

}  // namespace gyrfalcon
