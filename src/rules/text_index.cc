#include "rules/text_index.h"

#include <algorithm>
#include <tuple>

namespace gyrfalcon {

void TextIndex::AddWhole(std::string_view text, uint32_t mark) {
  wholes_[std::string(text)].push_back(mark);
}

void TextIndex::AddPrefix(std::string_view text, uint32_t mark) {
  prefixes_.push_back({.text = std::string(text), .marks = {mark}});
}

void TextIndex::Seal() {
  std::ranges::sort(prefixes_, [](const Prefix& a, const Prefix& b) {
    return std::tie(a.text, a.marks) < std::tie(b.text, b.marks);
  });
  std::vector<Prefix> merged;
  for (Prefix& prefix : prefixes_) {
    if (merged.empty() || merged.back().text != prefix.text) {
      merged.push_back(std::move(prefix));
    } else {
      merged.back().marks.push_back(prefix.marks.front());
    }
  }
  prefixes_ = std::move(merged);
  for (size_t i = 0; i < prefixes_.size(); ++i) {
    // What stands between a text and its prefixes in the order begins with them, too.
    int32_t shorter = static_cast<int32_t>(i) - 1;
    while (shorter >= 0 &&
           !prefixes_[i].text.starts_with(prefixes_[static_cast<size_t>(shorter)].text)) {
      shorter = prefixes_[static_cast<size_t>(shorter)].shorter;
    }
    prefixes_[i].shorter = shorter;
  }
}

int32_t TextIndex::LongestPrefix(std::string_view text) const {
  const auto above = std::ranges::upper_bound(
      prefixes_, text, {}, [](const Prefix& prefix) { return std::string_view(prefix.text); });
  auto i = static_cast<int32_t>(above - prefixes_.begin()) - 1;
  while (i >= 0 && !text.starts_with(prefixes_[static_cast<size_t>(i)].text)) {
    i = prefixes_[static_cast<size_t>(i)].shorter;
  }
  return i;
}

}  // namespace gyrfalcon
