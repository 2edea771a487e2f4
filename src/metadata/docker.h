// What Docker knows of a container, from the files of its folder (DATA-ROOT/containers/ID) or from
// its list of containers. `inspect` is never asked: it waits for the start of a container that is
// starting, 222–294 ms of it, where the list answers in 3–10 ms, and the files are there before
// runsc is called.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "metadata/container_info.h"

namespace gyrfalcon {

inline constexpr size_t kDockerAnswerBytesMax = size_t{4} << 20;

// Of the texts of config.v2.json and hostconfig.json ("": not to be read); nullopt: they are not
// this container's.
std::optional<ContainerInfo> InfoOfDockerConfig(std::string_view config,
                                                std::string_view host_config,
                                                std::string_view container_id);
// Of the answer of GET /containers/json; nullopt: the container is not in it.
std::optional<ContainerInfo> InfoOfDockerList(std::string_view json, std::string_view container_id);

// From the files of `folder`. Reads files, as the next waits for the daemon: never where events
// wait.
Result<ContainerInfo> ReadDockerFolder(const std::string& folder, std::string_view container_id);
// From the daemon that listens at `socket`, within `timeout_ms`.
Result<ContainerInfo> AskDocker(const std::string& socket, std::string_view container_id,
                                int timeout_ms);

// What `docker` knows, over what the spec has told: mounts of the user's own, names, labels.
void AddDocker(ContainerInfo docker, ContainerInfo& info);

}  // namespace gyrfalcon
