// Where the engines that we know let runsc keep its state: one file for each container, named
// CONTAINER_sandbox:SANDBOX.state.
#pragma once

#include <string>
#include <vector>

namespace gyrfalcon {

// The folders of runsc itself, Docker and containerd that are there and that we may read, sorted.
// `run_folder` is for tests.
std::vector<std::string> UsualRoots(const std::string& run_folder = "/run");

// The same of a Docker daemon whose --exec-root that is.
std::vector<std::string> DockerRoots(const std::string& exec_root);

// Whether any container's state lies there: Docker's folder has those of other runtimes too, and
// runsc need not be called for them.
bool KeepsState(const std::string& root);

}  // namespace gyrfalcon
