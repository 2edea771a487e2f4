#include "wire/message_header.h"

#include <string>

#include <gtest/gtest.h>

#include "wire/test_support.h"

namespace gyrfalcon {
namespace {

using namespace std::string_literals;
using test::Bytes;
using test::Text;

TEST(MessageHeader, TypeAndDroppedCountAreLittleEndian) {
  const std::string datagram = "\x08\x00\x02\x01\x04\x03\x02\x01payload"s;
  const auto message = ReadMessage(Bytes(datagram));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->type, 0x0102);
  EXPECT_EQ(message->dropped_count, 0x01020304u);
  EXPECT_EQ(Text(message->payload), "payload");
}

TEST(MessageHeader, ALongerHeaderMovesThePayload) {
  const auto message = ReadMessage(Bytes("\x0c\x00\x01\x00\x00\x00\x00\x00NEW!payload"s));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->payload.size(), 7u);
}

TEST(MessageHeader, AHeaderAloneHasAnEmptyPayload) {
  const auto message = ReadMessage(Bytes("\x08\x00\x01\x00\x00\x00\x00\x00"s));
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->payload.empty());
}

struct BadCase {
  std::string datagram;
  FramingError error;
};

TEST(MessageHeader, SizesThatDoNotFitAreRefused) {
  const BadCase cases[] = {
      {"", FramingError::kTooShort},
      {"\x07\x00\x01\x00\x00\x00\x00"s, FramingError::kTooShort},
      {"\x07\x00\x01\x00\x00\x00\x00\x00payload"s, FramingError::kHeaderSizeTooSmall},
      {"\x00\x00\x01\x00\x00\x00\x00\x00"s, FramingError::kHeaderSizeTooSmall},
      {"\x09\x00\x01\x00\x00\x00\x00\x00"s, FramingError::kHeaderSizeBeyondMessage},
      {"\xff\xff\x01\x00\x00\x00\x00\x00payload"s, FramingError::kHeaderSizeBeyondMessage},
  };
  for (const BadCase& c : cases) {
    const auto message = ReadMessage(Bytes(c.datagram));
    ASSERT_FALSE(message);
    EXPECT_EQ(message.error(), c.error) << FramingErrorText(message.error());
    EXPECT_FALSE(FramingErrorText(message.error()).empty());
  }
}

}  // namespace
}  // namespace gyrfalcon
