// argv or an environment: the texts joined by one blank, as rules read them, with the ends of each,
// so that one can be picked out. One allocation for the text, one for the ends.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

namespace gyrfalcon {

class TextVector {
 public:
  explicit TextVector(std::pmr::memory_resource* memory) : joined_(memory), ends_(memory) {}

  // False when the text would make the whole longer than `bytes_max`; then it is left out.
  bool Append(std::string_view text, size_t bytes_max) {
    if (joined_.size() + text.size() + 1 > bytes_max) return false;
    if (!ends_.empty()) joined_ += ' ';
    joined_ += text;
    ends_.push_back(static_cast<uint32_t>(joined_.size()));
    return true;
  }
  void Clear() {
    joined_.clear();
    ends_.clear();
  }

  // As they are saved (state/saved_bytes.h).
  template <class Visit>
  static void VisitFields(Visit& visit, TextVector& texts) {
    const size_t bytes_max = visit.archive().limits().argv_bytes_max;
    visit("joined", texts.joined_, bytes_max);
    visit("ends", texts.ends_, bytes_max);
    size_t begin = 0;
    for (const uint32_t end : texts.ends_) {
      if (end < begin || end > texts.joined_.size()) return visit.archive().Fail();
      begin = end + size_t{1};
    }
  }

  size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  std::string_view joined() const { return joined_; }
  std::string_view operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends_[i - 1] + size_t{1};
    return std::string_view(joined_).substr(begin, ends_[i] - begin);
  }

 private:
  std::pmr::string joined_;
  std::pmr::vector<uint32_t> ends_;
};

}  // namespace gyrfalcon
