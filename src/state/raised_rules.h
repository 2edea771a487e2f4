#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace gyrfalcon {

// Which rules a happening has raised, noted by the sink. What is told again because more is known
// of it (an open that turns out to be of another file, an exec whose arguments come later) must not
// raise the same rule twice. Beyond its size it forgets: an alert told twice is better than one not
// told.
class RaisedRules {
 public:
  // With each open file that may be told again; more than anybody has rules about one event.
  static constexpr size_t kMax = 128;

  void Note(uint64_t rule) {
    if (size_ < few_.size()) {
      few_[size_++] = rule;
    } else if (few_.size() + more_.size() < kMax) {
      more_.push_back(rule);
    }
  }
  bool Has(uint64_t rule) const {
    return std::find(few_.begin(), few_.begin() + size_, rule) != few_.begin() + size_ ||
           std::ranges::find(more_, rule) != more_.end();
  }
  // As they are saved (state/saved_bytes.h).
  template <class Visit>
  static void VisitFields(Visit& visit, RaisedRules& rules) {
    visit("few", rules.few_);
    visit("size", rules.size_);
    visit("more", rules.more_, kMax);
    if (rules.size_ > rules.few_.size()) visit.archive().Fail();
  }

 private:
  std::array<uint64_t, 4> few_{};  // the usual ones, without memory of their own
  uint8_t size_ = 0;
  std::vector<uint64_t> more_;
};

}  // namespace gyrfalcon
