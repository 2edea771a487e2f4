// TOML with the place of what is in it, and one text set or taken away in one of its tables. toml++
// stays in this folder's .cc files that include toml_tree.h. Texts in, texts out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

// Names from the outermost table on: {"plugins", "io.containerd.grpc.v1.cri", "containerd"}.
using TomlPath = std::vector<std::string>;

struct TomlKey {
  TomlPath table;
  std::string key;  // letters, digits, `-` and `_` only
};

// The text that the key has; nullopt where it has none, or another kind of value. Errors (kInput)
// begin with "PATH:LINE:COLUMN: ".
Result<std::optional<std::string>> ReadTomlText(const std::string& path, std::string_view text,
                                                const TomlKey& key);

// With the key set to `value` (printable ASCII without quote and backslash): a line of its own
// below the table's header, a part of an inline table, or a table of its own behind the one that it
// is in (at the end, where that has no header). Nothing else changes, in text and in meaning.
// Errors: no TOML, a value that is no text, and a form of table in which nothing can be set so.
Result<std::string> SetTomlText(const std::string& path, std::string_view text, const TomlKey& key,
                                const std::string& value);

// The inverse, where the key has that value; else the same text. `before`: the text as it was when
// it was set: what the key had then comes back, and a table that was not there goes where it is
// empty now. UnsetTomlText(SetTomlText(x), x) is x.
Result<std::string> UnsetTomlText(const std::string& path, std::string_view text,
                                  const TomlKey& key, const std::string& value,
                                  const std::optional<std::string>& before);

}  // namespace gyrfalcon
