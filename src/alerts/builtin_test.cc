#include "alerts/builtin.h"

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

TEST(Builtin, EachIsFoundByItsNameWithAndWithoutThePrefix) {
  for (size_t i = 0; i < kBuiltinCount; ++i) {
    const auto builtin = static_cast<Builtin>(i);
    const std::string_view rule = Describe(builtin).rule;
    ASSERT_TRUE(rule.starts_with("gyrfalcon: ")) << rule;
    EXPECT_EQ(FindBuiltin(rule), builtin);
    EXPECT_EQ(FindBuiltin(rule.substr(11)), builtin);
  }
  EXPECT_EQ(FindBuiltin("gyrfalcon: no such thing"), std::nullopt);
}

TEST(Builtin, OutputAndFieldsSayTheSame) {
  const Alert alert = MakeBuiltinAlert(
      Builtin::kEventsLost, Priority::kError, 42,
      {{"proc.name", std::string("sh")}, {"gyrfalcon.lost", uint64_t{3}}, {"container.id", {}}});
  EXPECT_EQ(alert.sandbox, "");
  const Alert other = MakeBuiltinAlert(Builtin::kEventsLost, Priority::kError, 42,
                                       {{"gyrfalcon.sandbox", std::string("box")}});
  EXPECT_EQ(other.sandbox, "box");
  EXPECT_EQ(alert.rule, "gyrfalcon: events lost");
  EXPECT_EQ(alert.message,
            "gyrfalcon: events lost: Events of a sandbox were lost | proc_name=sh gyrfalcon_lost=3 "
            "container_id=<NA>");
  ASSERT_EQ(alert.fields.size(), 4u);
  EXPECT_EQ(alert.fields[0].name, "evt.time");
  EXPECT_EQ(alert.tags, (std::vector<std::string>{"gyrfalcon", "sensor_loss"}));
}

TEST(Builtin, AllAreOnUntilSwitchedOff) {
  BuiltinSettings settings;
  EXPECT_TRUE(settings.enabled(Builtin::kPathChanged));
  settings.Enable(Builtin::kPathChanged, false);
  EXPECT_FALSE(settings.enabled(Builtin::kPathChanged));
  EXPECT_TRUE(settings.enabled(Builtin::kEventHidden));
  settings.SetPriority(Builtin::kEventHidden, Priority::kDebug);
  EXPECT_EQ(settings.priority(Builtin::kEventHidden), Priority::kDebug);
}

}  // namespace
}  // namespace gyrfalcon
