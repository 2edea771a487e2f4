// What `runsc list` prints: whatever the text, each container has an id and a sandbox.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runsc/sandbox_list.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  const auto list = ParseSandboxList({reinterpret_cast<const char*>(data), size});
  if (!list) return 0;
  if (list->size() > kListedContainersMax) std::abort();
  for (const ListedContainer& container : *list) {
    if (container.id.empty() || container.sandbox_id.empty()) std::abort();
    if (container.running && container.stopped) std::abort();
  }
  return 0;
}
