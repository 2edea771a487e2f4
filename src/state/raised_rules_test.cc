#include "state/raised_rules.h"

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

TEST(RaisedRules, HoldMoreThanTheUsualFewAndNotWithoutBound) {
  RaisedRules raised;
  for (uint64_t rule = 0; rule < 2 * RaisedRules::kMax; ++rule) raised.Note(rule);
  for (uint64_t rule = 0; rule < RaisedRules::kMax; ++rule) EXPECT_TRUE(raised.Has(rule)) << rule;
  EXPECT_FALSE(raised.Has(RaisedRules::kMax));
  EXPECT_GE(RaisedRules::kMax, 100u);
  const RaisedRules copy = raised;
  EXPECT_TRUE(copy.Has(5));
}

}  // namespace
}  // namespace gyrfalcon
