// The JSON schema of rules files: what `--rule-schema` prints, and what every file is held against.
// The outcome is for information; what a file may hold is decided by the reader, which knows more
// than a schema can say (and accepts what this one does not: `priority: info`, `enabled: yes`).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rules/yaml.h"

namespace gyrfalcon {

// The text of the schema, JSON.
std::string_view RulesSchema();

// What in one document does not fit the schema, innermost place first, in the words of Falco's
// validator ("failed for <root>[0]: …"); {"ok"} when everything does. At most kSchemaWarningsMax.
std::vector<std::string> CheckAgainstRulesSchema(const YamlNode& document);

inline constexpr size_t kSchemaWarningsMax = 1000;

}  // namespace gyrfalcon
