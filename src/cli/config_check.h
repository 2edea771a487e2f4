// Holds a config's tree to the table of keys.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rules/yaml.h"

namespace gyrfalcon {

struct ConfigProblem {
  FilePosition position;
  std::string message;  // "unknown key `priorty`; did you mean `priority`?"
};

// All that is wrong with the value of the key `path` ("" is a whole file), in the file's order.
std::vector<ConfigProblem> CheckConfig(const YamlNode& node, std::string_view path);

// A key may stand once in a mapping. Leaves the first of each, as Falco reads it, and names the
// others.
std::vector<ConfigProblem> DropRepeatedKeys(YamlNode& node);

std::string UnknownConfigKey(std::string_view path, std::string_view name);

// The keys below `root` that are known and have no effect here; a mapping that has none at all is
// one name. `not_yet`: those that will have one.
struct IgnoredKeys {
  std::vector<std::string> without_meaning;
  std::vector<std::string> not_yet;
};
IgnoredKeys FindIgnoredKeys(const YamlNode& root);

}  // namespace gyrfalcon
