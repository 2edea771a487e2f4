#include "fields/rows.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

using enum FieldType;

// Joined from the container runtime's metadata; until a source of it is configured, missing.
constexpr FieldDef Joined(std::string_view name, FieldType type, std::string_view help,
                          ArgForm arg = ArgForm::kNone, uint8_t flags = 0) {
  return {.name = name,
          .type = type,
          .arg = arg,
          .flags = flags,
          .availability = Availability::kMetadata,
          .level = Level::kContainer,
          .invalidated_by = kByMetadata,
          .help = help};
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
    Joined("container.name", kText, "The container's name.", ArgForm::kNone, kSuggestedOutput),
    Joined("container.image", kText, "Image reference."),
    Joined("container.image.id", kText, "Image id."),
    Joined("container.image.repository", kText, "Image without its tag.", ArgForm::kNone,
           kSuggestedOutput),
    Joined("container.image.tag", kText, "Tag of the image.", ArgForm::kNone, kSuggestedOutput),
    Joined("container.image.digest", kText, "Digest of the image."),
    Joined("container.type", kText, "Runtime: docker, containerd, cri-o and so on."),
    Joined("container.privileged", kBool, "Whether the container is privileged."),
    Joined("container.mounts", kText, "All mounts."),
    Joined("container.mount", kText, "One mount.", ArgForm::kKeyRequired),
    Joined("container.mount.source", kText, "Source of one mount.", ArgForm::kKeyRequired),
    Joined("container.mount.dest", kText, "Destination of one mount.", ArgForm::kKeyRequired),
    Joined("container.mount.mode", kText, "Mode of one mount.", ArgForm::kKeyRequired),
    Joined("container.mount.rdwr", kText, "Whether one mount is writable.", ArgForm::kKeyRequired),
    Joined("container.mount.propagation", kText, "Propagation of one mount.",
           ArgForm::kKeyRequired),
    Joined("container.ip", kText, "The container's address."),
    Joined("container.cni.json", kText, "Result of the network plugin."),
    Joined("container.host_pid", kBool, "Whether the host's PID namespace is used."),
    Joined("container.host_network", kBool, "Whether the host's network namespace is used."),
    Joined("container.host_ipc", kBool, "Whether the host's IPC namespace is used."),
    Joined("container.label", kText, "One label.", ArgForm::kDottedOrKey),
    Joined("container.labels", kText, "All labels."),
    Joined("k8s.pod.name", kText, "Name of the pod.", ArgForm::kNone, kSuggestedOutput),
    Joined("k8s.ns.name", kText, "Namespace of the pod.", ArgForm::kNone, kSuggestedOutput),
    Joined("k8s.pod.id", kText, "Uid of the pod."),
    Joined("k8s.pod.uid", kText, "Uid of the pod."),
    Joined("k8s.pod.sandbox_id", kText, "The sandbox's id, 12 characters."),
    Joined("k8s.pod.full_sandbox_id", kText, "The sandbox's whole id."),
    Joined("k8s.pod.label", kText, "One label of the pod.", ArgForm::kDottedOrKey),
    Joined("k8s.pod.labels", kText, "All labels of the pod."),
    Joined("k8s.pod.ip", kText, "The pod's address."),
    Joined("k8s.pod.cni.json", kText, "Result of the pod's network plugin."),
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
