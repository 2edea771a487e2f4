// Memory for many small objects that come and go: blocks of a few sizes, given out again as they
// come back. Unlike std::pmr::unsynchronized_pool_resource it does not look for a block's chunk
// when the block comes back, which costs more than most objects' making.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <memory_resource>
#include <new>

namespace gyrfalcon {

// One thread. Blocks come from `upstream` a few at once and go back all together, with Release or
// the destructor; what is larger than every block has a place of its own, and goes back at once.
class BlockPool final : public std::pmr::memory_resource {
 public:
  explicit BlockPool(std::pmr::memory_resource* upstream) : upstream_(upstream) {}
  ~BlockPool() override { Release(); }
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // Gives everything back, whoever still uses it.
  void Release() noexcept;
  // What is given out now, as it was asked for.
  size_t used_bytes() const { return used_bytes_; }

 private:
  // Steps of 16 bytes, and above of half of a power of two.
  static constexpr size_t kStep = 16;
  static constexpr size_t kFineMax = 512;
  static constexpr size_t kBlockMax = 4096;
  static constexpr size_t kSizes = kFineMax / kStep + 6;
  // A thousand small sandboxes are the usual case: chunks grow no larger than what a few processes
  // need.
  static constexpr size_t kBlocksMax = 16;
  static constexpr size_t kChunkBytesMax = 16 * 1024;

  struct Free {
    Free* next;
  };
  // Before the blocks of a chunk, or before a block of its own.
  struct alignas(kStep) Chunk {
    Chunk* next;
    Chunk* before;
    size_t bytes;
  };
  struct Size {
    Free* free = nullptr;        // come back
    std::byte* fresh = nullptr;  // never given out, up to `end`
    std::byte* end = nullptr;
    size_t blocks = 1;  // of the next chunk
  };

  static size_t IndexOf(size_t bytes) {
    if (bytes <= kFineMax) return bytes == 0 ? 0 : (bytes - 1) / kStep;
    const auto width = static_cast<size_t>(std::bit_width(bytes - 1));
    return kFineMax / kStep + (width - 10) * 2 + ((bytes - 1) >> (width - 2) & 1);
  }
  static size_t BytesOf(size_t index) {
    if (index < kFineMax / kStep) return (index + 1) * kStep;
    const size_t coarse = index - kFineMax / kStep;
    return (coarse % 2 == 0 ? size_t{768} : size_t{1024}) << coarse / 2;
  }

  void* do_allocate(size_t bytes, size_t alignment) override {
    void* memory = alignment > kStep ? upstream_->allocate(bytes, alignment) : Take(bytes);
    used_bytes_ += bytes;
    return memory;
  }
  void do_deallocate(void* memory, size_t bytes, size_t alignment) override {
    used_bytes_ -= bytes;
    if (alignment > kStep) return upstream_->deallocate(memory, bytes, alignment);
    if (bytes > kBlockMax) return GiveBack(static_cast<Chunk*>(memory) - 1);
    Size& size = sizes_[IndexOf(bytes)];
    size.free = new (memory) Free{size.free};
  }
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  void* Take(size_t bytes) {
    if (bytes > kBlockMax) return TakeChunk(bytes) + 1;
    const size_t index = IndexOf(bytes);
    Size& size = sizes_[index];
    if (size.free == nullptr) return TakeFresh(size, BytesOf(index));
    Free* block = size.free;
    size.free = block->next;
    return block;
  }
  void* TakeFresh(Size& size, size_t bytes);
  Chunk* TakeChunk(size_t bytes);
  void GiveBack(Chunk* chunk) noexcept;

  std::pmr::memory_resource* const upstream_;
  std::array<Size, kSizes> sizes_;
  Chunk* chunks_ = nullptr;
  size_t used_bytes_ = 0;
};

}  // namespace gyrfalcon
