// Runs another program and takes what it prints, within bounds: a program that hangs, or prints
// without end, must hold up nobody for long.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

struct ChildLimits {
  std::chrono::milliseconds patience{5'000};
  size_t output_bytes_max = size_t{16} << 20;
  // A descriptor that becomes readable when nobody wants the answer any more (an eventfd), and
  // stays so; -1: there is none. It must outlive the call.
  int stop_fd = -1;
};

// What `words` (the program, looked for in PATH, and its arguments) writes to standard output;
// of standard error the last line is part of the error, as far as it is in the last 512 bytes, with
// control characters escaped. Waits: never call it where events do. Errors (kEnvironment) for a
// program that can't be started, ends with another code than 0, or goes beyond a limit, or is
// stopped; it is killed then, with its process group.
Result<std::string> RunChild(const std::vector<std::string>& words, const ChildLimits& limits = {});

// The same for output that need not be kept as a whole: `take` has it in pieces, as they come. What
// came before an error is taken too.
Result<void> RunChild(const std::vector<std::string>& words, const ChildLimits& limits,
                      const std::function<void(std::string_view)>& take);

}  // namespace gyrfalcon
