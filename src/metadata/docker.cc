#include "metadata/docker.h"

#include <utility>

#include "base/text.h"
#include "metadata/json_access.h"
#include "metadata/local_http.h"
#include "metadata/rootfs.h"

namespace gyrfalcon {
namespace {

constexpr size_t kNetworksMax = 64;

std::string_view WithoutSlash(std::string_view name) {
  if (name.starts_with('/')) name.remove_prefix(1);
  return name;
}

ContainerMount MountOf(const Json& mount) {
  return {.source = InfoText(TextAt(&mount, "Source")),
          .destination = InfoText(TextAt(&mount, "Destination")),
          .mode = InfoText(TextAt(&mount, "Mode")),
          .writable = TruthAt(&mount, "RW"),
          .propagation = InfoText(TextAt(&mount, "Propagation"))};
}

// The first address of its networks that is one.
std::string AddressOf(const Json* networks) {
  if (networks == nullptr || !networks->is_object()) return "";
  size_t seen = 0;
  for (const auto& [name, network] : networks->items()) {
    if (const std::string_view address = TextAt(&network, "IPAddress"); !address.empty()) {
      return InfoText(address);
    }
    if (++seen == kNetworksMax) break;
  }
  return "";
}

// Labels are the image's too, and then anybody's. cri-dockerd and dockershim name their containers
// k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT (POD for the pod's own), and whoever may choose a
// container's name may start any.
bool AreKubernetes(const Labels& labels, std::string_view docker_name) {
  constexpr size_t kParts = 6;
  const std::vector<std::string_view> parts = Split(docker_name, '_');
  if (parts.size() < kParts || parts[0] != "k8s") return false;
  const auto is = [&labels](std::string_view label, std::string_view wanted) {
    const std::string* found = FindLabel(labels, label);
    return found != nullptr && *found == wanted;
  };
  return is("io.kubernetes.pod.name", parts[2]) && is("io.kubernetes.pod.namespace", parts[3]) &&
         is("io.kubernetes.pod.uid", parts[4]) &&
         (parts[1] == "POD" || is("io.kubernetes.container.name", parts[1]));
}

// What cri-dockerd and dockershim write there goes to where it belongs.
void TakeLabels(Labels labels, ContainerInfo& info) {
  if (!AreKubernetes(labels, info.name)) {
    info.labels = std::move(labels);
    return;
  }
  info.TakeKubernetesNames(labels);
  const std::string* type = FindLabel(labels, "io.kubernetes.docker.type");
  info.is_pod_sandbox = type != nullptr && *type == "podsandbox";
  if (const std::string* name = FindLabel(labels, "io.kubernetes.container.name")) {
    if (!info.is_pod_sandbox) info.name = *name;
  }
  (info.is_pod_sandbox ? info.pod_labels : info.labels) = std::move(labels);
}

void TakeHostConfig(std::string_view text, ContainerInfo& info) {
  const Json host = ParseJson(text);
  if (!host.is_object()) return;
  info.privileged = TruthAt(&host, "Privileged");
  info.host_pid = TextAt(&host, "PidMode") == "host";
  info.host_network = TextAt(&host, "NetworkMode") == "host";
  info.host_ipc = TextAt(&host, "IpcMode") == "host";
}

template <class Rows>
std::vector<ContainerMount> MountsOf(const Rows& rows) {
  std::vector<ContainerMount> out;
  for (const auto& row : rows) {
    if (out.size() >= kInfoMountsMax) break;
    out.push_back(MountOf(row));
  }
  return out;
}

}  // namespace

std::optional<ContainerInfo> InfoOfDockerConfig(std::string_view config,
                                                std::string_view host_config,
                                                std::string_view container_id) {
  const Json root = ParseJson(config);
  if (container_id.empty() || TextAt(&root, "ID") != container_id) return std::nullopt;
  ContainerInfo info;
  info.type = "docker";
  info.name = InfoText(WithoutSlash(TextAt(&root, "Name")));
  const Json* own = Member(&root, "Config");
  info.SetImage(TextAt(own, "Image"));
  info.SetImageId(TextAt(&root, "Image"));
  if (const Json* mounts = Member(&root, "MountPoints"); mounts != nullptr && mounts->is_object()) {
    info.mounts = MountsOf(*mounts);
  }
  info.ip = AddressOf(Member(Member(&root, "NetworkSettings"), "Networks"));
  TakeLabels(LabelsAt(own, "Labels"), info);
  TakeHostConfig(host_config, info);
  return info;
}

std::optional<ContainerInfo> InfoOfDockerList(std::string_view json,
                                              std::string_view container_id) {
  const Json list = ParseJson(json);
  if (!list.is_array() || container_id.empty()) return std::nullopt;
  for (const Json& row : list) {
    if (TextAt(&row, "Id") != container_id) continue;
    ContainerInfo info;
    info.type = "docker";
    if (const Json* names = Member(&row, "Names"); names != nullptr && names->is_array()) {
      for (const Json& name : *names) {
        if (!name.is_string()) continue;
        info.name = InfoText(WithoutSlash(name.get_ref<const std::string&>()));
        break;
      }
    }
    info.SetImage(TextAt(&row, "Image"));
    info.SetImageId(TextAt(&row, "ImageID"));
    if (const Json* mounts = Member(&row, "Mounts"); mounts != nullptr && mounts->is_array()) {
      info.mounts = MountsOf(*mounts);
    }
    info.ip = AddressOf(Member(Member(&row, "NetworkSettings"), "Networks"));
    info.host_network = TextAt(Member(&row, "HostConfig"), "NetworkMode") == "host";
    TakeLabels(LabelsAt(&row, "Labels"), info);
    return info;
  }
  return std::nullopt;
}

Result<ContainerInfo> ReadDockerFolder(const std::string& folder, std::string_view container_id) {
  const auto config = ReadHostFile(folder + "/config.v2.json", kDockerAnswerBytesMax);
  if (!config) return std::unexpected(config.error());
  const auto host = ReadHostFile(folder + "/hostconfig.json", kDockerAnswerBytesMax);
  auto info = InfoOfDockerConfig(*config, host ? std::string_view(*host) : std::string_view(),
                                 container_id);
  if (!info) return Fail(Fault::kInput, folder + "/config.v2.json: not of this container");
  return *std::move(info);
}

Result<ContainerInfo> AskDocker(const std::string& socket, std::string_view container_id,
                                int timeout_ms) {
  if (!IsContainerId(container_id)) return Fail(Fault::kInput, "not a container's id");
  LocalRequest request;
  request.socket = socket;
  // The filter is {"id":["…"]}, escaped; an id needs no escaping.
  request.path = "/containers/json?all=1&filters=%7B%22id%22%3A%5B%22" + std::string(container_id) +
                 "%22%5D%7D";
  request.timeout_ms = timeout_ms;
  request.answer_bytes_max = kDockerAnswerBytesMax;
  const auto answer = CallLocal(request);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 200) {
    return Fail(Fault::kEnvironment, socket + " answers " + std::to_string(answer->status));
  }
  auto info = InfoOfDockerList(answer->body, container_id);
  if (!info) return Fail(Fault::kInput, socket + " does not know the container");
  return *std::move(info);
}

void AddDocker(ContainerInfo docker, ContainerInfo& info) {
  const auto keep = [](auto& found, auto& before) {
    if (!found) found = std::move(before);
  };
  keep(docker.privileged, info.privileged);
  keep(docker.host_pid, info.host_pid);
  keep(docker.host_network, info.host_network);
  keep(docker.host_ipc, info.host_ipc);
  keep(docker.mounts, info.mounts);
  info = std::move(docker);
}

}  // namespace gyrfalcon
