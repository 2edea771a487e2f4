#include "service/takeover_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

using ::testing::HasSubstr;

std::vector<TakeoverMessage> OneOfEach() {
  TakeoverConnections connections;
  connections.items.push_back({.id = 7,
                               .peer = {.pid = 12,
                                        .uid = 1,
                                        .gid = 2,
                                        .command_line = std::string("runsc\0--root=/x", 15),
                                        .runsc = "/usr/bin/runsc"}});
  connections.items.push_back({.id = 9, .peer = {}});
  return {TakeoverAsk{.state_version = 0x0123456789abcdef, .instance = 12, .only_waits = true},
          TakeoverBegin{.connections = 2,
                        .silent = 1,
                        .next_connection = 10,
                        .device = 5,
                        .inode = 6,
                        .stopped_ns = 7,
                        .owns_file = true,
                        .has_lock = true,
                        .has_state = false},
          connections,
          TakeoverSilent{.count = 1},
          TakeoverEnd{},
          TakeoverTaken{},
          TakeoverCommitted{},
          TakeoverDone{},
          TakeoverRefusal{.why = "no"},
          TakeoverNewer{.instance = 13},
          TakeoverYourTurn{}};
}

constexpr size_t kDescriptors[] = {0, 2, 2, 1, 0, 0, 0, 0, 0, 0, 0};

TEST(TakeoverMessage, EachIsReadAsItWasWritten) {
  const auto messages = OneOfEach();
  ASSERT_EQ(messages.size(), std::variant_size_v<TakeoverMessage>);
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string bytes = EncodeTakeover(messages[i]);
    const auto read = DecodeTakeover(bytes, kDescriptors[i]);
    ASSERT_TRUE(read) << i << ": " << read.error().message;
    EXPECT_EQ(read->index(), i);
    EXPECT_EQ(EncodeTakeover(*read), bytes);
  }
  const auto connections = DecodeTakeover(EncodeTakeover(messages[2]), 2);
  const Peer& peer = std::get<TakeoverConnections>(*connections).items[0].peer;
  EXPECT_EQ(peer.command_line.size(), 15u);
  EXPECT_EQ(peer.runsc, "/usr/bin/runsc");
}

TEST(TakeoverMessage, AByteThatChangedOrIsMissingIsAnError) {
  for (const TakeoverMessage& message : OneOfEach()) {
    const std::string bytes = EncodeTakeover(message);
    for (size_t i = 0; i < bytes.size(); ++i) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ 0x40);
      EXPECT_FALSE(DecodeTakeover(changed, kDescriptors[message.index()])) << message.index();
      EXPECT_FALSE(DecodeTakeover(bytes.substr(0, i), kDescriptors[message.index()]));
    }
    EXPECT_FALSE(DecodeTakeover(bytes + "x", kDescriptors[message.index()]));
  }
}

TEST(TakeoverMessage, DescriptorsAreAsManyAsAreNamed) {
  const auto messages = OneOfEach();
  for (const size_t wrong : {0u, 1u, 3u, 254u}) {
    EXPECT_FALSE(DecodeTakeover(EncodeTakeover(messages[2]), wrong));
  }
  EXPECT_FALSE(DecodeTakeover(EncodeTakeover(TakeoverSilent{.count = 254}), 254));
  EXPECT_FALSE(DecodeTakeover(EncodeTakeover(TakeoverEnd{}), 1));
}

TEST(TakeoverMessage, AnotherVersionIsNamed) {
  std::string bytes = EncodeTakeover(TakeoverEnd{});
  bytes[4] = 2;
  const auto read = DecodeTakeover(bytes, 0);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, HasSubstr("speaks version 2 of the takeover, this one 1"));
}

TEST(TakeoverMessage, APeerIsReadAsItWasWritten) {
  const Peer peer{.pid = 3, .uid = 4, .gid = 5, .command_line = "a", .runsc = "/b"};
  const auto read = DecodePeer(EncodePeer(peer));
  ASSERT_TRUE(read);
  EXPECT_EQ(EncodePeer(*read), EncodePeer(peer));
  EXPECT_FALSE(DecodePeer(EncodePeer(peer) + "x"));
  EXPECT_FALSE(DecodePeer(""));
}

}  // namespace
}  // namespace gyrfalcon
