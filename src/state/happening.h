// One thing that happened, as the rules see it. gVisor may tell one thing up to four times (enter,
// exit, sentry, raw); state/ makes at most one happening of it.
#pragma once

#include <cstdint>
#include <string_view>

#include "points/event.h"
#include "points/event_types.h"
#include "state/process.h"
#include "state/raised_rules.h"
#include "state/signal.h"

namespace gyrfalcon {

// Views and pointers live until the sink that was given it returns.
struct Happening {
  EventType type;
  uint64_t number = 0;        // counts the connection's messages from 1
  int64_t time_ns = 0;        // of the message; its receive time when it carries none
  int64_t first_time_ns = 0;  // of the sandbox's first message
  // The message that is the event; nullptr for an exec that was concluded from other messages.
  const Event* event = nullptr;
  const PointDef* point = nullptr;   // nullptr for raw messages and concluded execs
  const Process* process = nullptr;  // never null
  const Container* container = nullptr;
  int32_t tid = 0;
  bool has_return = false;     // the event has a return value
  int64_t return_value = 0;    // -errno on failure
  bool has_fd = false;         // the event works on a file descriptor
  int64_t fd = -1;             // the new one where the event makes one; -1 when that failed
  const File* file = nullptr;  // what fd refers to; nullptr when not known
  FdOrigin fd_origin = FdOrigin::kUnknown;
  // For opens: absolute path and path as passed, also when the open failed.
  std::string_view path;
  std::string_view path_raw;
  bool name_changed = false;  // this event changed the fd's name (connect)
  bool is_exec = false;       // a program started
  bool synthetic = false;     // concluded, not told
  bool raced =
      false;  // the path or address was another one at the syscall's exit than at its enter
  // An open told again, because the open file's own path has turned out to be another than the
  // program passed: `path` and `file` now have the true one.
  bool second_chance = false;
  // Changes whenever a process that has descendants, a container, or a program that several
  // processes run, does: what an answer about `process` that others had a part in is remembered
  // under.
  uint32_t line_version = 0;
  RaisedRules* raised = nullptr;  // of what may be told again; nullptr: nothing is to be noted
};

// Where a sandbox's state sends what happened. Called between two changes of the state: what the
// happening shows is what was true then.
class HappeningSink {
 public:
  virtual ~HappeningSink() = default;
  virtual void OnHappening(const Happening& happening) = 0;
  virtual void OnSignal(const Signal& /*signal*/) {}
};

}  // namespace gyrfalcon
