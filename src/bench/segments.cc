#include "bench/segments.h"

#include <algorithm>

namespace gyrfalcon {

SegmentPlan PlanSegments(std::chrono::nanoseconds duration, size_t kinds) {
  constexpr std::chrono::nanoseconds kWantedLength = std::chrono::milliseconds(500);
  constexpr size_t kPairsMin = 7;
  constexpr size_t kPairsMax = 101;
  const auto wanted = static_cast<size_t>(duration / kWantedLength) / kinds;
  const size_t pairs = std::clamp(wanted, kPairsMin, kPairsMax) | 1;
  return {pairs, duration / static_cast<int64_t>(pairs * kinds)};
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  if (values.size() % 2 == 1) return values[middle];
  return (values[middle - 1] + values[middle]) / 2;
}

double CpuNsPerEvent(const BenchSegment& segment) {
  if (segment.events == 0) return 0;
  return static_cast<double>(segment.cpu_ns) / static_cast<double>(segment.events);
}

double EventsPerSecond(const BenchSegment& segment) {
  if (segment.elapsed_ns == 0) return 0;
  return static_cast<double>(segment.events) * 1e9 / static_cast<double>(segment.elapsed_ns);
}

double MedianOf(const std::vector<BenchSegment>& segments,
                const std::function<double(const BenchSegment&)>& value) {
  std::vector<double> values;
  values.reserve(segments.size());
  for (const BenchSegment& segment : segments) values.push_back(value(segment));
  return Median(std::move(values));
}

double CpuRatio(const BenchResult& result) {
  std::vector<double> ratios;
  for (size_t i = 0; i < std::min(result.pipeline.size(), result.discard.size()); ++i) {
    const double discard = CpuNsPerEvent(result.discard[i]);
    if (discard > 0) ratios.push_back(CpuNsPerEvent(result.pipeline[i]) / discard);
  }
  return Median(std::move(ratios));
}

}  // namespace gyrfalcon
