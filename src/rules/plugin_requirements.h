// What rules files ask of plugins. There are none here; what Falco's container plugin gives is
// built in, and counts as that plugin. Rules that need another one come with a `source` of their
// own and are skipped, so a requirement that cannot be met is told and does not stop anything.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rules/definitions.h"
#include "rules/engine_version.h"

namespace gyrfalcon {

struct BuiltInPlugin {
  std::string_view name;
  std::string_view version;  // that of the plugin whose fields are built in
};

std::span<const BuiltInPlugin> BuiltInPlugins();

// The built-in plugin that gives a field ("container.id", "k8s.ns.name"); "" for the engine's own.
std::string_view PluginOfField(std::string_view field);

// "0.4.0", with any suffix; nullopt for what is no version.
std::optional<EngineVersion> ParsePluginVersion(std::string_view text);

// For each requirement that nothing here meets, in order, each text once:
// "rules.yaml:2:5: requires the plugin json (>= 0.7.0), …".
std::vector<std::string> UnmetPluginRequirements(std::span<const PluginRequirement> requirements);

}  // namespace gyrfalcon
