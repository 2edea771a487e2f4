#include "cli/config_schema.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/config_table.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::ordered_json;

Json MappingSchema(std::string_view path);

Json Number(std::string_view text) {
  if (const auto whole = ParseInt(text)) return *whole;
  return std::strtod(std::string(text).c_str(), nullptr);
}

Json DefaultOf(const ConfigKey& key) {
  switch (key.type) {
    case ConfigType::kBool:
      return key.default_value == "true";
    case ConfigType::kInteger:
    case ConfigType::kNumber:
      return Number(key.default_value);
    case ConfigType::kText:
      return key.default_value;
    default:
      return Json::parse(key.default_value);  // "[]" or "{}"
  }
}

Json TextSchema(const ConfigKey& key) {
  Json out = {{"type", "string"}};
  if (!key.choices.empty()) out["enum"] = Split(key.choices, '|');
  return out;
}

Json ListSchema(Json items) {
  return {{"type", "array"}, {"items", std::move(items)}};
}

Json AnyOf(Json first, Json second) {
  return {{"anyOf", Json::array({std::move(first), std::move(second)})}};
}

Json TypeSchema(const ConfigKey& key) {
  const std::string items = std::string(key.path) + "[]";
  switch (key.type) {
    case ConfigType::kBool:
      return {{"type", "boolean"}};
    case ConfigType::kInteger:
      return {{"type", "integer"}};
    case ConfigType::kNumber:
      return {{"type", "number"}};
    case ConfigType::kText:
      return TextSchema(key);
    case ConfigType::kTexts:
      return AnyOf(TextSchema(key), ListSchema(TextSchema(key)));
    case ConfigType::kMappings:
      return ListSchema(MappingSchema(items));
    case ConfigType::kTextsOrMappings:
      return AnyOf(TextSchema(key), ListSchema(AnyOf(TextSchema(key), MappingSchema(items))));
    case ConfigType::kTextsOrPairs:
      return ListSchema(AnyOf(TextSchema(key), {{"type", "object"},
                                                {"minProperties", 1},
                                                {"maxProperties", 1},
                                                {"additionalProperties", {{"type", "string"}}}}));
    case ConfigType::kTextMap:
      return {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
    case ConfigType::kAny:
      break;
  }
  return Json::object();
}

std::string_view EffectText(ConfigEffect effect) {
  switch (effect) {
    case ConfigEffect::kNotYet:
      return " (not there yet in this release: ignored)";
    case ConfigEffect::kNoMeaning:
      return " (without a meaning here: ignored)";
    default:
      return "";
  }
}

Json KeySchema(const ConfigKey& key) {
  Json out = TypeSchema(key);
  out["description"] = std::string(key.help) + std::string(EffectText(key.effect));
  if (!key.default_value.empty()) out["default"] = DefaultOf(key);
  if (key.min > std::numeric_limits<double>::lowest()) {
    out["minimum"] = static_cast<int64_t>(key.min);
  }
  if (key.max < std::numeric_limits<double>::max()) out["maximum"] = static_cast<int64_t>(key.max);
  return out;
}

Json MappingSchema(std::string_view path) {
  Json properties = Json::object();
  for (const std::string_view name : ConfigNamesBelow(path)) {
    const std::string below = ConfigPath(path, name);
    const ConfigKey* key = FindConfigKey(below);
    properties[std::string(name)] = key == nullptr ? MappingSchema(below) : KeySchema(*key);
  }
  return {
      {"type", "object"}, {"additionalProperties", false}, {"properties", std::move(properties)}};
}

std::string DefaultYaml(const ConfigKey& key) {
  if (key.default_value.empty()) return key.type == ConfigType::kText ? "\"\"" : "";
  return std::string(key.default_value);
}

std::string ChoicesText(const ConfigKey& key) {
  if (key.choices.empty()) return "";
  return fmt::format(" One of {}.", fmt::join(Split(key.choices, '|'), ", "));
}

// Items of a list have no place in a file of defaults; they are explained above it.
void AppendItemKeys(const ConfigKey& list, std::string_view indent, std::string& out) {
  const std::string items = std::string(list.path) + "[].";
  for (const ConfigKey& key : ConfigKeys()) {
    if (!key.path.starts_with(items)) continue;
    out += fmt::format("{}#   {}: {}.{}\n", indent, key.path.substr(items.size()), key.help,
                       ChoicesText(key));
  }
}

void AppendDefaults(const std::string& path, const std::string& indent, std::string& out) {
  for (const std::string_view name : ConfigNamesBelow(path)) {
    const std::string below = ConfigPath(path, name);
    ConfigEffect effect = ConfigEffect::kHonoured;
    if (IsWithoutEffect(below, effect)) continue;
    const ConfigKey* key = FindConfigKey(below);
    if (key == nullptr) {
      out += fmt::format("{}{}{}:\n", indent.empty() ? "\n" : "", indent, name);
      AppendDefaults(below, indent + "  ", out);
      continue;
    }
    if (key->default_value.empty() && key->type != ConfigType::kText) continue;  // an older name
    out += fmt::format("{}{}# {}.{}\n", indent.empty() ? "\n" : "", indent, key->help,
                       ChoicesText(*key));
    AppendItemKeys(*key, indent, out);
    out += fmt::format("{}{}: {}\n", indent, name, DefaultYaml(*key));
  }
}

// Rows that say the same of keys below one mapping are one row.
struct Group {
  std::string names;
  std::string_view help;
  ConfigEffect effect;
};

void CollectGroups(const std::string& path, std::vector<Group>& out) {
  for (const std::string_view name : ConfigNamesBelow(path)) {
    const std::string below = ConfigPath(path, name);
    ConfigEffect effect = ConfigEffect::kHonoured;
    const ConfigKey* key = FindConfigKey(below);
    if (!IsWithoutEffect(below, effect)) {
      if (key == nullptr) CollectGroups(below, out);
      continue;
    }
    if (key == nullptr) {
      key = &*std::ranges::find_if(ConfigKeys(), [&below](const ConfigKey& row) {
        return row.path.starts_with(below + ".");
      });
    }
    const auto same = std::ranges::find_if(out, [key, effect](const Group& group) {
      return group.help == key->help && group.effect == effect;
    });
    if (same != out.end()) {
      same->names += fmt::format(", `{}`", below);
    } else {
      out.push_back({fmt::format("`{}`", below), key->help, effect});
    }
  }
}

}  // namespace

