// Changes of a text at places of it, and how they are shown.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gyrfalcon {

// The bytes from `begin` up to `end` become `text`; an insertion where both are the same.
struct TextEdit {
  size_t begin = 0;
  size_t end = 0;
  std::string text;
};

// Edits must not overlap; their offsets are the old text's.
std::string ApplyEdits(std::string_view text, std::vector<TextEdit> edits);

// As `diff -u` shows it, with three lines around each change; "" where nothing differs. A file that
// is not there is the empty text.
std::string LineDiff(const std::string& path, std::string_view before, std::string_view after);

}  // namespace gyrfalcon
