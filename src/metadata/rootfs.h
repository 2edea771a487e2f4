// Where a container's root file system lies on this host, and how to read a file of it without
// being led out of it.
//
// runsc's state files and bundles are the administrator's and believed; the root file system is
// the container's and distrusted: symbolic links that point at the host, FIFOs, devices and files
// without end are what an attacker would put there.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "metadata/user_table.h"

namespace gyrfalcon {

// What the process of a sandbox's runsc tells of it, by its command line mostly.
struct SandboxPlace {
  std::string state_root;  // runsc's --root, absolute
  std::string sandbox_id;
  std::string bundle;   // --bundle of the sandbox's own container; "": not told, or not absolute
  std::string runsc{};  // the program itself, where it may be run; "": not known

  bool known() const { return !sandbox_id.empty() && !state_root.empty(); }
};

// Where runsc keeps its state when it is started by root without --root.
inline constexpr std::string_view kDefaultStateRoot = "/var/run/runsc";
// Of a bundle's config.json and of a state file.
inline constexpr size_t kContainerSpecBytesMax = 4 * 1024 * 1024;

// Whether runsc would take it as a container's id: letters, digits and "_+-.", but no path. The
// Sentry tells ids, so they are checked before a file is named after them.
bool IsContainerId(std::string_view id);

// runsc's state file of a container of this sandbox; both ids are checked ones.
std::string StateFilePath(const SandboxPlace& place, std::string_view container_id);

// A regular file that is the administrator's, whole; an error for anything else, and for more than
// `bytes_max`. Waits for no FIFO.
Result<std::string> ReadHostFile(const std::string& path, size_t bytes_max);

// The absolute path of the root file system of a container of this sandbox: from its bundle's
// config.json where the container is the sandbox's own, else from runsc's state file
// STATE_ROOT/CONTAINER_sandbox:SANDBOX.state, which appears only when the container is made.
Result<std::string> FindRootFolder(const SandboxPlace& place, std::string_view container_id);

// The same of the text of a bundle's config.json, and of a state file; nullopt where it tells none.
std::optional<std::string> RootPathOfSpec(std::string_view json, const std::string& bundle);
std::optional<std::string> RootPathOfState(std::string_view json);

// A regular file of the root file system, whole. `path` is relative to `root_folder`; symbolic
// links are followed, but as the container would see them: never out of `root_folder`, nor to
// another mount. Opens nothing but a regular file, so nothing waits; errors for anything else and
// for more than `bytes_max`.
Result<std::string> ReadBelowRoot(const std::string& root_folder, const std::string& path,
                                  size_t bytes_max);

// The users and groups of a container; an error where the root file system is not to be found, or
// neither file can be read. Reads files: never call it where events wait.
Result<std::shared_ptr<const UserTable>> LoadUserTable(const SandboxPlace& place,
                                                       std::string_view container_id);

}  // namespace gyrfalcon
