// What the event path takes from the heap, and what it throws. This file replaces the program's
// operator new and its making of exceptions to count.
#include <cstdlib>
#include <new>
#include <random>

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "engine/test_replay.h"
#include "wire/capture_source.h"
#include "wire/message_header.h"

namespace {

thread_local bool counting = false;
thread_local size_t allocations = 0;
thread_local size_t exceptions = 0;

// Larger ones are a program's long arguments, which do not fit into the blocks of a sandbox's pool.
// They are not counted: what is remembered of a program has to be somewhere.
constexpr size_t kCountedBytesMax = 4096;

[[maybe_unused]] void Count(size_t size) {
  if (counting && size <= kCountedBytesMax) ++allocations;
}

}  // namespace

// GCC's macros, then clang's; some headers define __has_feature for GCC as well, as always 0.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GYRFALCON_SANITIZED 1
#elif defined(__has_feature)
#define GYRFALCON_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define GYRFALCON_SANITIZED 0
#endif

// A sanitizer has an operator new of its own, which must stay.
#if !GYRFALCON_SANITIZED
[[gnu::noinline]] void* operator new(size_t size) {
  Count(size);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}

[[gnu::noinline]] void* operator new(size_t size, std::align_val_t alignment) {
  Count(size);
  const auto align = static_cast<size_t>(alignment);
  if (void* memory = std::aligned_alloc(align, (size + align - 1) / align * align)) return memory;
  throw std::bad_alloc();
}

[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
#endif

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

std::vector<Record> RecordsOf(const std::string& capture) {
  std::vector<Record> records;
  CaptureSource source({capture}, {.pool_bytes_max = size_t{1} << 30});
  Record record;
  while (source.Next(record) != SourceStatus::kEnd) records.push_back(record);
  EXPECT_FALSE(source.error()) << source.error()->message;
  return records;
}

struct Counted {
  size_t messages = 0;
  size_t with_allocation = 0;  // of those that raised nothing
};

// A sandbox that does the same twice: by then its state is as large as it gets.
Counted CountIn(const std::string& capture, const std::shared_ptr<const RuleSet>& rules) {
  const std::vector<Record> records = RecordsOf(capture);
  CountAlerts sink;
  Pipeline pipeline(rules, {}, sink);
  for (const Record& record : records) {
    if (record.kind != RecordKind::kClosed) pipeline.Process(record);
  }
  Counted counted;
  for (const Record& record : records) {
    if (record.kind != RecordKind::kFrame) continue;
    const size_t alerts_before = sink.alerts;
    allocations = 0;
    counting = true;
    pipeline.Process(record);
    counting = false;
    const bool raised = sink.alerts != alerts_before;
    if (raised) continue;
    ++counted.messages;
    if (allocations > 0) ++counted.with_allocation;
  }
  return counted;
}

const std::string kOwnRules = GYRFALCON_TEST_DATA "/../../rules/gyrfalcon_rules.yaml";

TEST(Allocations, AnEventThatRaisesNothingTakesNothingFromTheHeap) {
  if (GYRFALCON_SANITIZED) GTEST_SKIP() << "nothing is counted under a sanitizer";
  const Counted counted =
      CountIn(GYRFALCON_TEST_DATA "/captures/new/write-etc.trace", LoadRulesForTest({kOwnRules}));
  EXPECT_GT(counted.messages, 100u);
  EXPECT_EQ(counted.with_allocation, 0u);
}

TEST(Allocations, NoneInTheHeavyCaptureUnderFalcosRules) {
  if (GYRFALCON_SANITIZED) GTEST_SKIP() << "nothing is counted under a sanitizer";
  const testing::HeavyCapture heavy;
  if (heavy.path().empty()) GTEST_SKIP() << heavy.missing();
  const Counted counted = CountIn(
      heavy.path(), LoadRulesForTest({SharedPath("falco-rules/falco_rules.yaml"), kOwnRules}));
  EXPECT_GT(counted.messages, 300'000u);
  EXPECT_EQ(counted.with_allocation, 0u);
}

// Every message without its last byte, which is always one of a field's.
TEST(BadMessages, TakeNothingFromTheHeapAndThrowNothing) {
  std::vector<Record> records = RecordsOf(GYRFALCON_TEST_DATA "/captures/new/write-etc.trace");
  size_t frames = 0;
  for (Record& record : records) {
    if (record.kind != RecordKind::kFrame) continue;
    record.frame = FrameRef::Copy(record.frame.bytes().first(record.frame.size() - 1));
    ++frames;
  }
  CountAlerts sink;
  Pipeline pipeline(LoadRulesForTest({kOwnRules}), {}, sink);
  pipeline.Process(records.at(0));
  pipeline.Process(records.at(1));  // the first loss is told at once
  EXPECT_EQ(sink.alerts, 1u);
  allocations = exceptions = 0;
  counting = true;
  for (size_t i = 2; i <= frames; ++i) pipeline.Process(records[i]);
  counting = false;
  EXPECT_EQ(allocations, 0u);
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
  for (const Record& record : RecordsOf(GYRFALCON_TEST_DATA "/captures/new/write-etc.trace")) {
    if (record.kind != RecordKind::kFrame) continue;
    const auto bytes = record.frame.bytes();
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
