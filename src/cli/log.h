// The program's log, on stderr. Commands that only print results do not log.
#pragma once

#include <string_view>

#include <spdlog/spdlog.h>

#include "cli/config.h"

namespace gyrfalcon {

// log_level, log_stderr and log_format of the config, at a reload too, while other threads log;
// colour only on a terminal, and not where NO_COLOR is set.
void SetUpLog(const Config& config);

// A command that does not log tells its warnings by this: `gyrfalcon: warning: …`, where the config
// lets them through.
void PrintWarning(const Config& config, std::string_view text);

}  // namespace gyrfalcon
