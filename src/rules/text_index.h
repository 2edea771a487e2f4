// Which of many texts a given one is, or begins with, found without going through them all.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/hash.h"

namespace gyrfalcon {

// Filled once, then read from any thread. Each text carries marks, small numbers of the caller's.
class TextIndex {
 public:
  // Before Seal().
  void AddWhole(std::string_view text, uint32_t mark);
  void AddPrefix(std::string_view text, uint32_t mark);
  // From here on nothing is added, and Find() works.
  void Seal();

  size_t size() const { return wholes_.size() + prefixes_.size(); }

  // Calls `visit(mark)` for every mark of a whole text equal to `text` and of a prefix that it
  // begins with. A mark may come more than once.
  template <class Visit>
  void Find(std::string_view text, const Visit& visit) const {
    if (const auto found = wholes_.find(text); found != wholes_.end()) {
      for (const uint32_t mark : found->second) visit(mark);
    }
    for (int32_t i = LongestPrefix(text); i >= 0; i = prefixes_[static_cast<size_t>(i)].shorter) {
      for (const uint32_t mark : prefixes_[static_cast<size_t>(i)].marks) visit(mark);
    }
  }

 private:
  struct Prefix {
    std::string text;
    std::vector<uint32_t> marks;
    int32_t shorter = -1;  // the longest other prefix that this one begins with; -1: none
  };

  int32_t LongestPrefix(std::string_view text) const;

  absl::flat_hash_map<std::string, std::vector<uint32_t>, TextHash, TextEqual> wholes_;
  std::vector<Prefix> prefixes_;  // sorted by text once sealed
};

}  // namespace gyrfalcon
