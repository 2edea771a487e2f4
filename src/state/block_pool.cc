#include "state/block_pool.h"

#include <algorithm>

namespace gyrfalcon {

void BlockPool::Release() noexcept {
  while (chunks_ != nullptr) GiveBack(chunks_);
  sizes_ = {};
  used_bytes_ = 0;
}

void* BlockPool::TakeFresh(Size& size, size_t bytes) {
  if (size.fresh == size.end) {
    const size_t blocks = std::clamp<size_t>(kChunkBytesMax / bytes, 1, size.blocks);
    size.fresh = reinterpret_cast<std::byte*>(TakeChunk(blocks * bytes) + 1);
    size.end = size.fresh + blocks * bytes;
    size.blocks = std::min(size.blocks * 2, kBlocksMax);
  }
  std::byte* block = size.fresh;
  size.fresh += bytes;
  return block;
}

BlockPool::Chunk* BlockPool::TakeChunk(size_t bytes) {
  const size_t whole = sizeof(Chunk) + bytes;
  auto* chunk = new (upstream_->allocate(whole, alignof(Chunk)))
      Chunk{.next = chunks_, .before = nullptr, .bytes = whole};
  if (chunks_ != nullptr) chunks_->before = chunk;
  chunks_ = chunk;
  return chunk;
}

void BlockPool::GiveBack(Chunk* chunk) noexcept {
  (chunk->before == nullptr ? chunks_ : chunk->before->next) = chunk->next;
  if (chunk->next != nullptr) chunk->next->before = chunk->before;
  upstream_->deallocate(chunk, chunk->bytes, alignof(Chunk));
}

}  // namespace gyrfalcon
