// containerd's own config.toml, versions 2 and 3: its runtimes that are gVisor's, and the TOML that
// the shim of each reads (ConfigPath in the runtime's options). Texts in, texts out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "setup/toml_text.h"

namespace gyrfalcon {

struct ContainerdRuntime {
  std::string name;
  TomlPath table;           // of the runtime
  std::string config_path;  // options.ConfigPath; "": none
};

struct ContainerdConfig {
  int version = 0;                          // 2 or 3
  std::vector<std::string> imports;         // patterns of files that are read after it, as written
  std::vector<ContainerdRuntime> runtimes;  // gVisor's, in the order of their names
};

struct ContainerdWish {
  std::string config_path;          // for runtimes that have none; printable, no quote or backslash
  std::vector<std::string> also{};  // runtimes that are gVisor's though their type does not say so
  // Where no runtime is gVisor's, one of this name is added; "": none is.
  std::string new_name{};
};

// A runtime is gVisor's where its runtime_type has "runsc" in it. `version`: what the file that
// imports this one has, 0 where none does. Errors (kInput) begin with "PATH:LINE:COLUMN: ": no
// TOML, and a version that is not known here. A blank text has version 2 and nothing in it.
Result<ContainerdConfig> ReadContainerdConfig(const std::string& path, std::string_view text,
                                              const std::vector<std::string>& also = {},
                                              int version = 0);

// With a ConfigPath for each of gVisor's runtimes. The same text where nothing is to be done.
Result<std::string> AddToContainerdConfig(const std::string& path, std::string_view text,
                                          const ContainerdWish& wish, int version = 0);

// What that set goes, where it is as it was set.
Result<std::string> RemoveFromContainerdConfig(const std::string& path, std::string_view text,
                                               const std::string& before,
                                               const ContainerdWish& wish);

}  // namespace gyrfalcon
