// What the daemon counts, as Prometheus reads it: text exposition format, one family for each row
// of the counters' tables, named `gyrfalcon_NAME_total`. What goes up and down (sandboxes, what the
// rules see) is a gauge without the suffix.
#pragma once

#include <string>

#include "service/control.h"

namespace gyrfalcon {

inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

std::string MetricsText(const DaemonStatus& status);

}  // namespace gyrfalcon
