// What messages show of the session that they were sent by: the points that came, and which of
// their context and optional fields had a value in any message. Less than was asked for, where
// something did not happen. A descriptor's path that most messages of a point have no use for (an
// open relative to the working directory, a close that is done) counts as seen.
#pragma once

#include <cstdint>
#include <expected>
#include <span>

#include "points/event.h"
#include "points/syscalls.h"
#include "runsc/sent_points.h"

namespace gyrfalcon {

// Adds what one message shows. `event` was decoded from a message of that type.
void NoteSeen(const Event& event, Arch arch, SentPoints& seen);

}  // namespace gyrfalcon
