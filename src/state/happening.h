// One thing that happened, as the rules see it.
#pragma once

#include "points/event_types.h"

namespace gyrfalcon {

struct Happening {
  EventType type;
};

}  // namespace gyrfalcon
