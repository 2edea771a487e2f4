// toml++ as this project uses it: no exceptions, no assertion that lets a compiler assume something
// of a text from outside. For .cc files only.
#pragma once

// toml++ 3.3 asserts what its next lines check anyway (that a key follows on `[`), and with NDEBUG
// lets clang assume it.
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <string>
#include <string_view>

#include <toml++/toml.h>

#include "base/result.h"
#include "setup/toml_text.h"

namespace gyrfalcon {

// Bytes beyond ASCII are read as `?`, so that a column is a byte. Errors (kInput) begin with
// "PATH:LINE:COLUMN: ".
Result<toml::table> ReadToml(const std::string& path, std::string_view text);

// The table there; nullptr where there is none.
const toml::table* FindTable(const toml::table& root, const TomlPath& path);

}  // namespace gyrfalcon
