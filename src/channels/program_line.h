// The line of program_output.program as words. Falco gives it to a shell; here none reads it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

// Words between blanks; '…', "…" and \ as a shell reads them. What only a shell could do (a pipe, a
// redirection, a variable, …) is an error that says where it stands and how to name a shell.
Result<std::vector<std::string>> SplitProgramLine(std::string_view line);

}  // namespace gyrfalcon
