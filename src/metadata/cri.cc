#include "metadata/cri.h"

#include <cstdint>

#include <fmt/format.h>

#include "metadata/json_access.h"
#include "metadata/local_http.h"
#include "metadata/rootfs.h"

namespace gyrfalcon {
namespace {

// ---- protobuf, as much of it as these messages need

struct WireField {
  uint32_t number = 0;
  uint64_t value = 0;      // of a varint
  std::string_view bytes;  // of a text or message
};

class WireFields {
 public:
  explicit WireFields(std::string_view message) : rest_(message) {}

  // False at the end, and at what is no protobuf: then failed() says so.
  bool Next(WireField& field) {
    if (rest_.empty()) return false;
    uint64_t tag = 0;
    if (!Varint(tag)) return Failed();
    field = {.number = static_cast<uint32_t>(tag >> 3), .value = 0, .bytes = {}};
    switch (tag & 7) {
      case 0:
        return Varint(field.value) || Failed();
      case 1:
        return Skip(8) || Failed();
      case 2: {
        uint64_t size = 0;
        if (!Varint(size) || size > rest_.size()) return Failed();
        field.bytes = rest_.substr(0, size);
        return Skip(size);
      }
      case 5:
        return Skip(4) || Failed();
      default:
        return Failed();
    }
  }
  bool failed() const { return failed_; }

