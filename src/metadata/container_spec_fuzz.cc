// A bundle's config.json, and runsc's state file: whatever the text, the root is absolute or none,
// what is kept of it is bounded, and the folder that it calls Docker's is named after the
// container.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "metadata/oci_spec.h"
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
  for (const auto& spec : {InfoOfSpec(text, "c1"), InfoOfState(text, "c1")}) {
    if (!spec) continue;
    const std::string& folder = spec->docker_folder;
    const bool bounded = spec->info.labels.size() <= kInfoLabelsMax &&
                         spec->info.mounts->size() <= kInfoMountsMax &&
                         spec->info.name.size() <= kInfoTextBytesMax;
    if (!bounded || (!folder.empty() && !folder.ends_with("/containers/c1"))) std::abort();
  }
  return 0;
}
