// How many file descriptors this process may have.
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace gyrfalcon {

// To the hard limit: each sandbox is a descriptor, and the soft one is for programs that use
// select.
void RaiseFdLimit() noexcept;

// Descriptors that nobody else gets, for a step that must not fail for want of them: they are free
// when this goes.
class FdReserve {
 public:
  // Fault::kEnvironment when the process may not have as many.
  static Result<FdReserve> Make(size_t count);

 private:
  std::vector<UniqueFd> fds_;
};

}  // namespace gyrfalcon
