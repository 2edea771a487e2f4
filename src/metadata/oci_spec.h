// What an OCI spec tells of its container: a bundle's config.json, and runsc's state files, which
// hold the same. Container engines put the names of pod, container and image into its annotations.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "metadata/container_info.h"
#include "metadata/rootfs.h"

namespace gyrfalcon {

struct SpecInfo {
  ContainerInfo info;
  // Docker's folder of the container, by the files that it mounts into it; "": not Docker's, or not
  // to be seen. Named after `container_id`.
  std::string docker_folder;
};

// Of a config.json; nullopt: the text is no OCI spec.
std::optional<SpecInfo> InfoOfSpec(std::string_view json, std::string_view container_id);
// Of runsc's state file.
std::optional<SpecInfo> InfoOfState(std::string_view json, std::string_view container_id);

// From the bundle where the container is the sandbox's own and the bundle is known, else from
// runsc's state file. Reads files: never call it where events wait. `container_id` may be a
// sandbox's invention: it is checked before a file is named after it.
Result<SpecInfo> ReadSpecInfo(const SandboxPlace& place, std::string_view container_id);

}  // namespace gyrfalcon
