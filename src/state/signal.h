// What a sandbox's messages show about the watching itself: no event of the program, but a sign
// that somebody works against the sensor, or that it has missed something.
#pragma once

#include <cstdint>
#include <string_view>

#include "points/event_types.h"
#include "state/process.h"

namespace gyrfalcon {

enum class SignalKind : uint8_t {
  // A path or address was another one at a syscall's exit than at its enter: some thread changed
  // the memory in between, as attacks on checks of paths do. `before` and `after` have both.
  kPathChanged,
  // A raw message came without the schematised one that this connection sends for the same call:
  // gVisor does not send, and does not count, a message with a string that is not UTF-8.
  kEventHidden,
  // Messages were lost while a process changed its name without an exec: most likely the three
  // messages of an exec whose arguments were too large to send.
  kExecLost,
  // Very many processes were made in a moment (fork_flood.h). `process` has made the last of them;
  // `count` and `since_ns` say how many, and when the first.
  kProcessFlood,
};

// Views and pointers live until the sink that was given it returns.
struct Signal {
  SignalKind kind;
  EventType syscall;  // that shows it
  int64_t time_ns = 0;
  int32_t tid = 0;
  const Process* process = nullptr;  // never null
  const Container* container = nullptr;
  std::string_view before;
  std::string_view after;
  uint64_t count = 0;
  int64_t since_ns = 0;
};

}  // namespace gyrfalcon
