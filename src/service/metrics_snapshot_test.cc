#include "service/metrics_snapshot.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "alerts/alert_format.h"
#include "base/test_folder.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

DaemonStatus SomeStatus(uint64_t messages = 100, uint64_t dropped = 25) {
  DaemonStatus status;
  status.sandboxes = 3;
  status.totals.engine.Add(EngineCounter::kMessages, messages);
  status.totals.engine.Add(EngineCounter::kDroppedBySandboxes, dropped);
  status.delivery.alerts.rules = {{"Write below etc", Priority::kError, 4}};
  return status;
}

constexpr int64_t kSecond = 1'000'000'000;

Json FieldsOf(const MetricsSnapshotOptions& options, const DaemonStatus& status, int64_t now_ns,
              SnapshotMemory& last) {
  const auto fields = SnapshotFields(options, status, {now_ns, kSecond, "1.2"}, last);
  EXPECT_TRUE(std::ranges::is_sorted(fields, {}, &AlertField::name));
  return Json::parse(SnapshotLine(1, fields))["output_fields"];
}

TEST(MetricsSnapshot, HasFalcosFieldsUnderFalcosNames) {
  SnapshotMemory last;
  const Json first = FieldsOf({}, SomeStatus(), 11 * kSecond, last);
  EXPECT_EQ(first["falco.num_evts"], 100);
  EXPECT_EQ(first["falco.num_evts_prev"], 0);
  EXPECT_EQ(first["falco.duration_sec"], 10);
  EXPECT_EQ(first["falco.version"], "1.2");
  EXPECT_EQ(first["scap.engine_name"], "gvisor");
  EXPECT_EQ(first["scap.n_evts"], 125);
  EXPECT_EQ(first["scap.n_drops_perc"], 20.0);
  EXPECT_EQ(first["falco.rules.matches_total"], 4);
  EXPECT_EQ(first["falco.rules.Write_below_etc"], 4);
  EXPECT_EQ(first["gyrfalcon.sandboxes"], 3);
  EXPECT_EQ(first["gyrfalcon.messages"], 100);
  EXPECT_FALSE(first.contains("gyrfalcon.bad_framing")) << "it is 0";
  EXPECT_FALSE(first.contains("falco.evts_rate_sec")) << "there was none before";
  EXPECT_TRUE(first.contains("falco.memory_rss_mb"));
  for (const char* name :
       {"evt.time", "evt.hostname", "evt.source", "falco.start_ts", "falco.kernel_release",
        "falco.host_boot_ts", "falco.host_num_cpus", "falco.outputs_queue_num_drops"}) {
    EXPECT_TRUE(first.contains(name)) << name;
  }

  const Json second = FieldsOf({}, SomeStatus(300, 25), 31 * kSecond, last);
  EXPECT_EQ(second["falco.evts_rate_sec"], 10.0);
  EXPECT_EQ(second["falco.num_evts_prev"], 100);
  EXPECT_EQ(second["scap.n_drops_perc"], 0.0);
}

TEST(MetricsSnapshot, EachSwitchTakesItsFieldsAway) {
  SnapshotMemory last;
  MetricsSnapshotOptions options;
  options.rules_counters = options.resource_utilization = false;
  options.state_counters = options.kernel_event_counters = false;
  const Json little = FieldsOf(options, SomeStatus(), 11 * kSecond, last);
  for (const auto& [name, value] : little.items()) {
    EXPECT_FALSE(name.starts_with("falco.rules") || name.starts_with("gyrfalcon.") ||
                 name.starts_with("falco.memory") || name.starts_with("scap.n_"))
        << name;
  }
  options.state_counters = options.include_empty_values = true;
  options.resource_utilization = true;
  options.convert_memory_to_mb = false;
  const Json much = FieldsOf(options, SomeStatus(), 11 * kSecond, last);
  EXPECT_EQ(much["gyrfalcon.bad_framing"], 0);
  EXPECT_TRUE(much.contains("falco.memory_rss_kb"));
}

TEST(MetricsSnapshot, AsAnAlertIsFalcos) {
  const Json alert = Json::parse(
      FormatJson(SnapshotAlert(kSecond, {{"falco.num_evts", uint64_t{7}}}), {.json_output = true}));
  EXPECT_EQ(alert["rule"], "Falco internal: metrics snapshot");
  EXPECT_EQ(alert["priority"], "Informational");
  EXPECT_EQ(alert["source"], "internal");
  EXPECT_EQ(alert["output_fields"]["falco.num_evts"], 7);
  EXPECT_THAT(alert["output"].get<std::string>(), HasSubstr("Falco metrics snapshot"));
}

TEST(MetricsSnapshots, ComeEveryIntervalAsAlertsAndLines) {
  const TestFolder folder;
  std::atomic<int> alerts = 0;
  std::atomic<int> problems = 0;
  const MetricsSnapshots::Calls calls{.status = [] { return SomeStatus(); },
                                      .raise = [&alerts](const Alert&) { ++alerts; },
                                      .on_problem = [&problems](const Error&) { ++problems; }};
  {
    const MetricsSnapshots snapshots(
        {.enabled = true, .interval_ms = 20, .output_file = folder / "m.jsonl"}, "1", calls);
    const MetricsSnapshots unwritable(
        {.enabled = true, .interval_ms = 20, .output_rule = false, .output_file = "/none/x"}, "1",
        calls);
    while (alerts < 3) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(problems, 1) << "told once";
  const std::string lines = folder.Read("m.jsonl");
  const Json second = Json::parse(lines.substr(
      lines.find('\n') + 1, lines.find('\n', lines.find('\n') + 1) - lines.find('\n') - 1));
  EXPECT_EQ(second["sample"], 2);
  EXPECT_EQ(second["output_fields"]["falco.num_evts"], 100);
}

}  // namespace
}  // namespace gyrfalcon
