// What the host knows of one container: who runs it, from which image, in which pod. Filled by the
// readers beside this file, each of which leaves alone what it does not know.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gyrfalcon {

// Of what one container's files and its engine's answers may make us remember; what is beyond is
// cut, or left out.
inline constexpr size_t kInfoTextBytesMax = 4096;
inline constexpr size_t kInfoLabelsMax = 256;        // and as many of the pod
inline constexpr size_t kInfoLabelBytesMax = 32768;  // of all of them together
inline constexpr size_t kInfoMountsMax = 256;

// An image's name, taken apart: "registry:5000/team/app:1.2@sha256:…".
struct ImageName {
  std::string repository;  // "registry:5000/team/app"
  std::string tag;         // "1.2"; "latest" where the name has neither tag nor digest
  std::string digest;      // "sha256:…"; "": none
};

// Empty for what is the id of an image, not a name: "sha256:…", or 64 hex digits.
ImageName SplitImageName(std::string_view name);

struct ContainerMount {
  std::string source;
  std::string destination;
  std::string mode;
  bool writable = true;
  std::string propagation;
};

// By name, each once, sorted.
using Labels = std::vector<std::pair<std::string, std::string>>;

// Adds one, within the limits above; of two of one name the later one counts.
void AddLabel(Labels& labels, std::string_view name, std::string_view value);
// nullptr: there is none.
const std::string* FindLabel(const Labels& labels, std::string_view name);

// Immutable once it is shared, so any number of threads may read it. "" and nullopt: not known. The
// texts are whatever the image's maker and the container's owner chose.
struct ContainerInfo {
  std::string name;
  std::string type;      // "docker", "containerd", "cri-o", "podman"
  std::string image;     // as it was asked for
  std::string image_id;  // 12 hex digits
  ImageName image_name;
  std::optional<bool> privileged;
  std::optional<bool> host_pid;
  std::optional<bool> host_network;
  std::optional<bool> host_ipc;
  std::optional<std::vector<ContainerMount>> mounts;
  std::string ip;
  Labels labels;

  std::string pod_name;
  std::string pod_namespace;
  std::string pod_uid;
  std::string pod_sandbox_id;
  std::string pod_ip;
  std::string pod_cni_json;
  Labels pod_labels;
  bool is_pod_sandbox = false;  // the pause container

  // The name of an image, and what follows from it.
  void SetImage(std::string_view text);
  // "sha256:…", or the hex digits alone.
  void SetImageId(std::string_view id);
  // What Kubernetes gives its containers as labels or annotations, under the names that dockershim,
  // cri-dockerd, CRI-O and the kubelet use. Fills what is not known yet.
  void TakeKubernetesNames(const Labels& from);
};

// As much of a text as is kept.
std::string InfoText(std::string_view text);

}  // namespace gyrfalcon
