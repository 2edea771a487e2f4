#include "base/fd_limit.h"

#include <sys/resource.h>

namespace gyrfalcon {

void RaiseFdLimit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace gyrfalcon
