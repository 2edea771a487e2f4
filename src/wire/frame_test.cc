#include "wire/frame.h"

#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include "wire/test_support.h"

namespace gyrfalcon {
namespace {

using test::Bytes;
using test::Text;

template <class T>
concept GivesBytes = requires { std::declval<T>().bytes(); };
static_assert(GivesBytes<FrameRef&> && GivesBytes<const FrameRef&>);
static_assert(!GivesBytes<FrameRef> && !GivesBytes<const FrameRef>,
              "a view of a temporary would dangle");

constexpr size_t kMany = 100;

TEST(Frame, AHeldFrameKeepsItsBytesWhileOthersComeAndGo) {
  FramePool pool(4 * FramePool::kChunkBytes);
  const auto held = pool.Store(Bytes("held"));
  ASSERT_TRUE(held);
  const FrameRef copy = *held;
  for (size_t i = 0; i < kMany; ++i) {
    ASSERT_TRUE(pool.Store(Bytes(std::string(FramePool::kChunkBytes / 3, 'x'))));
  }
  EXPECT_EQ(Text(held->bytes()), "held");
  EXPECT_EQ(Text(copy.bytes()), "held");
}

TEST(Frame, SmallMessagesShareAChunk) {
  FramePool pool(2 * FramePool::kChunkBytes);
  std::vector<FrameRef> frames;
  for (size_t i = 0; i < kMany; ++i) frames.push_back(*pool.Store(Bytes(std::string(114, 'a'))));
  EXPECT_EQ(pool.held_bytes(), FramePool::kChunkBytes);
}

TEST(Frame, ThePoolNeverPassesItsBoundAndRecoversWhenFramesAreLetGo) {
  FramePool pool(4 * FramePool::kChunkBytes);
  const std::string large(FramePool::kChunkBytes, 'l');
  std::vector<FrameRef> frames;
  while (auto frame = pool.Store(Bytes(large))) {
    frames.push_back(std::move(*frame));
    ASSERT_LE(pool.held_bytes(), pool.bytes_max());
  }
  EXPECT_EQ(frames.size(), 4u);
  EXPECT_EQ(pool.RoomFor(1), 0u);
  EXPECT_FALSE(pool.Store(Bytes("x")));
  frames.clear();
  EXPECT_EQ(pool.held_bytes(), 0u);
  EXPECT_TRUE(pool.Store(Bytes(large)));
}

TEST(Frame, RoomForIsAPromise) {
  for (const size_t frame_bytes : {size_t{100}, FramePool::kChunkBytes / 2, size_t{212'992}}) {
    FramePool pool(1'000'000);
    const auto first = pool.Store(Bytes("a chunk that is being filled"));
    std::vector<FrameRef> frames;
    const std::string message(frame_bytes, 'm');
    for (size_t room = pool.RoomFor(frame_bytes); room > 0; --room) {
      auto frame = pool.Store(Bytes(message));
      ASSERT_TRUE(frame) << frame_bytes;
      frames.push_back(std::move(*frame));
    }
    EXPECT_GT(frames.size(), 1u);
  }
}

TEST(Frame, FreeChunksMakeWayForALargeFrame) {
  FramePool pool(4 * FramePool::kChunkBytes);
  {
    std::vector<FrameRef> frames;
    for (int i = 0; i < 4; ++i) {
      frames.push_back(*pool.Store(Bytes(std::string(FramePool::kChunkBytes, 'x'))));
    }
  }
  EXPECT_EQ(pool.allocated_bytes(), pool.bytes_max()) << "or there is nothing to make way";
  const auto large = pool.Store(Bytes(std::string(3 * FramePool::kChunkBytes, 'y')));
  EXPECT_TRUE(large);
  EXPECT_LE(pool.allocated_bytes(), pool.bytes_max());
}

TEST(Frame, AFrameOutlivesItsPool) {
  FrameRef frame;
  {
    FramePool pool(2 * FramePool::kChunkBytes);
    frame = *pool.Store(Bytes("still here"));
  }
  EXPECT_EQ(Text(frame.bytes()), "still here");
}

TEST(Frame, FramesMayBeReleasedOnAnotherThread) {
  FramePool pool(64 * FramePool::kChunkBytes);
  for (size_t round = 0; round < kMany; ++round) {
    std::vector<FrameRef> frames;
    for (size_t i = 0; i < kMany; ++i)
      frames.push_back(*pool.Store(Bytes(std::string(2'000, 'x'))));
    std::thread([mine = std::move(frames)]() mutable { mine.clear(); }).join();
  }
  EXPECT_LE(pool.held_bytes(), FramePool::kChunkBytes);
}

TEST(Frame, CopyStandsAlone) {
  std::string source = "copied";
  const FrameRef frame = FrameRef::Copy(Bytes(source));
  source = "XXXXXX";
  EXPECT_EQ(Text(frame.bytes()), "copied");
  EXPECT_EQ(frame.pinned_bytes(), 6u);
  EXPECT_EQ(FrameRef::Copy({}).size(), 0u);
}

}  // namespace
}  // namespace gyrfalcon
