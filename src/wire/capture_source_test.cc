#include "wire/capture_source.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/test_support.h"

namespace gyrfalcon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kEmpty = GYRFALCON_TEST_DATA "/captures/new/empty-session.trace";
const std::string kDocker = GYRFALCON_TEST_DATA "/captures/new/docker-hello.trace";
const std::string kHello = GYRFALCON_TEST_DATA "/captures/old/hello.trace";

// For each connection, in order: its id, how many frames it had, and whether it was closed.
struct Seen {
  uint64_t id;
  int frames;
  bool closed;
  bool operator==(const Seen&) const = default;
};

std::vector<Seen> ReadAll(CaptureSource& source) {
  std::vector<Seen> seen;
  Record record;
  while (source.Next(record) == SourceStatus::kRecord) {
    EXPECT_EQ(record.receive_time_ns, 0) << "time is the event's";
    if (record.kind == RecordKind::kOpened) {
      seen.push_back({record.connection.value, 0, false});
      continue;
    }
    EXPECT_EQ(record.connection.value, seen.back().id);
    EXPECT_FALSE(seen.back().closed);
    if (record.kind == RecordKind::kFrame) ++seen.back().frames;
    if (record.kind == RecordKind::kClosed) seen.back().closed = true;
  }
  return seen;
}

TEST(CaptureSource, EachFileIsAConnectionInOrder) {
  CaptureSource source({kDocker, kEmpty, kHello}, ConnectionId{10});
  EXPECT_THAT(ReadAll(source),
              ElementsAre(Seen{10, 6, true}, Seen{11, 0, true}, Seen{12, 138, true}));
  EXPECT_FALSE(source.error());
  EXPECT_TRUE(source.TakeWarnings().empty());
  EXPECT_EQ(source.counters()[WireCounter::kFrames], 144u);
}

TEST(CaptureSource, ACutFileIsAWarningAndTheNextOneFollows) {
  const TestFolder dir;
  const std::string whole = test::ReadFile(kDocker);
  test::WriteFile(dir / "cut", std::string_view(whole).substr(0, whole.size() - 1));
  CaptureSource source({dir / "cut", kHello});
  EXPECT_THAT(ReadAll(source), ElementsAre(Seen{1, 5, true}, Seen{2, 138, true}));
  EXPECT_FALSE(source.error());
  EXPECT_THAT(source.TakeWarnings(), ElementsAre(HasSubstr("cut: offset ")));
  EXPECT_TRUE(source.TakeWarnings().empty()) << "taken means gone";
}

TEST(CaptureSource, ADamagedFileEndsItAfterWhatWasWhole) {
  const TestFolder dir;
  test::WriteFile(dir / "bad", test::ReadFile(kDocker) + std::string(8, '\x7f'));
  CaptureSource source({dir / "bad", kHello});
  EXPECT_THAT(ReadAll(source), ElementsAre(Seen{1, 6, true}));
  ASSERT_TRUE(source.error());
  EXPECT_THAT(source.error()->message, HasSubstr("bad: offset 1077: declares a message of"));
  EXPECT_EQ(source.error()->fault, Fault::kInput);
}

TEST(CaptureSource, AMissingFileEndsItAfterThoseBefore) {
  CaptureSource source({kDocker, "/nowhere/at/all", kHello});
  EXPECT_THAT(ReadAll(source), ElementsAre(Seen{1, 6, true}));
  ASSERT_TRUE(source.error());
  EXPECT_THAT(source.error()->message, HasSubstr("/nowhere/at/all"));
  EXPECT_EQ(source.error()->fault, Fault::kEnvironment);
}

}  // namespace
}  // namespace gyrfalcon
