#include "fields/scratch.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace gyrfalcon {

void Scratch::Reset() noexcept {
  block_ = 0;
  used_ = 0;
}

std::byte* Scratch::Allocate(size_t size, size_t alignment) {
  constexpr size_t kBlockSize = 16 * 1024;
  while (block_ < blocks_.size()) {
    const size_t start = (used_ + alignment - 1) / alignment * alignment;
    if (start + size <= blocks_[block_].size) {
      used_ = start + size;
      return blocks_[block_].bytes.get() + start;
    }
    ++block_;
    used_ = 0;
  }
  const size_t block_size = std::max(kBlockSize, size);
  blocks_.push_back({std::make_unique_for_overwrite<std::byte[]>(block_size), block_size});
  used_ = size;
  return blocks_.back().bytes.get();
}

std::span<char> Scratch::Chars(size_t count) {
  return {reinterpret_cast<char*>(Allocate(count, 1)), count};
}

std::string_view Scratch::Copy(std::string_view text) {
  const std::span<char> out = Chars(text.size());
  std::ranges::copy(text, out.begin());
  return {out.data(), out.size()};
}

std::span<Value> Scratch::Values(size_t count) {
  auto* first = reinterpret_cast<Value*>(Allocate(count * sizeof(Value), alignof(Value)));
  std::uninitialized_default_construct_n(first, count);
  return {first, count};
}

const IpAddress& Scratch::Copy(const IpAddress& address) {
  return *new (Allocate(sizeof(IpAddress), alignof(IpAddress))) IpAddress(address);
}

}  // namespace gyrfalcon
