// Room with a process for answers about it that stay until it changes. The state says when that is,
// and never looks inside.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

namespace gyrfalcon {

class Remembered {
 public:
  explicit Remembered(std::pmr::memory_resource* memory) : words_(memory) {}

  // Whose answers they are, and of which time.
  struct Stamp {
    uint64_t owner = 0;  // 0: nobody's
    uint32_t process_version = 0;
    uint32_t line_version = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };

  // The words as they were left, or, under another stamp than last time, with the first
  // `cleared` ones zero and the others anything.
  std::span<uint64_t> Under(const Stamp& stamp, size_t words, size_t cleared) {
    if (stamp != stamp_) {
      stamp_ = stamp;
      words_.resize(words);
      std::ranges::fill_n(words_.begin(), static_cast<std::ptrdiff_t>(cleared), 0);
    }
    return words_;
  }

 private:
  Stamp stamp_;
  std::pmr::vector<uint64_t> words_;
};

}  // namespace gyrfalcon
