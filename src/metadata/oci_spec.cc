#include "metadata/oci_spec.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.h"
#include "metadata/json_access.h"

namespace gyrfalcon {
namespace {

// Annotations, and where they go. Of two of one meaning the first counts.
struct Annotation {
  std::string_view name;
  std::string ContainerInfo::* into;
};
constexpr Annotation kAnnotations[] = {
    // containerd's CRI plugin, so GKE too.
    {"io.kubernetes.cri.container-name", &ContainerInfo::name},
    {"io.kubernetes.cri.sandbox-id", &ContainerInfo::pod_sandbox_id},
    {"io.kubernetes.cri.sandbox-name", &ContainerInfo::pod_name},
    {"io.kubernetes.cri.sandbox-namespace", &ContainerInfo::pod_namespace},
    {"io.kubernetes.cri.sandbox-uid", &ContainerInfo::pod_uid},
    // CRI-O.
    {"io.kubernetes.container.name", &ContainerInfo::name},
    {"io.kubernetes.cri-o.SandboxID", &ContainerInfo::pod_sandbox_id},
    {"io.kubernetes.cri-o.IP.0", &ContainerInfo::pod_ip},
};
constexpr std::string_view kImageAnnotations[] = {
    "io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName", "io.kubernetes.cri-o.Image"};
constexpr std::string_view kContainerd = "io.kubernetes.cri.";
constexpr std::string_view kCriO = "io.kubernetes.cri-o.";

bool HasPrefix(const Labels& annotations, std::string_view prefix) {
  return std::ranges::any_of(annotations,
                             [&](const auto& entry) { return entry.first.starts_with(prefix); });
}

// podman writes the image's own annotations there.
bool IsPodmans(const Labels& annotations) {
  const std::string* manager = FindLabel(annotations, "io.container.manager");
  return manager != nullptr && *manager == "libpod";
}

std::string_view TypeOf(const Labels& annotations) {
  if (HasPrefix(annotations, kContainerd)) return "containerd";
  return HasPrefix(annotations, kCriO) ? "cri-o" : "";
}

bool IsPodSandbox(const Labels& annotations) {
  for (const std::string_view name :
       {"io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"}) {
    const std::string* type = FindLabel(annotations, name);
    if (type != nullptr) return *type == "sandbox";
  }
  return false;
}

void TakeAnnotations(const Labels& annotations, std::string_view container_id,
                     ContainerInfo& info) {
  if (IsPodmans(annotations)) {
    info.type = "podman";
    return;
  }
  info.type = TypeOf(annotations);
  for (const Annotation& row : kAnnotations) {
    const std::string* found = FindLabel(annotations, row.name);
    if (found != nullptr && (info.*row.into).empty()) info.*row.into = *found;
  }
  for (const std::string_view name : kImageAnnotations) {
    const std::string* found = FindLabel(annotations, name);
    if (found != nullptr && info.image.empty()) info.SetImage(*found);
  }
  info.TakeKubernetesNames(annotations);
  info.is_pod_sandbox = IsPodSandbox(annotations);
  if (info.is_pod_sandbox && info.pod_sandbox_id.empty()) info.pod_sandbox_id = container_id;
  // CRI-O has its labels there, as JSON.
  if (const std::string* text = FindLabel(annotations, "io.kubernetes.cri-o.Labels")) {
    const Json labels = ParseJson(*text);
    const Json holder = {{"labels", labels.is_discarded() ? Json() : labels}};
    (info.is_pod_sandbox ? info.pod_labels : info.labels) = LabelsAt(&holder, "labels");
  }
}

bool HasOption(const Json& mount, std::string_view wanted) {
  const Json* options = Member(&mount, "options");
  if (options == nullptr || !options->is_array()) return false;
  return std::ranges::any_of(*options, [&](const Json& option) {
    return option.is_string() && option.get_ref<const std::string&>() == wanted;
  });
}

std::string PropagationOf(const Json& mount) {
  for (const std::string_view kind :
       {"rprivate", "private", "rshared", "shared", "rslave", "slave"}) {
    if (HasOption(mount, kind)) return std::string(kind);
  }
  return "";
}

// What the host gives it: not /proc, /dev and their like, which each container has of its own.
std::vector<ContainerMount> BindMounts(const Json* mounts) {
  std::vector<ContainerMount> out;
  if (mounts == nullptr || !mounts->is_array()) return out;
  for (const Json& mount : *mounts) {
    if (out.size() >= kInfoMountsMax) break;
    const bool is_bind =
        TextAt(&mount, "type") == "bind" || HasOption(mount, "bind") || HasOption(mount, "rbind");
    if (!is_bind) continue;
    out.push_back({.source = InfoText(TextAt(&mount, "source")),
                   .destination = InfoText(TextAt(&mount, "destination")),
                   .mode = "",
                   .writable = !HasOption(mount, "ro"),
                   .propagation = PropagationOf(mount)});
  }
  return out;
}

bool IsEmptyList(const Json* list) {
  return list == nullptr || !list->is_array() || list->empty();
}

// The spec has no word for it: engines give a privileged container every capability, and mask
// nothing of /proc.
bool IsPrivileged(const Json& spec) {
  const Json* linux_part = Member(&spec, "linux");
  const Json* bounding = Member(Member(Member(&spec, "process"), "capabilities"), "bounding");
  if (IsEmptyList(bounding) || !IsEmptyList(Member(linux_part, "maskedPaths"))) return false;
  const auto has = [bounding](std::string_view name) {
    return std::ranges::any_of(*bounding, [name](const Json& capability) {
      return capability.is_string() && capability.get_ref<const std::string&>() == name;
    });
  };
  return has("CAP_SYS_ADMIN") && has("CAP_SYS_MODULE") && has("CAP_SYS_RAWIO");
}

// Without a namespace of that kind the container is in the host's. One that is joined by a path is
// its pod's.
bool UsesHosts(const Json* namespaces, std::string_view kind) {
  if (namespaces == nullptr || !namespaces->is_array()) return false;
  return std::ranges::none_of(*namespaces,
                              [kind](const Json& row) { return TextAt(&row, "type") == kind; });
}

// Docker mounts files of its folder of the container into it.
std::string DockerFolder(const Json* mounts, std::string_view container_id) {
  if (mounts == nullptr || !mounts->is_array()) return "";
  for (const Json& mount : *mounts) {
    for (const std::string_view name : {"/hosts", "/hostname", "/resolv.conf"}) {
      if (TextAt(&mount, "destination") != "/etc" + std::string(name)) continue;
      std::string_view source = TextAt(&mount, "source");
      if (!source.starts_with('/') || !source.ends_with(name)) continue;
      source.remove_suffix(name.size());
      if (source.ends_with("/containers/" + std::string(container_id))) return std::string(source);
    }
  }
  return "";
}

std::optional<SpecInfo> ReadSpec(const Json& spec, std::string_view container_id) {
  if (!spec.is_object()) return std::nullopt;
  SpecInfo out;
  TakeAnnotations(LabelsAt(&spec, "annotations"), container_id, out.info);
  const Json* mounts = Member(&spec, "mounts");
  out.info.mounts = BindMounts(mounts);
  out.info.privileged = IsPrivileged(spec);
  const Json* namespaces = Member(Member(&spec, "linux"), "namespaces");
  out.info.host_pid = UsesHosts(namespaces, "pid");
  out.info.host_network = UsesHosts(namespaces, "network");
  out.info.host_ipc = UsesHosts(namespaces, "ipc");
  out.docker_folder = DockerFolder(mounts, container_id);
  return out;
}

}  // namespace

std::optional<SpecInfo> InfoOfSpec(std::string_view json, std::string_view container_id) {
  return ReadSpec(ParseJson(json), container_id);
}

std::optional<SpecInfo> InfoOfState(std::string_view json, std::string_view container_id) {
  const Json state = ParseJson(json);
  const Json* spec = Member(&state, "spec");
  return spec == nullptr ? std::nullopt : ReadSpec(*spec, container_id);
}

Result<SpecInfo> ReadSpecInfo(const SandboxPlace& place, std::string_view container_id) {
  if (!place.known() || !IsContainerId(container_id) || !IsContainerId(place.sandbox_id)) {
    return Fail(Fault::kInput, "the sandbox's place on this host is not known");
  }
  if (container_id == place.sandbox_id && !place.bundle.empty()) {
    const auto text = ReadHostFile(place.bundle + "/config.json", kContainerSpecBytesMax);
    auto info = text ? InfoOfSpec(*text, container_id) : std::nullopt;
    if (info) return *std::move(info);
  }
  const std::string path = StateFilePath(place, container_id);
  const auto text = ReadHostFile(path, kContainerSpecBytesMax);
  if (!text) return std::unexpected(text.error());
  auto info = InfoOfState(*text, container_id);
  if (!info) return Fail(Fault::kInput, path + ": no OCI spec");
  return *std::move(info);
}

}  // namespace gyrfalcon
