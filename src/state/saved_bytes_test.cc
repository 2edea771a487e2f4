#include "state/saved_bytes.h"

#include <gtest/gtest.h>

#include "state/raised_rules.h"
#include "state/saved_fields.h"
#include "state/text_vector.h"

namespace gyrfalcon {
namespace {

struct Thing {
  int32_t count = 0;
  uint64_t large = 0;
  bool yes = false;
  FileType type = FileType::kUnknown;
  std::string text;
  std::optional<int64_t> maybe;
  std::vector<uint16_t> list;

  friend bool operator==(const Thing&, const Thing&) = default;
  template <class Visit>
  static void VisitFields(Visit& visit, Thing& thing) {
    visit("count", thing.count);
    visit("large", thing.large);
    visit("yes", thing.yes);
    visit("type", thing.type);
    visit("text", thing.text);
    visit("maybe", thing.maybe);
    visit("list", thing.list, 4);
  }
};

std::string Write(Thing thing) {
  std::string bytes;
  SavedWriter writer(bytes);
  FieldVisitor visit(writer);
  visit("thing", thing);
  return bytes;
}

std::optional<Thing> Read(std::string_view bytes, size_t text_bytes_max = 16) {
  SavedReader reader(bytes, text_bytes_max);
  FieldVisitor visit(reader);
  Thing thing;
  visit("thing", thing);
  if (!reader.finished()) return std::nullopt;
  return thing;
}

const Thing kThing{.count = -7,
                   .large = ~uint64_t{0},
                   .yes = true,
                   .type = FileType::kPacket,
                   .text = "text",
                   .maybe = INT64_MIN,
                   .list = {1, 65535}};

TEST(SavedBytes, ComeBackAsTheyWere) {
  EXPECT_EQ(Read(Write(kThing)), kThing);
  EXPECT_EQ(Read(Write({})), Thing{});
}

TEST(SavedBytes, ThatAreCutOrHaveARestAreRefused) {
  const std::string bytes = Write(kThing);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Read(std::string_view(bytes).substr(0, size))) << size;
  }
  EXPECT_FALSE(Read(bytes + '\0'));
}

TEST(SavedBytes, BeyondALimitAreRefused) {
  Thing longer = kThing;
  longer.text.assign(17, 'a');
  EXPECT_FALSE(Read(Write(longer)));
  EXPECT_TRUE(Read(Write(longer), 17));
  Thing more = kThing;
  more.list.resize(5);
  EXPECT_FALSE(Read(Write(more)));
  Thing unknown = kThing;
  unknown.type = FileType::kCount;
  EXPECT_FALSE(Read(Write(unknown)));
}

TEST(SavedBytes, ANumberTooLargeForItsFieldIsRefused) {
  std::string bytes;
  SavedWriter writer(bytes);
  int64_t wide = int64_t{INT32_MAX} + 1;
  writer.Integer(wide);
  SavedReader reader(bytes, 0);
  int32_t narrow = 5;
  reader.Integer(narrow);
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(narrow, 5);
  // A varint that does not end in 64 bits.
  SavedReader endless(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0);
  endless.Integer(wide);
  EXPECT_TRUE(endless.failed());
}

template <class First>
uint64_t ShapeOf(std::string_view name, First value) {
  SavedShape shape;
  FieldVisitor visit(shape);
  visit(name, value);
  return shape.version();
}

TEST(SavedBytes, TheirVersionChangesWithNamesAndTypes) {
  EXPECT_EQ(ShapeOf("a", int32_t{1}), ShapeOf("a", int32_t{2}));
  EXPECT_NE(ShapeOf("a", int32_t{1}), ShapeOf("b", int32_t{1}));
  EXPECT_NE(ShapeOf("a", int32_t{1}), ShapeOf("a", int64_t{1}));
  EXPECT_NE(ShapeOf("a", int32_t{1}), ShapeOf("a", uint32_t{1}));
  EXPECT_NE(ShapeOf("a", int32_t{1}), ShapeOf("a", std::optional<int32_t>()));
}

TEST(Checksum, TellsEveryChangedByteApart) {
  std::string bytes(67, 'x');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 37);
  const uint64_t sum = Checksum(bytes);
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string other = bytes;
      other[i] = static_cast<char>(other[i] ^ (1 << bit));
      EXPECT_NE(Checksum(other), sum);
    }
  }
  EXPECT_NE(Checksum(bytes.substr(0, 66)), sum);
  EXPECT_NE(Checksum(bytes + '\0'), sum);
  EXPECT_NE(Checksum(bytes, 1), sum);
}

}  // namespace
}  // namespace gyrfalcon
