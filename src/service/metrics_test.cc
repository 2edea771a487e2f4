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

TEST(Metrics, AreServed) {
  const std::string path =
      ::testing::TempDir() + "gyrfalcon-metrics-" + std::to_string(getpid()) + ".sock";
  const auto server = ControlServer::Start(path, SomeStatus);
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_EQ(AskDaemon(path, "/metrics").value_or(""), MetricsText(SomeStatus()));
}

}  // namespace
}  // namespace gyrfalcon
