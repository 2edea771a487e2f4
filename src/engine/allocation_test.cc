// What the event path takes from the heap (base/allocation_count.h), and what it throws: this file
// replaces the program's making of exceptions to count them.
#include <random>

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "base/allocation_count.h"
#include "engine/test_replay.h"
#include "wire/capture_source.h"
#include "wire/kept_records.h"
#include "wire/message_header.h"

namespace {

thread_local size_t exceptions = 0;

// Large ones are a program's long arguments, which are not counted: what is remembered of a program
// has to be somewhere.
uint64_t CountedAllocations() {
  return gyrfalcon::AllocationsOfThisThread() - gyrfalcon::LargeAllocationsOfThisThread();
}

}  // namespace

// What a throw begins with.
extern "C" void* __cxa_allocate_exception(size_t size) noexcept {
  using Function = void* (*)(size_t);
  static const auto next = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "__cxa_allocate_exception"));
  ++exceptions;
  return next(size);
}

namespace gyrfalcon {
namespace {

using testing::LoadRulesForTest;
using testing::SharedPath;

class CountAlerts final : public AlertSink {
 public:
  bool OnAlert(Alert) override {
    ++alerts;
    return true;
  }
  size_t alerts = 0;
};

KeptRecords RecordsOf(const std::string& capture) {
  KeptRecords records;
  CaptureSource source({capture});
  Record record;
  while (source.Next(record) != SourceStatus::kEnd) records.Add(record);
  EXPECT_FALSE(source.error()) << source.error()->message;
  return records;
}

struct Counted {
  size_t messages = 0;
  size_t with_allocation = 0;  // of those that raised nothing
};

// A sandbox that does the same twice: by then its state is as large as it gets.
Counted CountIn(const std::string& capture, const std::shared_ptr<const RuleSet>& rules) {
  const KeptRecords kept = RecordsOf(capture);
  const std::span<const Record> records = kept.all();
  CountAlerts sink;
  Pipeline pipeline(rules, {}, sink);
  for (const Record& record : records) {
    if (record.kind != RecordKind::kClosed) pipeline.Process(record);
  }
  Counted counted;
  for (const Record& record : records) {
    if (record.kind != RecordKind::kFrame) continue;
    const size_t alerts_before = sink.alerts;
    const uint64_t allocations_before = CountedAllocations();
    pipeline.Process(record);
    const bool allocated = CountedAllocations() != allocations_before;
    const bool raised = sink.alerts != alerts_before;
    if (raised) continue;
    ++counted.messages;
    if (allocated) ++counted.with_allocation;
  }
  return counted;
}

const std::string kOwnRules = GYRFALCON_TEST_DATA "/../../rules/gyrfalcon_rules.yaml";

TEST(Allocations, AnEventThatRaisesNothingTakesNothingFromTheHeap) {
  if (!AllocationsAreCounted()) GTEST_SKIP() << "nothing is counted under a sanitizer";
  const Counted counted =
      CountIn(GYRFALCON_TEST_DATA "/captures/new/write-etc.trace", LoadRulesForTest({kOwnRules}));
  EXPECT_GT(counted.messages, 100u);
  EXPECT_EQ(counted.with_allocation, 0u);
}

TEST(Allocations, NoneInTheHeavyCaptureUnderFalcosRules) {
  if (!AllocationsAreCounted()) GTEST_SKIP() << "nothing is counted under a sanitizer";
  const testing::HeavyCapture heavy;
  if (heavy.path().empty()) GTEST_SKIP() << heavy.missing();
  const Counted counted = CountIn(
      heavy.path(), LoadRulesForTest({SharedPath("falco-rules/falco_rules.yaml"), kOwnRules}));
  EXPECT_GT(counted.messages, 300'000u);
  EXPECT_EQ(counted.with_allocation, 0u);
}

// Every message without its last byte, which is always one of a field's.
TEST(BadMessages, TakeNothingFromTheHeapAndThrowNothing) {
  const KeptRecords kept = RecordsOf(GYRFALCON_TEST_DATA "/captures/new/write-etc.trace");
  std::vector<Record> records(kept.all().begin(), kept.all().end());
  size_t frames = 0;
  for (Record& record : records) {
    if (record.kind != RecordKind::kFrame) continue;
    record.frame = record.frame.first(record.frame.size() - 1);
    ++frames;
  }
  CountAlerts sink;
  Pipeline pipeline(LoadRulesForTest({kOwnRules}), {}, sink);
  pipeline.Process(records.at(0));
  pipeline.Process(records.at(1));  // the first loss is told at once
  EXPECT_EQ(sink.alerts, 1u);
  exceptions = 0;
  const uint64_t allocations_before = CountedAllocations();
  for (size_t i = 2; i <= frames; ++i) pipeline.Process(records[i]);
  EXPECT_EQ(CountedAllocations(), allocations_before);
  EXPECT_EQ(exceptions, 0u);
  EXPECT_EQ(pipeline.totals().decode[DecodeError::kMalformed], frames);
}

TEST(BadMessages, ThrowNothingWhateverIsWrongWithThem) {
  try {
    throw 1;  // one is counted at all
  } catch (int) {
  }
  EXPECT_EQ(exceptions, 1u);
  std::mt19937 random(1);
  Event event;
  size_t refused = 0;
  exceptions = 0;
  const KeptRecords kept = RecordsOf(GYRFALCON_TEST_DATA "/captures/new/write-etc.trace");
  for (const Record& record : kept.all()) {
    if (record.kind != RecordKind::kFrame) continue;
    const auto bytes = record.frame;
    for (int round = 0; round < 16; ++round) {
      std::vector<std::byte> bad(bytes.begin(), bytes.end());
      bad[random() % bad.size()] = static_cast<std::byte>(random());
      if (round % 2 == 0) bad.resize(random() % bad.size());
      const auto message = ReadMessage(bad);
      if (!message || !Decode(message->type, message->payload, event)) ++refused;
    }
  }
  EXPECT_GT(refused, 10'000u);
  EXPECT_EQ(exceptions, 0u);
}

}  // namespace
}  // namespace gyrfalcon
