#include "service/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

DaemonStatus SomeStatus() {
  DaemonStatus status;
  status.sandboxes = 3;
  status.totals.engine.Add(EngineCounter::kMessages, 7);
  status.totals.rules.Add(RuleFigure::kBlind, 2);
  return status;
}

TEST(Metrics, CountersEndInTotalAndLevelsDoNot) {
  const std::string text = MetricsText(SomeStatus());
  EXPECT_THAT(text, HasSubstr("# HELP gyrfalcon_messages_total Messages taken up.\n"
                              "# TYPE gyrfalcon_messages_total counter\n"
                              "gyrfalcon_messages_total 7\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE gyrfalcon_sandboxes gauge\ngyrfalcon_sandboxes 3\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE gyrfalcon_rules_blind gauge\ngyrfalcon_rules_blind 2\n"));
}

TEST(Metrics, HaveARowForEachThatStatusHas) {
  const DaemonStatus status = SomeStatus();
  const std::string text = MetricsText(status);
  for (const Totals::Row& row : status.totals.Rows()) {
    EXPECT_THAT(text, HasSubstr("\ngyrfalcon_" + std::string(row.def->name))) << row.def->name;
  }
}

TEST(Metrics, SandboxesRulesAndLatencyAreSeriesOfTheirOwn) {
  DaemonStatus status = SomeStatus();
  status.coverage = {{"web-1", 75, 25}, {"odd\"\n\xff", 1, 0}};
  status.delivery.alerts.rules = {{"Write below etc", Priority::kError, 4}};
  status.delivery.alerts.latency[2] = 3;
  status.delivery.alerts.latency.back() = 1;
  const std::string text = MetricsText(status);
  EXPECT_THAT(text, HasSubstr("gyrfalcon_sandbox_coverage_ratio{sandbox=\"web-1\"} 0.75\n"));
  EXPECT_THAT(text, HasSubstr("gyrfalcon_sandbox_dropped_total{sandbox=\"web-1\"} 25\n"));
  EXPECT_THAT(text, HasSubstr("{sandbox=\"odd\\\"\\\\n\xEF\xBF\xBD\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("gyrfalcon_rule_alerts_total{rule=\"Write below "
                              "etc\",priority=\"Error\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("gyrfalcon_alert_latency_seconds_bucket{le=\"0.0005\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("gyrfalcon_alert_latency_seconds_bucket{le=\"+Inf\"} 4\n"));
}

TEST(Metrics, AReloadThatWasRefusedShows) {
  DaemonStatus status = SomeStatus();
  status.reload = {.succeeded = 2, .refused = 1, .error = "bad", .loaded_ns = 5'000'000'000};
  const std::string text = MetricsText(status);
  EXPECT_THAT(text, HasSubstr("\ngyrfalcon_reloads_succeeded_total 2\n"));
  EXPECT_THAT(text, HasSubstr("\ngyrfalcon_reloads_refused_total 1\n"));
  EXPECT_THAT(text, HasSubstr("\ngyrfalcon_reload_last_refused 1\n"));
  EXPECT_THAT(text, HasSubstr("\ngyrfalcon_rules_loaded_timestamp_seconds 5\n"));
}

TEST(Metrics, AreServed) {
  const std::string path =
      ::testing::TempDir() + "gyrfalcon-metrics-" + std::to_string(getpid()) + ".sock";
  const auto server = ControlServer::Start(path, SomeStatus);
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_THAT(AskDaemon(path, "/metrics").value_or(""),
              HasSubstr("\ngyrfalcon_messages_total 7\n"));
}

}  // namespace
}  // namespace gyrfalcon
