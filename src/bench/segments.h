// How a bench's time is cut, and what its segments say together.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <vector>

#include "bench/bench.h"

namespace gyrfalcon {

struct SegmentPlan {
  size_t pairs;
  std::chrono::nanoseconds length;  // of one segment
};

// Segments of about half a second, at least seven of each kind, an odd number so that the median is
// one of them.
SegmentPlan PlanSegments(std::chrono::nanoseconds duration, size_t kinds);

double Median(std::vector<double> values);  // 0 of none

double CpuNsPerEvent(const BenchSegment& segment);
double EventsPerSecond(const BenchSegment& segment);
double MedianOf(const std::vector<BenchSegment>& segments,
                const std::function<double(const BenchSegment&)>& value);

// The median over the pairs of what the pipeline's costs above the other's, in processor time: load
// on the machine that comes and goes strikes both of a pair.
double CpuRatio(const BenchResult& result);

}  // namespace gyrfalcon
