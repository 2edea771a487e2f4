// What the API server answers: a change of a pod. Whatever the text, what is kept of
// it is bounded.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "metadata/kube_pods.h"

namespace {

using namespace gyrfalcon;

void Check(const Pod& pod) {
  size_t bytes = 0;
  for (const auto& [name, value] : pod.labels) bytes += name.size() + value.size();
  if (pod.uid.size() > 128 || pod.labels.size() > kInfoLabelsMax || bytes > kInfoLabelBytesMax) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto event = ReadPodEvent(text)) Check(event->pod);
  return 0;
}
