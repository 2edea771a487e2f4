#include <algorithm>

#include <fnmatch.h>

#include "fields/rows.h"
#include "metadata/container_info.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

using enum FieldType;

// From what the host knows of the container (metadata/container_info.h): missing until that has
// come, or where it is out of reach.
constexpr FieldDef Joined(std::string_view name, FieldType type, Extractor extract,
                          std::string_view help, ArgForm arg = ArgForm::kNone, uint8_t flags = 0) {
  return {.name = name,
          .type = type,
          .arg = arg,
          .flags = flags,
          .availability = Availability::kMetadata,
          .level = Level::kContainer,
          .invalidated_by = kByMetadata,
          .extract = extract,
          .help = help};
}

const ContainerInfo* InfoOf(const Happening& h) {
  return h.container == nullptr ? nullptr : h.container->info.get();
}

Value TextOrMissing(std::string_view text) {
  return text.empty() ? Value() : Value::Text(text);
}

template <auto member>
Value TextOf(const BoundField&, const Happening& h, Scratch&) {
  const ContainerInfo* info = InfoOf(h);
  return info == nullptr ? Value() : TextOrMissing(info->*member);
}

template <auto member>
Value ImagePart(const BoundField&, const Happening& h, Scratch&) {
  const ContainerInfo* info = InfoOf(h);
  return info == nullptr ? Value() : TextOrMissing(info->image_name.*member);
}

template <auto member>
Value TruthOf(const BoundField&, const Happening& h, Scratch&) {
  const ContainerInfo* info = InfoOf(h);
  return info == nullptr || !(info->*member) ? Value() : Value::Bool(*(info->*member));
}

Value SandboxShortId(const BoundField&, const Happening& h, Scratch&) {
  const ContainerInfo* info = InfoOf(h);
  return info == nullptr ? Value() : TextOrMissing(ShortContainerId(info->pod_sandbox_id));
}

template <auto member>
Value LabelOf(const BoundField& field, const Happening& h, Scratch&) {
  const ContainerInfo* info = InfoOf(h);
  const std::string* value = info == nullptr ? nullptr : FindLabel(info->*member, field.arg.text);
  return value == nullptr ? Value() : Value::Text(*value);
}

// Texts one behind the other, in the scratch.
template <class Visit>
Value Joint(Scratch& scratch, const Visit& visit) {
  size_t size = 0;
  visit([&size](std::string_view piece) { size += piece.size(); });
  if (size == 0) return {};
  const std::span<char> out = scratch.Chars(size);
  auto at = out.begin();
  visit([&at](std::string_view piece) { at = std::ranges::copy(piece, at).out; });
  return Value::Text({out.data(), out.size()});
}

// Falco leaves out what engines put there for themselves.
bool IsShownLabel(std::string_view name) {
  return !name.starts_with("annotation.") && !name.starts_with("io.kubernetes.");
}

template <auto member>
Value LabelsOf(const BoundField&, const Happening& h, Scratch& scratch) {
  const ContainerInfo* info = InfoOf(h);
  if (info == nullptr) return {};
  return Joint(scratch, [info](const auto& put) {
    std::string_view between;
    for (const auto& [name, value] : info->*member) {
      if (!IsShownLabel(name)) continue;
      put(between);
      put(name);
      put(":");
      put(value);
      between = ", ";
    }
  });
}

void PutMount(const ContainerMount& mount, const auto& put) {
  put(mount.source);
  put(":");
  put(mount.destination);
  put(":");
  put(mount.mode);
  put(mount.writable ? ":true:" : ":false:");
  put(mount.propagation);
}

Value Mounts(const BoundField&, const Happening& h, Scratch& scratch) {
  const ContainerInfo* info = InfoOf(h);
  if (info == nullptr || !info->mounts) return {};
  return Joint(scratch, [info](const auto& put) {
    std::string_view between;
    for (const ContainerMount& mount : *info->mounts) {
      put(between);
      PutMount(mount, put);
      between = ",";
    }
  });
}

// By number, or the first whose `by` fits the pattern; nullptr: none.
const ContainerMount* FindMount(const BoundField& field, const Happening& h,
                                std::string ContainerMount::* by) {
  const ContainerInfo* info = InfoOf(h);
  if (info == nullptr || !info->mounts) return nullptr;
  const std::vector<ContainerMount>& mounts = *info->mounts;
  if (field.arg.index) {
    return *field.arg.index < mounts.size() ? &mounts[*field.arg.index] : nullptr;
  }
  const auto found = std::ranges::find_if(mounts, [&](const ContainerMount& mount) {
    return ::fnmatch(field.arg.text.c_str(), (mount.*by).c_str(), 0) == 0;
  });
  return found == mounts.end() ? nullptr : &*found;
}

