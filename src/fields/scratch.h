// Memory for values that an extractor has to build, such as a command line: bump-allocated, given
// back all at once when the next happening is taken up, and kept for reuse, so that evaluation does
// not allocate once the scratch has grown to what the rules need.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "fields/value.h"

namespace gyrfalcon {

// Thread-compatible: one per worker.
class Scratch {
 public:
  // Frees nothing, forgets everything: views into the scratch die here.
  void Reset() noexcept;

  std::span<char> Chars(size_t count);
  std::string_view Copy(std::string_view text);
  std::span<Value> Values(size_t count);
  // An address that must outlive the extractor's frame.
  const IpAddress& Copy(const IpAddress& address);

  // A number that Reset leaves alone, 0 at first: what a field remembers from one evaluation of the
  // same check to the next (evt.deltatime). `check` only tells checks apart.
  int64_t& Remembered(const void* check) { return remembered_[check]; }

 private:
  std::byte* Allocate(size_t size, size_t alignment);

  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    size_t size;
  };
  std::vector<Block> blocks_;
  size_t block_ = 0;  // index of the block in use
  size_t used_ = 0;   // bytes of it
  std::unordered_map<const void*, int64_t> remembered_;
};

}  // namespace gyrfalcon
