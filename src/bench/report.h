// A bench's result, as people and as scripts read it. docs/performance.md says what each figure is.
#pragma once

#include <string>

#include "bench/bench.h"

namespace gyrfalcon {

std::string BenchReportJson(const BenchResult& result);  // one object on one line
std::string BenchReportText(const BenchResult& result);  // lines

}  // namespace gyrfalcon
