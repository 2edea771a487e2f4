#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace gyrfalcon {

// Which rules a happening has raised, noted by the sink. What is told again because more is known
// of it (an open that turns out to be of another file, an exec whose arguments come later) must not
// raise the same rule twice. Beyond its size it forgets: an alert told
// twice is better than one not told.
class RaisedRules {
 public:
  void Note(uint64_t rule) {
    if (size_ < rules_.size()) rules_[size_++] = rule;
  }
  bool Has(uint64_t rule) const {
    return std::find(rules_.begin(), rules_.begin() + size_, rule) != rules_.begin() + size_;
  }

 private:
  std::array<uint64_t, 4> rules_{};
  uint8_t size_ = 0;
};

}  // namespace gyrfalcon
