#include "bench/report.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/segments.h"

namespace gyrfalcon {
namespace {

uint64_t EventsOf(const std::vector<BenchSegment>& segments) {
  uint64_t events = 0;
  for (const BenchSegment& segment : segments) events += segment.events;
  return events;
}

double SecondsOf(const std::vector<BenchSegment>& segments) {
  double seconds = 0;
  for (const BenchSegment& segment : segments) {
    seconds += static_cast<double>(segment.elapsed_ns) / 1e9;
  }
  return seconds;
}

double SenderCpuNsPerEvent(const BenchSegment& segment) {
  if (segment.events == 0) return 0;
  return static_cast<double>(segment.sender_cpu_ns) / static_cast<double>(segment.events);
}

double Ratio(uint64_t count, uint64_t of) {
  return of == 0 ? 0 : static_cast<double>(count) / static_cast<double>(of);
}

double Rounded(double value) {
  constexpr double kDecimals = 1e4;
  return std::round(value * kDecimals) / kDecimals;
}

}  // namespace

std::string BenchReportJson(const BenchResult& result) {
  using Json = nlohmann::ordered_json;
  const bool has_discard = !result.discard.empty();
  const auto if_discard = [has_discard](double value) {
    return has_discard ? Json(Rounded(value)) : Json();
  };
  const auto if_counted = [&result](double value) {
    return result.allocations_counted ? Json(value) : Json();
  };
  const uint64_t events = EventsOf(result.pipeline);
  const double rate = MedianOf(result.pipeline, EventsPerSecond);
  const double discard_rate = MedianOf(result.discard, EventsPerSecond);
  Json json;
  json["events"] = events;
  json["refused"] = result.refused;
  json["seconds"] = Rounded(SecondsOf(result.pipeline));
  json["events_per_s"] = std::round(rate);
  json["cpu_ns_per_event"] = Rounded(MedianOf(result.pipeline, CpuNsPerEvent));
  json["discard_events_per_s"] = if_discard(std::round(discard_rate));
  json["discard_cpu_ns_per_event"] = if_discard(MedianOf(result.discard, CpuNsPerEvent));
  json["ratio_to_discard"] = if_discard(discard_rate > 0 ? rate / discard_rate : 0);
  json["cpu_ratio_to_discard"] = if_discard(CpuRatio(result));
  json["allocations_per_event"] = if_counted(Ratio(result.allocations, events));
  json["allocations_per_quiet_event"] =
      if_counted(Ratio(result.quiet_allocations, result.quiet_events));
  json["rss_bytes"] = result.rss_bytes;
  json["alerts"] = result.alerts;
  json["alerts_cpu_ns_per_event"] =
      events == 0
          ? 0
          : Rounded(static_cast<double>(result.alerts_cpu_ns) / static_cast<double>(events));
  json["sender_cpu_ns_per_event"] = if_discard(MedianOf(result.pipeline, SenderCpuNsPerEvent));
  json["discard_messages_per_receive"] = if_discard(result.discard_messages_per_receive);
  json["segments"] = result.pipeline.size();
  json["is_warm"] = result.is_warm;
  json["losses"] = result.losses;
  return json.dump();
}

std::string BenchReportText(const BenchResult& result) {
  const bool has_discard = !result.discard.empty();
  const uint64_t events = EventsOf(result.pipeline);
  std::string out;
  const auto row = [&out](std::string_view name, const std::string& value) {
    out += fmt::format("{:<42} {:>14}\n", name, value);
  };
  const auto number = [](double value, int decimals) {
    return fmt::format("{:.{}f}", value, decimals);
  };
  const double rate = MedianOf(result.pipeline, EventsPerSecond);
  const double cpu = MedianOf(result.pipeline, CpuNsPerEvent);
  row("events", std::to_string(events));
  row("refused", std::to_string(result.refused));
  row("alerts, of the whole run", std::to_string(result.alerts));
  row("seconds", number(SecondsOf(result.pipeline), 2));
  row("events/s", number(rate, 0));
  row("processor time per event, ns", number(cpu, 0));
  if (has_discard) {
    const double discard_rate = MedianOf(result.discard, EventsPerSecond);
    row("receive and discard: events/s", number(discard_rate, 0));
    row("receive and discard: time per event, ns",
        number(MedianOf(result.discard, CpuNsPerEvent), 0));
    row("ratio of processor times", number(CpuRatio(result), 3));
    row("ratio of events/s", number(discard_rate > 0 ? rate / discard_rate : 0, 3));
    row("sender's processor time per event, ns",
        number(MedianOf(result.pipeline, SenderCpuNsPerEvent), 0));
  }
  if (result.allocations_counted) {
    row("allocations per event", number(Ratio(result.allocations, events), 5));
    row("the same, events without an alert",
        number(Ratio(result.quiet_allocations, result.quiet_events), 5));
  }
  row("resident memory, MB", number(static_cast<double>(result.rss_bytes) / 1e6, 1));
  row("segments, of which medians are", std::to_string(result.pipeline.size()));
  if (!result.is_warm) out += "the captures were too long for a whole loop before measuring\n";
  for (const std::string& loss : result.losses) out += "refused: " + loss + "\n";
  return out;
}

}  // namespace gyrfalcon
