// Records that outlive their source, with bytes of their own: for tests and measurements, which go
// over the same messages again. One thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "wire/record.h"

namespace gyrfalcon {

class KeptRecords {
 public:
  // Its frame is copied.
  void Add(const Record& record) {
    records_.push_back(record);
    records_.back().frame = Keep(record.frame);
  }

  std::span<const Record> all() const { return records_; }

  // Memory is kept for what comes next.
  void Clear() {
    records_.clear();
    chunk_ = 0;
    used_ = 0;
  }

 private:
  static constexpr size_t kChunkBytes = 1024 * 1024;

  struct Chunk {
    std::unique_ptr<std::byte[]> bytes;
    size_t size = 0;
  };

  std::span<const std::byte> Keep(std::span<const std::byte> bytes) {
    while (chunk_ < chunks_.size() && chunks_[chunk_].size - used_ < bytes.size()) {
      ++chunk_;
      used_ = 0;
    }
    if (chunk_ == chunks_.size()) {
      const size_t size = std::max(kChunkBytes, bytes.size());
      chunks_.push_back({std::make_unique_for_overwrite<std::byte[]>(size), size});
    }
    const std::span kept(chunks_[chunk_].bytes.get() + used_, bytes.size());
    std::ranges::copy(bytes, kept.begin());
    used_ += bytes.size();
    return kept;
  }

  std::vector<Record> records_;
  std::vector<Chunk> chunks_;
  size_t chunk_ = 0;  // being filled
  size_t used_ = 0;   // bytes of it
};

}  // namespace gyrfalcon
