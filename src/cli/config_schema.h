// The table of config keys, for others to read.
#pragma once

#include <string>
#include <string_view>

namespace gyrfalcon {

// A JSON schema (draft-07) of a config file. It is stricter than the loader in what YAML blurs:
// there a key without a value means its default, and a text may look like a number.
std::string ConfigSchemaJson();

// config/gyrfalcon.yaml: each honoured key with its default, its help above it.
std::string DefaultConfigYaml();

// docs/operating.md: a table of the honoured keys.
std::string ConfigKeysMarkdown();

// docs/moving-from-falco.md: Falco's keys that have no effect, and why.
std::string IgnoredKeysMarkdown();

// A text inside a table of markdown.
std::string MarkdownCell(std::string_view text);

}  // namespace gyrfalcon
