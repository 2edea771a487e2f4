#include "service/metrics.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "alerts/alert_format.h"
#include "service/process_figures.h"

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

struct SandboxRow {
  std::string_view name;
  MetricType type;
  std::string_view help;
  double (*value)(const SandboxCoverage&);
};
constexpr SandboxRow kSandboxRows[] = {
    {"sandbox_coverage_ratio", MetricType::Gauge,
     "Share of what the sandbox had to send that came: received / (received + dropped). Of the "
     "sandboxes with the lowest, 100 at most.",
     [](const SandboxCoverage& sandbox) { return sandbox.ratio(); }},
    {"sandbox_received", MetricType::Counter,
     "Messages that came of the sandbox, of those with a coverage.",
     [](const SandboxCoverage& sandbox) { return static_cast<double>(sandbox.received); }},
    {"sandbox_dropped", MetricType::Counter,
     "Messages that the sandbox could not send, of those with a coverage.",
     [](const SandboxCoverage& sandbox) { return static_cast<double>(sandbox.dropped); }},
};

// A sandbox names itself to us: what it says must not break the page.
std::string LabelOf(const std::string& text) {
  constexpr size_t kLabelBytesMax = 128;
  return Printable(std::string_view(text).substr(0, kLabelBytesMax));
}

void AppendSandboxes(const std::vector<SandboxCoverage>& sandboxes,
                     std::vector<MetricFamily>& families) {
  for (const SandboxRow& row : kSandboxRows) {
    MetricFamily family = Family(row.name, row.help, row.type, 0);
    const ClientMetric empty = std::exchange(family.metric, {}).front();
    for (const SandboxCoverage& sandbox : sandboxes) {
      ClientMetric metric = empty;
      metric.label = {{"sandbox", LabelOf(sandbox.sandbox)}};
      (row.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) =
          row.value(sandbox);
      family.metric.push_back(std::move(metric));
    }
    if (!family.metric.empty()) families.push_back(std::move(family));
  }
}

void AppendAlerts(const AlertFigures& alerts, std::vector<MetricFamily>& families) {
  MetricFamily rules = Family("rule_alerts",
                              "Alerts that the rule raised; no rule: those beyond "
                              "the first 1000 rules.",
                              MetricType::Counter, 0);
  rules.metric.clear();
  for (const RuleAlerts& rule : alerts.rules) {
    ClientMetric metric;
    metric.label = {{"rule", LabelOf(rule.rule)},
                    {"priority", std::string(PriorityName(rule.priority))}};
    metric.counter.value = static_cast<double>(rule.alerts);
    rules.metric.push_back(std::move(metric));
  }
  if (!rules.metric.empty()) families.push_back(std::move(rules));

  ClientMetric latency;
  uint64_t count = 0;
  for (size_t i = 0; i < alerts.latency.size(); ++i) {
    count += alerts.latency[i];
    latency.histogram.bucket.push_back(
        {.cumulative_count = count,
         .upper_bound = i < kLatencyBounds.size() ? kLatencyBounds[i]
                                                  : std::numeric_limits<double>::infinity()});
  }
  latency.histogram.sample_count = count;
  latency.histogram.sample_sum = alerts.latency_seconds;
  families.push_back({.name = "gyrfalcon_alert_latency_seconds",
                      .help = "From an event in a sandbox, by its own time, until its alert waits "
                              "for the outputs.",
                      .type = MetricType::Histogram,
                      .metric = {std::move(latency)}});
}

void AppendReload(const ReloadFigures& reload, std::vector<MetricFamily>& families) {
  constexpr double kNsPerSecond = 1e9;
  const auto add = [&families](std::string_view name, std::string_view help, MetricType type,
                               uint64_t value) {
    families.push_back(Family(name, help, type, value));
  };
  add("reloads_succeeded", "Times rules and config were read again and taken up.",
      MetricType::Counter, reload.succeeded);
  add("reloads_refused", "Times they were bad, and what was in force stayed.", MetricType::Counter,
      reload.refused);
  add("reloads_unchanged", "Times their files were touched, and said what they said before.",
      MetricType::Counter, reload.unchanged);
  add("reload_last_refused", "1: the last reload was refused; /readyz and the log say why.",
      MetricType::Gauge, reload.last_refused() ? 1 : 0);
  add("rules_enabled", "Rules in force.", MetricType::Gauge, reload.rules_enabled);
  MetricFamily loaded =
      Family("rules_loaded_timestamp_seconds",
             "When the rules in force were loaded, since the epoch.", MetricType::Gauge, 0);
  loaded.metric.front().gauge.value = static_cast<double>(reload.loaded_ns) / kNsPerSecond;
  families.push_back(std::move(loaded));
}

void AppendProcess(const std::string& version, std::vector<MetricFamily>& families) {
  const ProcessFigures process = ReadProcessFigures();
  MetricFamily build =
      Family("build_info", "Always 1; its label is the version.", MetricType::Gauge, 1);
  build.metric.front().label = {{"version", version}};
  families.push_back(std::move(build));
  MetricFamily cpu =
      Family("process_cpu_seconds", "Processor time used, by all threads.", MetricType::Counter, 0);
  cpu.metric.front().counter.value = process.cpu_seconds;
  families.push_back(std::move(cpu));
  families.push_back(Family("process_resident_memory_bytes", "Memory that the process has.",
                            MetricType::Gauge, process.resident_bytes));
  families.push_back(Family("process_open_fds", "File descriptors that the process has open.",
                            MetricType::Gauge, process.open_fds));
}

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
  AppendAlerts(status.delivery.alerts, families);
  AppendSandboxes(status.coverage, families);
  AppendReload(status.reload, families);
  for (size_t i = 0; i < kWebCounterRows.size(); ++i) {
    const CounterRow& row = kWebCounterRows[i];
    families.push_back(
        Family(row.name, row.help, MetricType::Counter, status.web[static_cast<WebCounter>(i)]));
  }
  AppendProcess(status.version, families);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace gyrfalcon
