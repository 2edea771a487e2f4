// Where the bytes of received messages live, and who keeps them alive.
//
// A FramePool packs messages tightly into chunks; a FrameRef is a counted handle to one message,
// and keeps its whole chunk. Copying a FrameRef means holding the bytes longer, and costs one
// atomic addition. Whoever holds a small frame for long (seconds) should hold
// FrameRef::Copy(ref.bytes()) instead, so as not to pin a chunk of 64 KiB for 114 bytes;
// pinned_bytes() says what a handle costs.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace gyrfalcon {

namespace frame_detail {

struct PoolState;

// Header of one allocation; its bytes follow it directly.
struct Chunk {
  std::atomic<uint32_t> holds{1};
  size_t capacity = 0;
  std::shared_ptr<PoolState> pool;  // none for a FrameRef::Copy

  std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};

void Retire(Chunk* chunk) noexcept;  // the last hold is gone

inline void Hold(Chunk* chunk) noexcept {
  if (chunk != nullptr) chunk->holds.fetch_add(1, std::memory_order_relaxed);
}

inline void Release(Chunk* chunk) noexcept {
  if (chunk == nullptr) return;
  if (chunk->holds.fetch_sub(1, std::memory_order_acq_rel) == 1) Retire(chunk);
}

}  // namespace frame_detail

// One message's bytes. An empty (default) one has no bytes. Different FrameRefs to the same message
// may be copied and destroyed on different threads; one FrameRef object is for one thread at a
// time. It may outlive its pool.
class FrameRef {
 public:
  FrameRef() noexcept = default;
  FrameRef(const FrameRef& other) noexcept
      : chunk_(other.chunk_), data_(other.data_), size_(other.size_) {
    frame_detail::Hold(chunk_);
  }
  FrameRef(FrameRef&& other) noexcept { swap(other); }
  FrameRef& operator=(FrameRef other) noexcept {
    swap(other);
    return *this;
  }
  ~FrameRef() { frame_detail::Release(chunk_); }

  // Bytes of their own, outside any pool and its bound: for tests, and for whoever holds long.
  static FrameRef Copy(std::span<const std::byte> bytes);

  // The view dies with the last FrameRef to this message, so a temporary can't give it.
  std::span<const std::byte> bytes() const& noexcept { return {data_, size_}; }
  std::span<const std::byte> bytes() const&& = delete;

  size_t size() const noexcept { return size_; }
  // Memory that this handle keeps from being reused, shared with its neighbours in the same chunk.
  size_t pinned_bytes() const noexcept { return chunk_ == nullptr ? 0 : chunk_->capacity; }

  void swap(FrameRef& other) noexcept {
    std::swap(chunk_, other.chunk_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

 private:
  friend class FramePool;
  // Takes over one hold.
  FrameRef(frame_detail::Chunk* chunk, const std::byte* data, size_t size) noexcept
      : chunk_(chunk), data_(data), size_(size) {}

  frame_detail::Chunk* chunk_ = nullptr;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// Bounded memory for one receiving thread. Only that thread calls Store and RoomFor; held_bytes may
// be read, and FrameRefs released, anywhere.
class FramePool {
 public:
  static constexpr size_t kChunkBytes = 64 * 1024;
  static constexpr size_t kFrameBytesMax = 16 * 1024 * 1024;

  // Never more than `bytes_max` is allocated for frames, free chunks kept for reuse included.
  explicit FramePool(size_t bytes_max);
  ~FramePool();
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;

  // A copy of `bytes`; nullopt when the bound is reached because frames are held, or when `bytes`
  // are more than kFrameBytesMax.
  std::optional<FrameRef> Store(std::span<const std::byte> bytes);

  // How many Stores of up to `frame_bytes` each are certain to succeed now. Ask before a message is
  // taken out of a socket: what is not read yet is the kernel's to keep.
  size_t RoomFor(size_t frame_bytes) const noexcept;

  // What such a frame takes at worst, for choosing a bound that holds at least one.
  static constexpr size_t WorstCaseBytes(size_t frame_bytes) noexcept {
    return frame_bytes > kChunkBytes ? frame_bytes : kChunkBytes;
  }

  size_t bytes_max() const noexcept { return bytes_max_; }
  // Bytes of all chunks that a frame lives in, and of the one being filled.
  size_t held_bytes() const noexcept;
  // The same and the free chunks kept for reuse: what bytes_max bounds.
  size_t allocated_bytes() const noexcept;

 private:
  frame_detail::Chunk* Allocate(size_t capacity);
  std::optional<FrameRef> StoreAlone(std::span<const std::byte> bytes);

  const size_t bytes_max_;
  std::shared_ptr<frame_detail::PoolState> state_;
  frame_detail::Chunk* current_ = nullptr;  // one hold of it is ours
  size_t used_ = 0;                         // bytes of current_ that frames were put into
};

}  // namespace gyrfalcon
