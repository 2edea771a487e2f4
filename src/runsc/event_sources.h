// Which points' messages are an event of a type: the other way round from points/schema.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "points/event_types.h"

namespace gyrfalcon {

enum class EventForm : uint8_t {
  kTold,        // with the call's own fields
  kExecTold,    // a program that was started
  kExecCalled,  // a call of exec: one that failed, or, where nothing else tells it, a start
  kRaw,         // registers alone: no path, no address
};

struct EventSource {
  std::vector<std::string> points;  // with their side; all of them are needed
  EventForm form = EventForm::kTold;
};

// The best first, raw points last. Empty: nothing of gVisor's is such an event.
std::span<const EventSource> SourcesOf(EventType type);

// Whether gVisor refuses the call, whatever its arguments: its event is an attempt.
bool AlwaysFails(EventType type);

}  // namespace gyrfalcon
