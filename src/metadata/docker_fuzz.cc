// Docker's config.v2.json with its hostconfig.json (behind the first NUL, if there is one), and its
// list: whatever the text, what is kept of it is bounded.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "metadata/docker.h"

namespace {

using namespace gyrfalcon;

void Check(const std::optional<ContainerInfo>& info) {
  if (!info) return;
  const bool bounded = info->name.size() <= kInfoTextBytesMax &&
                       info->image.size() <= kInfoTextBytesMax &&
                       info->labels.size() <= kInfoLabelsMax &&
                       (!info->mounts || info->mounts->size() <= kInfoMountsMax);
  if (!bounded) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t cut = text.find('\0');
  const std::string_view host =
      cut == std::string_view::npos ? std::string_view() : text.substr(cut + 1);
  Check(InfoOfDockerConfig(text.substr(0, cut), host, "c1"));
  Check(InfoOfDockerList(text, "c1"));
  return 0;
}
