#include "points/context_time.h"

#include <gtest/gtest.h>

#include "points/event.h"
#include "points/test_message.h"

namespace gyrfalcon {
namespace {

using testing::AsBytes;
using testing::Message;

constexpr auto kOpenType = static_cast<uint16_t>(MessageType::kOpen);
constexpr int64_t kTime = 1'795'335'715'991'590'492;

TEST(ContextTime, IsWhereTheVarintStands) {
  const std::string payload =
      Message().Number(4, 3).Nested(1, Message().Number(2, 7).Number(1, kTime)).bytes();
  const auto found = FindContextTime(kOpenType, AsBytes(payload));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size, 9u);
  EXPECT_EQ(found->offset, payload.size() - 9);  // the last of all
}

TEST(ContextTime, OfAShortOneTheSizeIsTold) {
  const std::string payload = Message().Nested(1, Message().Number(1, 300)).bytes();
  const auto found = FindContextTime(kOpenType, AsBytes(payload));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->offset, 3u);
  EXPECT_EQ(found->size, 2u);
}

TEST(ContextTime, IsNotThereWithoutContextTimeOrKnownType) {
  EXPECT_FALSE(FindContextTime(kOpenType, {}));
  EXPECT_FALSE(FindContextTime(kOpenType, AsBytes(Message().Number(4, 3).bytes())));
  EXPECT_FALSE(
      FindContextTime(kOpenType, AsBytes(Message().Nested(1, Message().Number(2, 7)).bytes())));
  const std::string whole = Message().Nested(1, Message().Number(1, kTime)).bytes();
  EXPECT_FALSE(FindContextTime(60'000, AsBytes(whole)));
}

TEST(ContextTime, LiesWithinWhateverPayloadItIsFoundIn) {
  const std::string whole = Message()
                                .Text(6, "/etc/passwd")
                                .Nested(1, Message().Text(6, "container").Number(1, kTime))
                                .bytes();
  for (size_t size = 0; size < whole.size(); ++size) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string bad = whole;
      bad[size] = static_cast<char>(bad[size] ^ (1 << bit));
      const auto found = FindContextTime(kOpenType, AsBytes(bad));
      if (found) {
        EXPECT_LE(found->offset + found->size, bad.size());
      }
    }
    const auto cut = FindContextTime(kOpenType, AsBytes(whole).first(size));
    EXPECT_FALSE(cut) << size;
  }
}

}  // namespace
}  // namespace gyrfalcon
