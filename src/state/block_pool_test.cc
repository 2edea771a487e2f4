#include "state/block_pool.h"

#include <cstring>
#include <random>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

namespace gyrfalcon {
namespace {

// Counts what is out.
class Upstream final : public std::pmr::memory_resource {
 public:
  size_t bytes = 0;
  size_t calls = 0;

 private:
  void* do_allocate(size_t size, size_t alignment) override {
    bytes += size;
    ++calls;
    return std::pmr::new_delete_resource()->allocate(size, alignment);
  }
  void do_deallocate(void* memory, size_t size, size_t alignment) override {
    bytes -= size;
    std::pmr::new_delete_resource()->deallocate(memory, size, alignment);
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

struct Held {
  unsigned char* memory;
  size_t bytes;
  size_t alignment;
  unsigned char filled;
};

bool IsIntact(const Held& held) {
  for (size_t i = 0; i < held.bytes; ++i) {
    if (held.memory[i] != held.filled) return false;
  }
  return reinterpret_cast<uintptr_t>(held.memory) % held.alignment == 0;
}

TEST(BlockPool, GivesEachItsOwnWhateverTheSizeAndTheOrder) {
  Upstream upstream;
  std::vector<Held> all;
  std::mt19937 random(1);
  size_t used = 0;
  {
    BlockPool pool(&upstream);
    for (int step = 0; step < 20'000; ++step) {
      if (all.size() > 200 || (!all.empty() && random() % 2 == 0)) {
        std::swap(all[random() % all.size()], all.back());
        const Held held = all.back();
        all.pop_back();
        ASSERT_TRUE(IsIntact(held)) << held.bytes;
        pool.deallocate(held.memory, held.bytes, held.alignment);
        used -= held.bytes;
      } else {
        const size_t bytes = random() % (random() % 4 == 0 ? 9'000 : 600);
        const size_t alignment = random() % 50 == 0 ? 64 : size_t{1} << random() % 5;
        auto* memory = static_cast<unsigned char*>(pool.allocate(bytes, alignment));
        all.push_back({memory, bytes, alignment, static_cast<unsigned char>(random())});
        std::memset(memory, all.back().filled, bytes);
        used += bytes;
      }
      ASSERT_EQ(pool.used_bytes(), used);
    }
    for (const Held& held : all) pool.deallocate(held.memory, held.bytes, held.alignment);
    EXPECT_EQ(pool.used_bytes(), 0u);
  }
  EXPECT_EQ(upstream.bytes, 0u);
}

TEST(BlockPool, TakesNothingMoreForWhatComesAndGoes) {
  Upstream upstream;
  BlockPool pool(&upstream);
  const auto come_and_go = [&pool] {
    for (size_t bytes = 1; bytes <= 4096; ++bytes) pool.deallocate(pool.allocate(bytes), bytes);
  };
  come_and_go();
  const size_t calls = upstream.calls;
  come_and_go();
  EXPECT_EQ(upstream.calls, calls);
}

TEST(BlockPool, GivesWhatIsLargeBackAtOnce) {
  Upstream upstream;
  BlockPool pool(&upstream);
  void* memory = pool.allocate(100'000);
  EXPECT_GE(upstream.bytes, 100'000u);
  pool.deallocate(memory, 100'000);
  EXPECT_EQ(upstream.bytes, 0u);
}

TEST(BlockPool, ReleaseGivesEverythingBack) {
  Upstream upstream;
  BlockPool pool(&upstream);
  for (size_t bytes = 1; bytes < 10'000; bytes += 7) std::ignore = pool.allocate(bytes);
  pool.Release();
  EXPECT_EQ(upstream.bytes, 0u);
  EXPECT_EQ(pool.used_bytes(), 0u);
  std::memset(pool.allocate(100), 1, 100);
}

// A sandbox of a few processes must not hold much more than it uses.
TEST(BlockPool, TakesLittleForFewBlocks) {
  Upstream upstream;
  BlockPool pool(&upstream);
  for (size_t bytes = 16; bytes <= 4096; bytes *= 2) {
    for (int i = 0; i < 3; ++i) std::ignore = pool.allocate(bytes);
  }
  EXPECT_LT(upstream.bytes, pool.used_bytes() * 5 / 4);
}

}  // namespace
}  // namespace gyrfalcon
