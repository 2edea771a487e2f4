#include "bench/segments.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "bench/report.h"

namespace gyrfalcon {
namespace {

using namespace std::chrono_literals;

TEST(Segments, ThereAreSevenOfEachKindHoweverShortTheTime) {
  const SegmentPlan plan = PlanSegments(140ms, 2);
  EXPECT_EQ(plan.pairs, 7u);
  EXPECT_EQ(plan.length, 10ms);
}

TEST(Segments, LongerTimesAreCutIntoHalfSeconds) {
  const SegmentPlan plan = PlanSegments(11s, 2);
  EXPECT_EQ(plan.pairs, 11u);
  EXPECT_EQ(plan.length, 500ms);
  EXPECT_EQ(PlanSegments(1h, 2).pairs, 101u);
}

TEST(Segments, MedianIsTheMiddleOne) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({3, 1, 100}), 3);
  EXPECT_EQ(Median({4, 1, 2, 100}), 3);
}

BenchSegment Segment(uint64_t events, int64_t cpu_ns) {
  return {.events = events, .elapsed_ns = 1'000'000'000, .cpu_ns = cpu_ns, .sender_cpu_ns = 0};
}

TEST(Segments, TheRatioIsOfThePairsAndNotOfTheMedians) {
  BenchResult result;
  result.pipeline = {Segment(10, 120), Segment(10, 240), Segment(10, 480)};
  result.discard = {Segment(10, 100), Segment(10, 200), Segment(10, 100)};
  EXPECT_DOUBLE_EQ(CpuRatio(result), 1.2);
}

TEST(Report, JsonHasTheKeysThatScriptsRead) {
  BenchResult result;
  result.pipeline = {Segment(2'000'000, 2'600'000'000)};
  result.discard = {Segment(4'000'000, 4'000'000'000)};
  result.allocations_counted = true;
  result.allocations = 1'000'000;
  result.refused = 3;
  result.alerts = 5;
  result.rss_bytes = 77;
  const auto json = nlohmann::json::parse(BenchReportJson(result));
  EXPECT_EQ(json["events"], 2'000'000);
  EXPECT_EQ(json["refused"], 3);
  EXPECT_EQ(json["seconds"], 1.0);
  EXPECT_EQ(json["events_per_s"], 2'000'000.0);
  EXPECT_EQ(json["cpu_ns_per_event"], 1'300.0);
  EXPECT_EQ(json["discard_events_per_s"], 4'000'000.0);
  EXPECT_EQ(json["discard_cpu_ns_per_event"], 1'000.0);
  EXPECT_EQ(json["ratio_to_discard"], 0.5);
  EXPECT_EQ(json["cpu_ratio_to_discard"], 1.3);
  EXPECT_EQ(json["allocations_per_event"], 0.5);
  EXPECT_EQ(json["rss_bytes"], 77);
  EXPECT_EQ(json["alerts"], 5);
}

TEST(Report, WhatWasNotMeasuredIsNull) {
  BenchResult result;
  result.pipeline = {Segment(10, 10)};
  const auto json = nlohmann::json::parse(BenchReportJson(result));
  for (const char* key : {"discard_events_per_s", "discard_cpu_ns_per_event", "ratio_to_discard",
                          "cpu_ratio_to_discard", "allocations_per_event"}) {
    ASSERT_TRUE(json.contains(key)) << key;
    EXPECT_TRUE(json[key].is_null()) << key;
  }
}

}  // namespace
}  // namespace gyrfalcon
