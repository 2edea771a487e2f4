#include "wire/handshake_message.h"

#include <string>

#include <gtest/gtest.h>

#include "wire/test_support.h"

namespace gyrfalcon {
namespace {

using namespace std::string_literals;
using test::Bytes;
using test::Text;

TEST(HandshakeMessage, OursIsVersionOne) {
  const auto ours = EncodeHandshake();
  EXPECT_EQ(Text(ours), "\x08\x01");
  EXPECT_EQ(ParseHandshake(ours), 1u);
}

TEST(HandshakeMessage, UnknownFieldsOfEveryTypeAreSkipped) {
  const std::string message =
      "\x10\x96\x01"                           // field 2, varint
      "\x19\x00\x00\x00\x00\x00\x00\x00\x00"s  // field 3, 64 bits
      "\x22\x03\x08\x00\x00"s                  // field 4, bytes that look like version 0
      "\x2d\x00\x00\x00\x00"s                  // field 5, 32 bits
      "\x08\x02"s;
  EXPECT_EQ(ParseHandshake(Bytes(message)), 2u);
}

TEST(HandshakeMessage, TheLongestOneIsTakenAndALongerOneIsNot) {
  std::string message = "\x08\x01\x12\xfb\x4f"s;  // then 10,235 bytes of field 2
  message.resize(kHandshakeBytesMax);
  EXPECT_EQ(ParseHandshake(Bytes(message)), 1u);
  message += '\0';
  EXPECT_EQ(ParseHandshake(Bytes(message)), std::unexpected(HandshakeFault::kTooLong));
}

TEST(HandshakeMessage, NoVersionOrVersionZeroIsRefused) {
  for (const std::string& message : {""s, "\x08\x00"s, "\x0a\x01\x01"s, "\x10\x01"s}) {
    EXPECT_EQ(ParseHandshake(Bytes(message)), std::unexpected(HandshakeFault::kVersionZero));
  }
}

TEST(HandshakeMessage, WhatIsNoProtobufIsRefused) {
  for (const std::string& message :
       {"\x08"s, "\x08\xff"s, "\x08"s + std::string(11, '\xff'), "\x00"s, "\x12\x05x"s,
        "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s, "\x0b\x0c"s, "\x0d\x01"s, "hello"s}) {
    EXPECT_EQ(ParseHandshake(Bytes(message)), std::unexpected(HandshakeFault::kMalformed));
  }
}

}  // namespace
}  // namespace gyrfalcon
