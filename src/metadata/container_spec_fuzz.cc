// A bundle's config.json, and runsc's state file: whatever the text, the root is absolute or none.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "metadata/rootfs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace gyrfalcon;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* bundle : {"/bundle", "", "relative"}) {
    const auto root = RootPathOfSpec(text, bundle);
    if (root && !root->starts_with('/')) std::abort();
  }
  const auto root = RootPathOfState(text);
  if (root && !root->starts_with('/')) std::abort();
  return 0;
}
