#include "wire/frame.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace gyrfalcon {

namespace frame_detail {

// Outlives the pool for as long as a frame does.
struct PoolState {
  std::mutex mutex;
  std::vector<Chunk*> free;  // all of kChunkBytes
  bool open = true;
  std::atomic<size_t> held_bytes{0};
};

namespace {

Chunk* NewChunk(size_t capacity) {
  void* memory = ::operator new(sizeof(Chunk) + capacity);
  Chunk* chunk = new (memory) Chunk;
  chunk->capacity = capacity;
  return chunk;
}

void DeleteChunk(Chunk* chunk) noexcept {
  chunk->~Chunk();
  ::operator delete(chunk);
}

constexpr size_t kFreeChunksMax = 16;

}  // namespace

void Retire(Chunk* chunk) noexcept {
  // Out of the chunk first: a free chunk that owned its pool would be a cycle.
  const std::shared_ptr<PoolState> pool = std::move(chunk->pool);
  if (pool == nullptr) {
    DeleteChunk(chunk);
    return;
  }
  {
    const std::lock_guard lock(pool->mutex);
    pool->held_bytes.fetch_sub(chunk->capacity, std::memory_order_relaxed);
    if (pool->open && chunk->capacity == FramePool::kChunkBytes &&
        pool->free.size() < kFreeChunksMax) {
      pool->free.push_back(chunk);  // reserved at construction: can't throw
      return;
    }
  }
  DeleteChunk(chunk);
}

}  // namespace frame_detail

using frame_detail::Chunk;

FrameRef FrameRef::Copy(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  Chunk* chunk = frame_detail::NewChunk(bytes.size());
  std::memcpy(chunk->data(), bytes.data(), bytes.size());
  return FrameRef(chunk, chunk->data(), bytes.size());
}

FramePool::FramePool(size_t bytes_max)
    : bytes_max_(bytes_max), state_(std::make_shared<frame_detail::PoolState>()) {
  state_->free.reserve(frame_detail::kFreeChunksMax);
}

FramePool::~FramePool() {
  std::vector<Chunk*> free;
  {
    const std::lock_guard lock(state_->mutex);
    state_->open = false;
    free.swap(state_->free);
  }
  for (Chunk* chunk : free) frame_detail::DeleteChunk(chunk);
  frame_detail::Release(current_);
}

size_t FramePool::held_bytes() const noexcept {
  return state_->held_bytes.load(std::memory_order_relaxed);
}

size_t FramePool::allocated_bytes() const noexcept {
  const std::lock_guard lock(state_->mutex);
  return held_bytes() + state_->free.size() * kChunkBytes;
}

size_t FramePool::RoomFor(size_t frame_bytes) const noexcept {
  const size_t held = held_bytes();
  if (frame_bytes > kFrameBytesMax || held >= bytes_max_) return 0;
  return (bytes_max_ - held) / WorstCaseBytes(frame_bytes);
}

// A free chunk or a new one; nullptr when that would pass the bound.
Chunk* FramePool::Allocate(size_t capacity) {
  const std::lock_guard lock(state_->mutex);
  const size_t held = state_->held_bytes.load(std::memory_order_relaxed);
  if (capacity > bytes_max_ || held > bytes_max_ - capacity) return nullptr;
  Chunk* chunk = nullptr;
  if (capacity == kChunkBytes && !state_->free.empty()) {
    chunk = state_->free.back();
    state_->free.pop_back();
    chunk->holds.store(1, std::memory_order_relaxed);
  } else {
    // What lies free counts against the bound too, so it makes way for a frame of another size.
    while (!state_->free.empty() &&
           held + state_->free.size() * kChunkBytes + capacity > bytes_max_) {
      frame_detail::DeleteChunk(state_->free.back());
      state_->free.pop_back();
    }
    chunk = frame_detail::NewChunk(capacity);
  }
  chunk->pool = state_;
  state_->held_bytes.fetch_add(capacity, std::memory_order_relaxed);
  return chunk;
}

std::optional<FrameRef> FramePool::StoreAlone(std::span<const std::byte> bytes) {
  Chunk* chunk = Allocate(bytes.size());
  if (chunk == nullptr) return std::nullopt;
  std::memcpy(chunk->data(), bytes.data(), bytes.size());
  return FrameRef(chunk, chunk->data(), bytes.size());
}

std::optional<FrameRef> FramePool::Store(std::span<const std::byte> bytes) {
  if (bytes.empty()) return FrameRef();
  if (bytes.size() > kFrameBytesMax) return std::nullopt;
  if (bytes.size() > kChunkBytes / 2) return StoreAlone(bytes);
  // Nobody but us: begin the chunk again, while it is still in the processor's cache.
  if (current_ != nullptr && current_->holds.load(std::memory_order_acquire) == 1) used_ = 0;
  if (current_ == nullptr || kChunkBytes - used_ < bytes.size()) {
    frame_detail::Release(std::exchange(current_, nullptr));
    current_ = Allocate(kChunkBytes);
    used_ = 0;
    if (current_ == nullptr) return std::nullopt;
  }
  std::byte* data = current_->data() + used_;
  std::memcpy(data, bytes.data(), bytes.size());
  used_ += bytes.size();
  frame_detail::Hold(current_);
  return FrameRef(current_, data, bytes.size());
}

}  // namespace gyrfalcon
