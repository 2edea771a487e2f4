// evt.category: what kind of thing an event does.
#pragma once

#include <string_view>

#include "state/happening.h"

namespace gyrfalcon {

// Falco's category of the event's type; of events that read, write or otherwise work on an fd of
// any kind that of the fd.
std::string_view EventCategory(const Happening& happening);
// "file", "net" or "ipc" by the type of the event's fd; "unknown" where that is something else, or
// not known.
std::string_view FdCategory(const Happening& happening);

}  // namespace gyrfalcon
