// Every key that a config may have: Falco 0.43's and ours, a row each. The loader's checks, the
// JSON schema, the default gyrfalcon.yaml and the lists in docs/ are made from it. The facts about
// Falco's keys are those of the schema that `falco --config-schema` prints, of its defaults, and of
// the checks at its start.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/config.h"
#include "rules/yaml.h"

namespace gyrfalcon {

enum class ConfigType : uint8_t {
  kBool,
  kInteger,
  kNumber,
  kText,
  kTexts,            // a list of texts; a single text is a list of one
  kMappings,         // a list of mappings, whose keys have rows of their own: "rules[].enable.tag"
  kTextsOrMappings,  // each item is a text or such a mapping
  kTextsOrPairs,     // each item is a text or one `name: text`
  kTextMap,          // names of the user's own, each with a text
  kAny,
};

enum class ConfigEffect : uint8_t {
  kHonoured,
  kNotYet,     // it will have a meaning; this release ignores it, and says so
  kNoMeaning,  // it speaks of what does not exist here: kernel drivers, plugins
};

enum class ConfigOrigin : uint8_t { kFalco, kOurs };

struct ConfigKey {
  std::string_view path;  // "file_output.enabled"; "[]" stands for each item of a list
  ConfigType type;
  std::string_view default_value;  // as YAML; "": none
  ConfigEffect effect;
  std::string_view help;                               // one sentence, without a full stop
  void (*set)(const YamlNode&, Config&) = nullptr;     // of a value that has been checked
  std::string (*check)(const YamlNode&) = nullptr;     // beyond type and bounds; "": it is well
  std::string_view choices = {};                       // "first|all"; of a text, or of each text
  double min = std::numeric_limits<double>::lowest();  // of a number
  double max = std::numeric_limits<double>::max();
  std::string_view harmless = {};  // a value of a key without meaning that needs no warning
  ConfigOrigin origin = ConfigOrigin::kFalco;
  std::string (*check_item)(const YamlNode&) = nullptr;  // as `check`, of each mapping of a list
};

std::span<const ConfigKey> ConfigKeys();

// The row of exactly that path; nullptr when there is none.
const ConfigKey* FindConfigKey(std::string_view path);

// Some row's path goes on below this one: `path` is a mapping.
bool IsConfigMapping(std::string_view path);

// The names of the keys right below a mapping, in the table's order; "" is the root.
std::vector<std::string_view> ConfigNamesBelow(std::string_view path);

// The rows below a mapping all have the same effect, and not that they are honoured.
bool IsWithoutEffect(std::string_view path, ConfigEffect& effect);

// `a.b`, or `b` where `path` is the root.
std::string ConfigPath(std::string_view path, std::string_view name);

}  // namespace gyrfalcon