Value MountAsText(const BoundField& field, const Happening& h, Scratch& scratch) {
  const ContainerMount* mount = FindMount(field, h, &ContainerMount::source);
  if (mount == nullptr) return {};
  return Joint(scratch, [mount](const auto& put) { PutMount(*mount, put); });
}

// One part of a mount that is found by another part.
template <auto part, auto by>
Value MountPart(const BoundField& field, const Happening& h, Scratch&) {
  const ContainerMount* mount = FindMount(field, h, by);
  return mount == nullptr ? Value() : Value::Text(mount->*part);
}

Value MountIsWritable(const BoundField& field, const Happening& h, Scratch&) {
  const ContainerMount* mount = FindMount(field, h, &ContainerMount::source);
  return mount == nullptr ? Value() : Value::Text(mount->writable ? "true" : "false");
}

constexpr FieldDef Deprecated(std::string_view name, FieldType type, ArgForm arg = ArgForm::kNone) {
  return NeverField(name, type, "Deprecated in Falco; always missing.", arg, kDeprecated);
}

constexpr FieldDef kRows[] = {
    {.name = "container.id",
     .type = kText,
     .flags = kSuggestedOutput,
     .level = Level::kContainer,
     .extract =
         [](const BoundField&, const Happening& h, Scratch&) {
           return h.container == nullptr ? Value() : Value::Text(h.container->short_id());
         },
     .help = "The container's id: 12 characters of one of 64 hex digits, else the whole id."},
    {.name = "container.full_id",
     .type = kText,
     .level = Level::kContainer,
     .extract =
         [](const BoundField&, const Happening& h, Scratch&) {
           return h.container == nullptr ? Value() : Value::Text(h.container->id);
         },
     .help = "The container's whole id."},
    {.name = "container.start_ts",
     .type = kUint,
     .level = Level::kContainer,
     .extract =
         [](const BoundField&, const Happening& h, Scratch&) {
           if (h.container == nullptr || h.container->start_time_ns == 0) return Value();
           return Value::Uint(static_cast<uint64_t>(h.container->start_time_ns));
         },
     .help = "When the container started, ns since the epoch.",
     .falco_type = "ABSTIME"},
    {.name = "container.duration",
     .type = kUint,
     .level = Level::kContainer,
     .invalidated_by = kByTime,
     .extract =
         [](const BoundField&, const Happening& h, Scratch&) {
           if (h.container == nullptr || h.container->start_time_ns == 0) return Value();
           const int64_t age_ns = Since(h.container->start_time_ns, h.time_ns);
           return Value::Uint(age_ns < 0 ? 0 : static_cast<uint64_t>(age_ns));
         },
     .help = "Nanoseconds since the container started.",
     .falco_type = "RELTIME"},
    Joined("container.name", kText, TextOf<&ContainerInfo::name>, "The container's name.",
           ArgForm::kNone, kSuggestedOutput),
    Joined("container.image", kText, TextOf<&ContainerInfo::image>,
           "The image's name, as the container was made with it."),
    Joined("container.image.id", kText, TextOf<&ContainerInfo::image_id>,
           "The image's id, 12 hex digits; Docker, and CRI where that is asked."),
    Joined("container.image.repository", kText, ImagePart<&ImageName::repository>,
           "The image's name without tag and digest.", ArgForm::kNone, kSuggestedOutput),
    Joined("container.image.tag", kText, ImagePart<&ImageName::tag>,
           "The image's tag; latest where its name has neither tag nor digest.", ArgForm::kNone,
           kSuggestedOutput),
    Joined("container.image.digest", kText, ImagePart<&ImageName::digest>,
           "The image's digest, where its name has one, or CRI is asked."),
    Joined("container.type", kText, TextOf<&ContainerInfo::type>,
           "The engine: docker, containerd, cri-o or podman."),
    Joined(
        "container.privileged", kBool, TruthOf<&ContainerInfo::privileged>,
        "Whether the container is privileged: as Docker says, else by the capabilities and masked "
        "paths of its OCI spec."),
    Joined("container.mounts", kText, Mounts,
           "All mounts from the host, source:dest:mode:rdwr:propagation, with commas."),
    Joined("container.mount", kText, MountAsText,
           "One mount, by its number or a pattern of its source.", ArgForm::kKeyRequired),
    Joined("container.mount.source", kText,
           MountPart<&ContainerMount::source, &ContainerMount::destination>,
           "Source of one mount, by its number or a pattern of its destination.",
           ArgForm::kKeyRequired),
    Joined("container.mount.dest", kText,
           MountPart<&ContainerMount::destination, &ContainerMount::source>,
           "Destination of one mount, by its number or a pattern of its source.",
           ArgForm::kKeyRequired),
    Joined("container.mount.mode", kText, MountPart<&ContainerMount::mode, &ContainerMount::source>,
           "Mode of one mount.", ArgForm::kKeyRequired),
    Joined("container.mount.rdwr", kText, MountIsWritable, "Whether one mount is writable.",
           ArgForm::kKeyRequired),
    Joined("container.mount.propagation", kText,
           MountPart<&ContainerMount::propagation, &ContainerMount::source>,
           "Propagation of one mount.", ArgForm::kKeyRequired),
    Joined("container.ip", kText, TextOf<&ContainerInfo::ip>,
           "The container's address; its pod's where CRI is asked."),
    Joined("container.cni.json", kText, TextOf<&ContainerInfo::pod_cni_json>,
           "Interfaces that the network plugin made, as CRI tells them."),
    Joined("container.host_pid", kBool, TruthOf<&ContainerInfo::host_pid>,
           "Whether the host's PID namespace is used."),
    Joined("container.host_network", kBool, TruthOf<&ContainerInfo::host_network>,
           "Whether the host's network namespace is used."),
    Joined("container.host_ipc", kBool, TruthOf<&ContainerInfo::host_ipc>,
           "Whether the host's IPC namespace is used."),
    Joined("container.label", kText, LabelOf<&ContainerInfo::labels>, "One label.",
           ArgForm::kDottedOrKey),
    Joined("container.labels", kText, LabelsOf<&ContainerInfo::labels>,
           "All labels but the engine's own, as name:value, with commas."),
    Joined("k8s.pod.name", kText, TextOf<&ContainerInfo::pod_name>, "Name of the pod.",
           ArgForm::kNone, kSuggestedOutput),
    Joined("k8s.ns.name", kText, TextOf<&ContainerInfo::pod_namespace>, "Namespace of the pod.",
           ArgForm::kNone, kSuggestedOutput),
    Joined("k8s.pod.id", kText, TextOf<&ContainerInfo::pod_uid>, "Uid of the pod."),
    Joined("k8s.pod.uid", kText, TextOf<&ContainerInfo::pod_uid>, "Uid of the pod."),
    Joined("k8s.pod.sandbox_id", kText, SandboxShortId, "The pod's sandbox id, 12 characters."),
    Joined("k8s.pod.full_sandbox_id", kText, TextOf<&ContainerInfo::pod_sandbox_id>,
           "The pod's whole sandbox id."),
    Joined("k8s.pod.label", kText, LabelOf<&ContainerInfo::pod_labels>,
           "One label of the pod; CRI only.", ArgForm::kDottedOrKey),
    Joined("k8s.pod.labels", kText, LabelsOf<&ContainerInfo::pod_labels>,
           "All labels of the pod, as name:value, with commas; CRI only."),
    Joined("k8s.pod.ip", kText, TextOf<&ContainerInfo::pod_ip>, "The pod's address; CRI only."),
    Joined("k8s.pod.cni.json", kText, TextOf<&ContainerInfo::pod_cni_json>,
           "Interfaces that the network plugin made; CRI only."),
    Deprecated("container.healthcheck", kText),
    Deprecated("container.liveness_probe", kText),
    Deprecated("container.readiness_probe", kText),
    Deprecated("proc.is_container_healthcheck", kBool),
    Deprecated("proc.is_container_liveness_probe", kBool),
    Deprecated("proc.is_container_readiness_probe", kBool),
    Deprecated("k8s.rc.name", kText),
    Deprecated("k8s.rc.id", kText),
    Deprecated("k8s.rc.label", kText, ArgForm::kDottedOrKey),
    Deprecated("k8s.rc.labels", kText),
    Deprecated("k8s.svc.name", kText),
    Deprecated("k8s.svc.id", kText),
    Deprecated("k8s.svc.label", kText, ArgForm::kDottedOrKey),
    Deprecated("k8s.svc.labels", kText),
    Deprecated("k8s.ns.id", kText),
    Deprecated("k8s.ns.label", kText, ArgForm::kDottedOrKey),
    Deprecated("k8s.ns.labels", kText),
    Deprecated("k8s.rs.name", kText),
    Deprecated("k8s.rs.id", kText),
    Deprecated("k8s.rs.label", kText, ArgForm::kDottedOrKey),
    Deprecated("k8s.rs.labels", kText),
    Deprecated("k8s.deployment.name", kText),
    Deprecated("k8s.deployment.id", kText),
    Deprecated("k8s.deployment.label", kText, ArgForm::kDottedOrKey),
    Deprecated("k8s.deployment.labels", kText),
};

}  // namespace

std::span<const FieldDef> ContainerFields() {
  return kRows;
}

}  // namespace gyrfalcon
