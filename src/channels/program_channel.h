// Alerts to a program's standard input, Falco's `program_output`. No shell reads its line.
//
// What the program prints, on either stream, goes to our standard error: ours of alerts stays one
// of alerts. It has none of our other descriptors and leads a process group of its own, which is
// killed when it takes too long.
//
//   keep_alive: false  one process for each alert, which is delivered when it ends with 0. Another
//   end
//                      is tried again; an alert on which the program fails time after time, while
//                      it does well on the one behind it, is refused.
//   keep_alive: true   one process is fed line by line. A line is delivered when the program has
//   read
//                      it, which the pipe tells; what a process that ended had not read goes to the
//                      next one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "alerts/alert_format.h"
#include "base/result.h"
#include "channels/channel.h"

namespace gyrfalcon {

struct ProgramOptions {
  std::string program;  // the line: see program_line.h
  bool keep_alive = false;
  // For one alert; of a program that is kept, how long it may read nothing.
  uint64_t timeout_ms = 10'000;

  friend bool operator==(const ProgramOptions&, const ProgramOptions&) = default;
};

// kInput for a line that can't be meant, kEnvironment for a program that is not there.
Result<std::unique_ptr<Channel>> MakeProgramChannel(const ProgramOptions& options,
                                                    AlertFormatOptions format);

}  // namespace gyrfalcon
