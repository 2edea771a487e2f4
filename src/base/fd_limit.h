// How many file descriptors this process may have.
#pragma once

namespace gyrfalcon {

// To the hard limit: each sandbox is a descriptor, and the soft one is for programs that use
// select.
void RaiseFdLimit() noexcept;

}  // namespace gyrfalcon
