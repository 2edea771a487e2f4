// Answers of a container runtime: no read beyond them, and what is kept of them is bounded.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "metadata/cri.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  if (const auto container = ReadCriContainers(message, "c1")) {
    if (container->id != "c1" || container->labels.size() > kInfoLabelsMax) std::abort();
  }
  if (const auto pod = ReadCriPod(message)) {
    if (pod->labels.size() > kInfoLabelsMax || pod->cni_json.size() > kInfoTextBytesMax) {
      std::abort();
    }
  }
  return 0;
}
