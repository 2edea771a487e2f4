// Docker's daemon.json: which of its runtimes are gVisor's, and the session config in the arguments
// of each. Texts in, texts out; what stands around a change stays as it was, byte for byte.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

// A runtime of gVisor.
struct DockerRuntime {
  std::string name;
  std::string path;               // of runsc, as written; "" for one that a shim runs
  std::vector<std::string> args;  // its runtimeArgs
  std::string config_path;        // of a shim's runtime (`runtimeType`): its TOML; else ""
  std::string session_file;       // what --pod-init-config names, the last one; "": it has none
};

// What is to be there afterwards.
struct DockerWish {
  std::string session_file;         // printable ASCII without quote, backslash and blank
  std::vector<std::string> also{};  // runtimes that are gVisor's though nothing of them says so
  bool replace = false;             // also where another session config is named
  // Where no runtime is gVisor's, this one is added; path "": then it is an error.
  std::string new_name = "runsc";
  std::string new_path{};
  std::vector<std::string> new_args{};
};

// What is undone: the file as it was (nullopt: it was not there) and as we left it.
struct ConfigChange {
  std::optional<std::string> before;
  std::string after;
};

// In the file's order. A runtime is gVisor's where "runsc" is in the last part of its path or in
// its runtimeType, or where `also` names it. Errors (kInput) begin with "PATH:LINE:COLUMN: ". A
// blank text has none, as for dockerd.
Result<std::vector<DockerRuntime>> ReadDockerRuntimes(const std::string& path,
                                                      std::string_view text,
                                                      const std::vector<std::string>& also = {});

// The text with --pod-init-config in the runtimeArgs of each of gVisor's runtimes that runs runsc
// itself; those that a shim runs have it in their TOML, and are left. The same text where nothing
// is to be done. Errors, beside those of reading: no such runtime, arguments that are no list of
// strings, another session config and not `replace`.
Result<std::string> AddToDockerConfig(const std::string& path, std::string_view text,
                                      const DockerWish& wish);

// The text without our session config: the arguments that name it go, what they replaced comes
// back, and what was added for them goes where nobody else put something into it or, of a runtime,
// made it Docker's default since.
// RemoveFromDockerConfig(AddToDockerConfig(x)) is x. Without a `change` only the arguments go.
Result<std::string> RemoveFromDockerConfig(const std::string& path, std::string_view text,
                                           const std::string& session_file,
                                           const std::optional<ConfigChange>& change);

}  // namespace gyrfalcon
