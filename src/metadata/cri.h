// What a container runtime of Kubernetes knows of a container: the labels of container and pod, the
// digest of the image, addresses. By its CRI socket (gRPC); names of pod and image are in the OCI
// spec already, so that nobody needs this for them.
//
// gRPC is one POST by HTTP/2, which libcurl can do, and its messages are read and written by hand:
// there is nothing of it in a process whose config names no CRI socket but this code.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "metadata/container_info.h"

namespace gyrfalcon {

inline constexpr size_t kCriAnswerBytesMax = size_t{4} << 20;

struct CriContainer {
  std::string id;
  std::string pod_sandbox_id;
  std::string name;
  std::string image;
  std::string image_ref;  // with the digest, or the image's id
  Labels labels;
};

struct CriPod {
  std::string id;
  std::string name;
  std::string pod_namespace;
  std::string uid;
  std::string ip;
  std::string cni_json;  // the interfaces that the network plugin made; "": not told
  std::optional<bool> host_pid;
  std::optional<bool> host_network;
  std::optional<bool> host_ipc;
  Labels labels;
};

// Of the messages ListContainersResponse (the container of that id) and PodSandboxStatusResponse of
// runtime.v1; nullopt: not there, or not well-formed.
std::optional<CriContainer> ReadCriContainers(std::string_view message, std::string_view id);
std::optional<CriPod> ReadCriPod(std::string_view message);

// Adds what the runtime at `socket` knows to what the spec has told. Waits, `timeout_ms` for each
// of two calls at most: never where events wait. An error where it does not know the container
// (yet), or where container and pod are not those of the spec: what of that was learnt is in `info`
// all the same.
Result<void> AddCri(const std::string& socket, std::string_view container_id, int timeout_ms,
                    ContainerInfo& info);

// A text, or a message, as the field of that number (15 at most) of a message to be sent.
std::string CriField(unsigned number, std::string_view bytes);

// One call: the answer's message, or what is wrong.
Result<std::string> CallCri(const std::string& socket, std::string_view method,
                            std::string_view message, int timeout_ms);

}  // namespace gyrfalcon
