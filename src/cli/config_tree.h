// A config before it means anything: YAML trees, their environment variables, their merging, and
// the paths of `-o`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rules/yaml.h"

namespace gyrfalcon {

// `${NAME}` becomes the value of the environment variable, nothing where it is not set, and is
// looked through again; `$${` is a plain `${`. As in Falco, a `$` of any other kind ends it: what
// follows stays as it is. nullopt: the text grows without end, because a variable names itself.
std::optional<std::string> ExpandEnvironment(std::string_view text);

// Expands each value below `root`, not the keys. The error is the place of a value that names
// itself.
std::expected<void, FilePosition> ExpandEnvironment(YamlNode& root);

// How the keys of an included file go over those that are there.
enum class MergeStrategy : uint8_t { kAppend, kOverride, kAddOnly };

MergeStrategy ParseMergeStrategy(std::string_view name);  // kAppend for what it does not know

// Key by key of the root, as Falco: a mapping is one value.
void MergeConfig(YamlNode& root, const YamlNode& included, MergeStrategy strategy);

// The value at a path without brackets; nullptr when there is none.
const YamlNode* FindConfigValue(const YamlNode& root, std::string_view path);

struct Assignment {
  std::string key;    // "rules[].disable.rule"
  std::string value;  // behind the first `=`
};

Result<Assignment> ParseAssignment(std::string_view text);

// Where an assignment leads, and the path of its row in the table, "rules[].disable.rule". `[]`
// appends an item, `[N]` is an item that is there or the next one. The node is made, empty, and
// lives as long as `root` is not changed. The error says what is wrong with the path; an unknown
// key is one.
struct ConfigPlace {
  YamlNode* node;
  std::string path;
};
Result<ConfigPlace> PlaceOf(std::string_view key, YamlNode& root);

}  // namespace gyrfalcon
