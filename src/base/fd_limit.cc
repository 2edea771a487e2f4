#include "base/fd_limit.h"

#include <cerrno>
#include <string>

#include <sys/eventfd.h>
#include <sys/resource.h>

namespace gyrfalcon {

void RaiseFdLimit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<FdReserve> FdReserve::Make(size_t count) {
  FdReserve reserve;
  reserve.fds_.reserve(count);
  while (reserve.fds_.size() < count) {
    UniqueFd fd(::eventfd(0, EFD_CLOEXEC));
    if (!fd) {
      return Fail(Fault::kEnvironment, std::to_string(count) +
                                           " more descriptors are needed: " + ErrnoText(errno) +
                                           "; raise the limit of open files (ulimit -n)");
    }
    reserve.fds_.push_back(std::move(fd));
  }
  return reserve;
}

}  // namespace gyrfalcon
