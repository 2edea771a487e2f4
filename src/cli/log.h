// The program's log, on stderr. Commands that only print results do not log.
#pragma once

#include <string_view>

#include <spdlog/spdlog.h>

namespace gyrfalcon {

// Falco's level names; colour only on a terminal, and not where NO_COLOR is set.
void SetUpLog(std::string_view level);

}  // namespace gyrfalcon
