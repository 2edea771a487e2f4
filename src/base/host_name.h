// The name of this machine, as alerts and evt.hostname give it.
#pragma once

#include <string>

namespace gyrfalcon {

// FALCO_HOSTNAME overrides the kernel's, as in Falco. Asked once.
const std::string& HostName();

}  // namespace gyrfalcon