 private:
  bool Failed() {
    failed_ = true;
    rest_ = {};
    return false;
  }
  bool Skip(uint64_t count) {
    if (count > rest_.size()) return false;
    rest_.remove_prefix(count);
    return true;
  }
  bool Varint(uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  std::string_view rest_;
  bool failed_ = false;
};

// False: not well-formed.
template <class Visit>
bool ForEachField(std::string_view message, Visit&& visit) {
  WireFields fields(message);
  for (WireField field; fields.Next(field);) visit(field);
  return !fields.failed();
}

// The one text of a message that matters here.
std::string TextOf(std::string_view message, uint32_t number) {
  std::string out;
  ForEachField(message, [&](const WireField& field) {
    if (field.number == number) out = InfoText(field.bytes);
  });
  return out;
}

// One entry of a map.
void TakeLabel(std::string_view message, Labels& labels) {
  std::string_view name;
  std::string_view value;
  ForEachField(message, [&](const WireField& field) {
    if (field.number == 1) name = field.bytes;
    if (field.number == 2) value = field.bytes;
  });
  AddLabel(labels, name, value);
}

// ---- the messages, by the numbers of runtime.v1's api.proto

bool ReadContainer(std::string_view message, CriContainer& out) {
  return ForEachField(message, [&out](const WireField& field) {
    switch (field.number) {
      case 1:
        out.id = InfoText(field.bytes);
        break;
      case 2:
        out.pod_sandbox_id = InfoText(field.bytes);
        break;
      case 3:
        out.name = TextOf(field.bytes, 1);
        break;
      case 4:
        out.image = TextOf(field.bytes, 1);
        break;
      case 5:
        out.image_ref = InfoText(field.bytes);
        break;
      case 8:
        TakeLabel(field.bytes, out.labels);
        break;
      default:
        break;
    }
  });
}

// LinuxPodSandboxStatus → namespaces → options: network, pid, ipc; 2 is the node's.
void ReadNamespaces(std::string_view message, CriPod& out) {
  const auto inner = [](std::string_view outer, uint32_t number) {
    std::string_view found;
    ForEachField(outer, [&](const WireField& field) {
      if (field.number == number) found = field.bytes;
    });
    return found;
  };
  constexpr uint64_t kNode = 2;
  out.host_network = out.host_pid = out.host_ipc = false;
  ForEachField(inner(inner(message, 1), 2), [&out](const WireField& field) {
    if (field.number == 1) out.host_network = field.value == kNode;
    if (field.number == 2) out.host_pid = field.value == kNode;
    if (field.number == 3) out.host_ipc = field.value == kNode;
  });
}

void ReadPodMetadata(std::string_view message, CriPod& out) {
  out.name = TextOf(message, 1);
  out.uid = TextOf(message, 2);
  out.pod_namespace = TextOf(message, 3);
}

bool ReadPodStatus(std::string_view message, CriPod& out) {
  return ForEachField(message, [&out](const WireField& field) {
    switch (field.number) {
      case 1:
        out.id = InfoText(field.bytes);
        break;
      case 2:
        ReadPodMetadata(field.bytes, out);
        break;
      case 5:
        out.ip = TextOf(field.bytes, 1);
        break;
      case 6:
        ReadNamespaces(field.bytes, out);
        break;
      case 7:
        TakeLabel(field.bytes, out.labels);
        break;
      default:
        break;
    }
  });
}

// containerd's own words, asked for by "verbose": one JSON text named "info".
std::string CniOf(std::string_view entry) {
  if (TextOf(entry, 1) != "info") return "";
  std::string_view text;
  ForEachField(entry, [&text](const WireField& field) {
    if (field.number == 2) text = field.bytes;
  });
  const Json info = ParseJson(text);
  const Json* interfaces = Member(Member(&info, "cniResult"), "Interfaces");
  if (interfaces == nullptr || !interfaces->is_object()) return "";
  Json shown = *interfaces;
  shown.erase("lo");
  return InfoText(shown.dump(-1, ' ', false, Json::error_handler_t::replace));
}

constexpr std::string_view kGrpcHead{"\0\0\0\0\0", 5};  // not compressed, and the length

// The one message of an answer.
std::optional<std::string> Unframed(std::string_view body) {
  if (body.size() < kGrpcHead.size() || body[0] != 0) return std::nullopt;
  uint32_t size = 0;
  for (size_t i = 1; i < kGrpcHead.size(); ++i) {
    size = size << 8 | static_cast<unsigned char>(body[i]);
  }
  body.remove_prefix(kGrpcHead.size());
  if (size > body.size()) return std::nullopt;
  return std::string(body.substr(0, size));
}

Result<CriContainer> AskContainer(const std::string& socket, std::string_view id, int timeout_ms) {
  const std::string request = CriField(1, CriField(1, id));
  const auto answer = CallCri(socket, "ListContainers", request, timeout_ms);
  if (!answer) return std::unexpected(answer.error());
  auto container = ReadCriContainers(*answer, id);
  if (!container) return Fail(Fault::kInput, socket + " does not know the container");
  return *std::move(container);
}

Result<CriPod> AskPod(const std::string& socket, std::string_view id, int timeout_ms) {
  std::string request = CriField(1, id);
  request += std::string_view{"\x10\x01", 2};  // verbose
  const auto answer = CallCri(socket, "PodSandboxStatus", request, timeout_ms);
  if (!answer) return std::unexpected(answer.error());
  auto pod = ReadCriPod(*answer);
  if (!pod || pod->id != id) return Fail(Fault::kInput, socket + " does not know the pod");
  return *std::move(pod);
}

void Fill(std::string& into, const std::string& from) {
  if (into.empty()) into = from;
}

void AddPod(CriPod pod, ContainerInfo& info) {
  Fill(info.pod_name, pod.name);
  Fill(info.pod_namespace, pod.pod_namespace);
  Fill(info.pod_uid, pod.uid);
  info.pod_sandbox_id = std::move(pod.id);
  info.pod_ip = pod.ip;
  info.ip = std::move(pod.ip);
  info.pod_cni_json = std::move(pod.cni_json);
  info.pod_labels = std::move(pod.labels);
  if (pod.host_pid) info.host_pid = pod.host_pid;
  if (pod.host_network) info.host_network = pod.host_network;
  if (pod.host_ipc) info.host_ipc = pod.host_ipc;
}

void AddContainer(CriContainer container, ContainerInfo& info) {
  Fill(info.name, container.name);
  if (info.image.empty()) info.SetImage(container.image);
  // "docker.io/library/nginx@sha256:…", or the image's id.
  const ImageName reference = SplitImageName(container.image_ref);
  if (reference.digest.empty()) {
    info.SetImageId(container.image_ref);
  } else {
    info.image_name.digest = reference.digest;
  }
  info.labels = std::move(container.labels);
}

}  // namespace

std::optional<CriContainer> ReadCriContainers(std::string_view message, std::string_view id) {
  std::optional<CriContainer> found;
  const bool well_formed = ForEachField(message, [&](const WireField& field) {
    if (field.number != 1 || found) return;
    CriContainer container;
    if (ReadContainer(field.bytes, container) && container.id == id) found = std::move(container);
  });
  return well_formed ? found : std::nullopt;
}

std::optional<CriPod> ReadCriPod(std::string_view message) {
  CriPod pod;
  bool has_status = false;
  const bool well_formed = ForEachField(message, [&](const WireField& field) {
    if (field.number == 1) has_status = ReadPodStatus(field.bytes, pod);
    if (field.number == 2 && pod.cni_json.empty()) pod.cni_json = CniOf(field.bytes);
  });
  if (!well_formed || !has_status) return std::nullopt;
  return pod;
}

std::string CriField(unsigned number, std::string_view bytes) {
  std::string out(1, static_cast<char>(number << 3 | 2));
  size_t size = bytes.size();
  for (; size >= 0x80; size >>= 7) out += static_cast<char>(size | 0x80);
  out += static_cast<char>(size);
  out += bytes;
  return out;
}

Result<std::string> CallCri(const std::string& socket, std::string_view method,
                            std::string_view message, int timeout_ms) {
  LocalRequest request;
  request.socket = socket;
  request.path = fmt::format("/runtime.v1.RuntimeService/{}", method);
  request.grpc = true;
  request.timeout_ms = timeout_ms;
  request.answer_bytes_max = kCriAnswerBytesMax;
  request.body = kGrpcHead;
  for (size_t i = 1; i < kGrpcHead.size(); ++i) {
    request.body[i] = static_cast<char>(message.size() >> (8 * (4 - i)));
  }
  request.body += message;
  const auto answer = CallLocal(request);
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 200 || answer->grpc_status != "0") {
    return Fail(Fault::kEnvironment,
                fmt::format("{}: {} answers {}, gRPC status {} {}", socket, method, answer->status,
                            answer->grpc_status, answer->grpc_message));
  }
  auto unframed = Unframed(answer->body);
  if (!unframed) return Fail(Fault::kInput, socket + ": an answer that is no gRPC message");
  return *std::move(unframed);
}

Result<void> AddCri(const std::string& socket, std::string_view container_id, int timeout_ms,
                    ContainerInfo& info) {
  std::string pod_id = info.pod_sandbox_id;
  if (!info.is_pod_sandbox) {
    auto container = AskContainer(socket, container_id, timeout_ms);
    if (!container) return std::unexpected(container.error());
    if (!pod_id.empty() && container->pod_sandbox_id != pod_id) {
      return Fail(Fault::kInput, socket + ": the container is another pod's");
    }
    pod_id = container->pod_sandbox_id;
    AddContainer(*std::move(container), info);
  }
  if (!IsContainerId(pod_id)) return Fail(Fault::kInput, "the pod is not known");
  auto pod = AskPod(socket, pod_id, timeout_ms);
  if (!pod) return std::unexpected(pod.error());
  AddPod(*std::move(pod), info);
  return {};
}

}  // namespace gyrfalcon
