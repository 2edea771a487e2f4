// The pods of a node as the API server of Kubernetes tells them: one watch, which begins with the
// pods that there are and goes on with their changes, one JSON object a line. Only their metadata
// is asked for (PartialObjectMetadata): nothing of a pod's environment, secrets or status crosses
// the wire. Texts in, values out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "metadata/container_info.h"

namespace gyrfalcon {

// Of a line. An object has at most 1.5 MiB in the server's store, which JSON's escapes may double.
inline constexpr size_t kPodEventBytesMax = size_t{4} << 20;

// Of an answer and of an event: what has changed since the version asked for is not known any more.
inline constexpr long kHttpGone = 410;

struct Pod {
  std::string uid;
  Labels labels;  // those that it has now
};

enum class PodEventKind : uint8_t {
  kChanged,  // or there, or new
  kGone,
  kMark,     // nothing but a newer version: what was there when the watch began has been told
  kTooOld,   // what has changed since the version asked for is not known any more
  kProblem,  // said by the server
};

struct PodEvent {
  PodEventKind kind = PodEventKind::kProblem;
  Pod pod;
  std::string version;  // "": not told
  std::string problem;  // as it came, cut
};

// What is asked for, and as what. `version`: changes since then; "": all pods that there are, and
// then their changes. The server ends it after that time.
inline constexpr std::string_view kPodEventAccept =
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
std::string PodWatchPath(std::string_view node, std::string_view version, int seconds);

// Fault::kInput: no event of a watch. Nothing of the text is in the error.
Result<PodEvent> ReadPodEvent(std::string_view line);
// The message of a Status object, as it came, cut; "": it is none.
std::string ReadApiProblem(std::string_view body);

}  // namespace gyrfalcon
