// What the honoured keys do to a Config. Values have been checked against the table.
#pragma once

#include "cli/config.h"
#include "rules/yaml.h"

namespace gyrfalcon {

void SetRulesFiles(const YamlNode& node, Config& config);
void SetRunscRoots(const YamlNode& node, Config& config);
void SetRunscToml(const YamlNode& node, Config& config);
void SetOnFailure(const YamlNode& node, Config& config);
void SetPriority(const YamlNode& node, Config& config);
void SetNeverSkipPriority(const YamlNode& node, Config& config);
void SetMatching(const YamlNode& node, Config& config);
void SetSelection(const YamlNode& node, Config& config);
void SetBuiltinAlerts(const YamlNode& node, Config& config);
void SetAppendOutput(const YamlNode& node, Config& config);
void SetHttpHeaders(const YamlNode& node, Config& config);
void SetWebPort(const YamlNode& node, Config& config);
void SetWebThreads(const YamlNode& node, Config& config);
void SetMetricsInterval(const YamlNode& node, Config& config);

// What the type alone does not tell; each gives what is wrong, or "".
std::string CheckPriority(const YamlNode& node);
std::string CheckBuiltinAlert(const YamlNode& node);
std::string CheckBuiltinName(const YamlNode& node);
std::string CheckSelection(const YamlNode& node);
std::string CheckIpAddress(const YamlNode& node);
std::string CheckDropActions(const YamlNode& node);
std::string CheckDropThreshold(const YamlNode& node);
std::string CheckHealthzPath(const YamlNode& node);
std::string CheckMetricsInterval(const YamlNode& node);

}  // namespace gyrfalcon