std::string MarkdownCell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string ConfigSchemaJson() {
  Json schema = {{"$schema", "http://json-schema.org/draft-07/schema#"},
                 {"title", "gyrfalcon's config: Falco 0.43's keys and its own"}};
  const Json root = MappingSchema("");
  for (const auto& [name, value] : root.items()) schema[name] = value;
  return schema.dump(2);
}

std::string DefaultConfigYaml() {
  std::string out =
      "# The config of gyrfalcon: every key that has an effect, with its default. Nothing in here "
      "is\n"
      "# needed; without a file the same is in force. A falco.yaml of Falco 0.43 works as well. "
      "In\n"
      "# values, ${NAME} is the environment variable NAME, and $${NAME} is the text ${NAME}.\n"
      "# Made from the table of keys by scripts/update-docs.sh; docs/operating.md explains.\n";
  AppendDefaults("", "", out);
  return out;
}

std::string ConfigKeysMarkdown() {
  std::string out = "| key | default | meaning |\n|---|---|---|\n";
  for (const ConfigKey& key : ConfigKeys()) {
    if (key.effect != ConfigEffect::kHonoured) continue;
    out += fmt::format("| `{}`{} | {} | {} |\n", key.path,
                       key.origin == ConfigOrigin::kOurs ? " (ours)" : "",
                       key.default_value.empty() ? "–" : fmt::format("`{}`", key.default_value),
                       MarkdownCell(std::string(key.help) + "." + ChoicesText(key)));
  }
  return out;
}

std::string IgnoredKeysMarkdown() {
  std::vector<Group> groups;
  CollectGroups("", groups);
  std::string out = "| key | | why |\n|---|---|---|\n";
  for (const auto effect : {ConfigEffect::kNotYet, ConfigEffect::kNoMeaning}) {
    for (const Group& group : groups) {
      if (group.effect != effect) continue;
      out += fmt::format("| {} | {} | {} |\n", group.names,
                         effect == ConfigEffect::kNotYet ? "not yet" : "no meaning",
                         MarkdownCell(group.help));
    }
  }
  return out;
}

}  // namespace gyrfalcon
