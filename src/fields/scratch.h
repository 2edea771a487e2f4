// Memory for values that an extractor has to build, such as a command line: bump-allocated, given
// back all at once when the next happening is taken up, and kept for reuse, so that evaluation does
// not allocate once the scratch has grown to what the rules need.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
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

 private:
  std::byte* Allocate(size_t size, size_t alignment);

  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    size_t size;
  };
  std::vector<Block> blocks_;
  size_t block_ = 0;  // index of the block in use
  size_t used_ = 0;   // bytes of it
};

}  // namespace gyrfalcon
