#include "service/metrics.h"

#include <algorithm>
#include <utility>
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

// What is counted for each channel, and so has its name as a label.
struct ChannelRow {
  std::string_view name;
  MetricType type;
  std::string_view help;
  uint64_t (*value)(const ChannelFigures&);
};
constexpr ChannelRow kChannelRows[] = {
    {"output_delivered", MetricType::Counter, "Alerts that the output has taken.",
     [](const ChannelFigures& channel) { return channel.delivered; }},
    {"output_dead_letters", MetricType::Counter,
     "Alerts that the output's receiver refused for good.",
     [](const ChannelFigures& channel) { return channel.dead_letters; }},
    {"output_missed", MetricType::Counter,
     "Alerts that were gone before the output could take them.",
     [](const ChannelFigures& channel) { return channel.missed; }},
    {"output_retries", MetricType::Counter, "Times the output failed and tried again later.",
     [](const ChannelFigures& channel) { return channel.retries; }},
    {"output_waiting", MetricType::Gauge, "Alerts that the output has not had yet.",
     [](const ChannelFigures& channel) { return channel.waiting; }},
    {"output_failing", MetricType::Gauge, "1: the output has taken nothing for a while.",
     [](const ChannelFigures& channel) { return uint64_t{channel.failing}; }},
};

void AppendDelivery(const DeliveryFigures& delivery, std::vector<MetricFamily>& families) {
  for (const DeliveryFigures::Row& row : delivery.Rows()) {
    families.push_back(Family(row.def->name, row.def->help, MetricType::Counter, row.value));
  }
  families.push_back(Family("store_bytes", "Bytes of the alerts in the store.", MetricType::Gauge,
                            delivery.spool_bytes));
  families.push_back(
      Family("store_alerts", "Alerts in the store.", MetricType::Gauge, delivery.spool_alerts));
  families.push_back(Family("store_spooling", "1: alerts are written to the store just now.",
                            MetricType::Gauge, delivery.spooling ? 1 : 0));
  for (const ChannelRow& row : kChannelRows) {
    MetricFamily family = Family(row.name, row.help, row.type, 0);
    const ClientMetric empty = std::exchange(family.metric, {}).front();
    for (const ChannelFigures& channel : delivery.channels) {
      ClientMetric metric = empty;
      metric.label = {{"output", channel.name}};
      (row.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) =
          static_cast<double>(row.value(channel));
      family.metric.push_back(std::move(metric));
    }
    if (!family.metric.empty()) families.push_back(std::move(family));
  }
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
  AppendDelivery(status.delivery, families);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace gyrfalcon
