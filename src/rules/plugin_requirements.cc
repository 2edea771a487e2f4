#include "rules/plugin_requirements.h"

#include <algorithm>
#include <array>

namespace gyrfalcon {
namespace {

constexpr std::array<BuiltInPlugin, 1> kBuiltIn = {{{"container", "0.6.0"}}};

bool IsMet(const PluginRequirement::Version& wanted) {
  const auto plugin = std::ranges::find(kBuiltIn, wanted.name, &BuiltInPlugin::name);
  if (plugin == kBuiltIn.end()) return false;
  const auto required = ParsePluginVersion(wanted.version);
  return required && Satisfies(*ParsePluginVersion(plugin->version), *required);
}

std::string WhyUnmet(const PluginRequirement& requirement) {
  for (const PluginRequirement::Version& wanted : requirement.alternatives) {
    const auto plugin = std::ranges::find(kBuiltIn, wanted.name, &BuiltInPlugin::name);
    if (plugin == kBuiltIn.end()) continue;
    return "what is built in of it is that of " + std::string(plugin->version);
  }
  return "there are no plugins here: rules of its source are skipped, its fields do not exist";
}

}  // namespace

std::span<const BuiltInPlugin> BuiltInPlugins() {
  return kBuiltIn;
}

std::string_view PluginOfField(std::string_view field) {
  const bool container = field.starts_with("container.") || field.starts_with("k8s.") ||
                         field.starts_with("proc.is_container_");
  return container ? kBuiltIn[0].name : std::string_view();
}

std::optional<EngineVersion> ParsePluginVersion(std::string_view text) {
  // A lone number is an engine version, but no version of a plugin.
  if (std::ranges::count(text, '.') < 2) return std::nullopt;
  return ParseEngineVersion(text);
}

std::vector<std::string> UnmetPluginRequirements(std::span<const PluginRequirement> requirements) {
  std::vector<std::string> unmet;
  for (const PluginRequirement& requirement : requirements) {
    if (std::ranges::any_of(requirement.alternatives, IsMet)) continue;
    std::string text;
    if (!requirement.context.empty()) {
      const LoadLocation& place = requirement.context.back();
      text += place.file + ":" + std::to_string(place.position.line + 1) + ":" +
              std::to_string(place.position.column + 1) + ": ";
    }
    text += "requires the plugin ";
    for (const PluginRequirement::Version& wanted : requirement.alternatives) {
      if (&wanted != &requirement.alternatives.front()) text += " or ";
      text += wanted.name + " (>= " + wanted.version + ")";
    }
    text += "; " + WhyUnmet(requirement);
    if (std::ranges::find(unmet, text) == unmet.end()) unmet.push_back(std::move(text));
  }
  return unmet;
}

}  // namespace gyrfalcon
