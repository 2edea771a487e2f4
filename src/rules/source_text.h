// Text that knows where in the rules files each of its characters came from. A condition is put
// together from pieces (appended parts, exceptions, list items), and an error in it must name the
// line that somebody wrote.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gyrfalcon {

// A place in one of the loader's files.
struct Origin {
  static constexpr uint32_t kNoFile = UINT32_MAX;
  uint32_t file = kNoFile;
  uint32_t offset = 0;

  bool known() const { return file != kNoFile; }
};

class SourceText {
 public:
  SourceText() = default;
  // Text without a known origin.
  explicit SourceText(std::string_view text) { Append(text, Origin{}); }

  const std::string& text() const { return text_; }
  bool empty() const { return text_.empty(); }
  size_t size() const { return text_.size(); }

  // The origin of the character at `offset`; past the end that of the last one.
  Origin OriginAt(size_t offset) const {
    if (origins_.empty()) return {};
    return origins_[offset < origins_.size() ? offset : origins_.size() - 1];
  }

  // Every character of `text` comes from `origin`.
  void Append(std::string_view text, Origin origin) {
    text_ += text;
    origins_.resize(text_.size(), origin);
  }
  void Append(const SourceText& other) { AppendPart(other, 0, other.size()); }
  void AppendPart(const SourceText& other, size_t begin, size_t end) {
    text_.append(other.text_, begin, end - begin);
    origins_.insert(origins_.end(), other.origins_.begin() + static_cast<std::ptrdiff_t>(begin),
                    other.origins_.begin() + static_cast<std::ptrdiff_t>(end));
  }
  void SetOrigin(size_t offset, Origin origin) { origins_[offset] = origin; }
  // Keeps the first `size` characters.
  void Truncate(size_t size) {
    text_.resize(size);
    origins_.resize(size);
  }

 private:
  std::string text_;
  std::vector<Origin> origins_;  // as long as text_
};

}  // namespace gyrfalcon
