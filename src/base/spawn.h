// Starts another program by its words: no shell reads them.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"

namespace gyrfalcon {

struct ChildStreams {
  int input = -1;  // -1: /dev/null
  int output = -1;
  int complaints = -1;  // its standard error
};

// `words`: the program, looked for in PATH, and its arguments. The child leads a process group of
// its own, has no signal blocked or ignored, and of our descriptors those three and nothing else.
// Who calls waits for it. kEnvironment where it can't be started.
Result<pid_t> Spawn(const std::vector<std::string>& words, const ChildStreams& streams);

}  // namespace gyrfalcon
