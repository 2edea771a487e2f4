#include "service/metrics.h"

#include <algorithm>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

namespace gyrfalcon {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

bool IsLevel(const CounterRow& row) {
  return std::ranges::any_of(kRuleFigureRows,
                             [&row](const CounterRow& level) { return level.name == row.name; });
}

MetricFamily Family(std::string_view name, std::string_view help, MetricType type, uint64_t value) {
  const bool is_counter = type == MetricType::Counter;
  ClientMetric metric;
  (is_counter ? metric.counter.value : metric.gauge.value) = static_cast<double>(value);
  return {.name = "gyrfalcon_" + std::string(name) + (is_counter ? "_total" : ""),
          .help = std::string(help),
          .type = type,
          .metric = {std::move(metric)}};
}

}  // namespace

std::string MetricsText(const DaemonStatus& status) {
  std::vector<MetricFamily> families;
  families.push_back(
      Family("sandboxes", "Connections of sandboxes.", MetricType::Gauge, status.sandboxes));
  for (const Totals::Row& row : status.totals.Rows()) {
    const MetricType type = IsLevel(*row.def) ? MetricType::Gauge : MetricType::Counter;
    families.push_back(Family(row.def->name, row.def->help, type, row.value));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace gyrfalcon
