// Reads the items that define something: list, macro, rule. Internal to the rules reader.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "rules/collector.h"
#include "rules/yaml.h"

namespace gyrfalcon {

struct ItemSource {
  const RulesFile& file;
  uint32_t index;
};

using ReportProblem = std::function<void(LoadProblem)>;

Collector::Outcome ReadListItem(const YamlNode& item, const LoadContext& context,
                                Collector& collector, const ReportProblem& report);
Collector::Outcome ReadMacroItem(const ItemSource& source, const YamlNode& item,
                                 const LoadContext& context, Collector& collector,
                                 const ReportProblem& report);
Collector::Outcome ReadRuleItem(const ItemSource& source, const YamlNode& item,
                                const LoadContext& context, Collector& collector,
                                const ReportProblem& report);

void WarnUnknownKeys(const YamlNode& item, const std::vector<std::string_view>& known,
                     const LoadContext& context, const ReportProblem& report);

}  // namespace gyrfalcon
