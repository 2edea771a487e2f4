#include "engine/sandbox_coverage.h"

#include <algorithm>

namespace gyrfalcon {

void MergeWorst(std::vector<SandboxCoverage>& sandboxes, size_t most) {
  std::ranges::sort(sandboxes, {}, &SandboxCoverage::sandbox);
  size_t kept = 0;
  for (size_t i = 0; i < sandboxes.size(); ++i) {
    if (kept != 0 && sandboxes[kept - 1].sandbox == sandboxes[i].sandbox) {
      sandboxes[kept - 1].received += sandboxes[i].received;
      sandboxes[kept - 1].dropped += sandboxes[i].dropped;
    } else {
      if (kept != i) sandboxes[kept] = std::move(sandboxes[i]);
      ++kept;
    }
  }
  sandboxes.resize(kept);
  std::ranges::stable_sort(sandboxes, IsWorseCovered);
  if (sandboxes.size() > most) sandboxes.resize(most);
}

}  // namespace gyrfalcon
