// Reads the keys of one YAML item with Falco's checks and messages. Internal to the rules reader.
#pragma once

#include <expected>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rules/definitions.h"
#include "rules/yaml.h"

namespace gyrfalcon {

template <class T>
using Decoded = std::expected<T, LoadProblem>;

std::unexpected<LoadProblem> ItemError(LoadCode code, std::string message,
                                       const LoadContext& context);

// `context` with one more place at its end.
LoadContext Inside(const LoadContext& context, std::string_view type, std::string_view name,
                   const FilePosition& position);

// A scalar that must not be empty; nullopt when the key is absent. With `required` that is an
// error.
Decoded<std::optional<std::string>> DecodeText(const YamlNode& item, std::string_view key,
                                               const LoadContext& context, bool required);
Decoded<std::optional<bool>> DecodeBool(const YamlNode& item, std::string_view key,
                                        const LoadContext& context, bool required = false);
Decoded<std::optional<uint32_t>> DecodeUint(const YamlNode& item, std::string_view key,
                                            const LoadContext& context);
Decoded<std::optional<std::vector<std::string>>> DecodeTexts(const YamlNode& item,
                                                             std::string_view key,
                                                             const LoadContext& context,
                                                             bool required);
Decoded<std::optional<Priority>> DecodePriority(const YamlNode& item, const LoadContext& context,
                                                bool required);

// The `exceptions` of a rule; nullopt when absent. `fields_required`: not when appending.
Decoded<std::optional<std::vector<ExceptionDefinition>>> DecodeExceptions(
    const YamlNode& item, const LoadContext& context, bool fields_required);

// `text`, the value of the scalar at `offset` of `file_text`, with the place of each character.
SourceText Locate(std::string_view text, std::string_view file_text, uint32_t file,
                  uint32_t offset);

}  // namespace gyrfalcon
