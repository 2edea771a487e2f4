// The pods of a node as the API server of Kubernetes tells them: a list in pages, then the changes,
// one JSON object a line. Only their metadata is asked for (PartialObjectMetadata): nothing of a
// pod's environment, secrets or status crosses the wire. Texts in, values out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "metadata/container_info.h"

namespace gyrfalcon {

// A page of kPodsOfPage pods, and one change. An object is at most 1.5 MiB in the server's store.
inline constexpr size_t kPodPageBytesMax = size_t{32} << 20;
inline constexpr size_t kPodEventBytesMax = size_t{4} << 20;
inline constexpr unsigned kPodsOfPage = 100;

struct Pod {
  std::string uid;
  Labels labels;  // those that it has now
};

struct PodPage {
  std::vector<Pod> pods;
  std::string version;  // changes are asked for from there on
  std::string next;     // "": this was the last page
};

enum class PodEventKind : uint8_t {
  kChanged,
  kGone,
  kMark,     // nothing but a newer version
  kTooOld,   // what has changed since is not known any more: list them anew
  kProblem,  // said by the server
};

struct PodEvent {
  PodEventKind kind = PodEventKind::kProblem;
  Pod pod;
  std::string version;  // "": not told
  std::string problem;
};

// What to ask for, and as what.
inline constexpr std::string_view kPodListAccept =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
inline constexpr std::string_view kPodEventAccept =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
std::string PodListPath(std::string_view node, std::string_view next);
// The server ends it after that time.
std::string PodWatchPath(std::string_view node, std::string_view version, int seconds);

// Fault::kInput: it is no list of pods. Pods without a uid are left out.
Result<PodPage> ReadPodPage(std::string_view json);
// Fault::kInput: no event of a watch.
Result<PodEvent> ReadPodEvent(std::string_view line);
// The message of a Status object, else the text: the first 500 bytes, as they came.
std::string ReadApiProblem(std::string_view body);

}  // namespace gyrfalcon
