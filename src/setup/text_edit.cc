#include "setup/text_edit.h"

#include <algorithm>
#include <cstdint>
#include <span>

#include <fmt/format.h>

namespace gyrfalcon {
namespace {

constexpr size_t kAround = 3;
// Beyond it what differs is shown as one change.
constexpr size_t kComparedMax = 4'000'000;

struct Line {
  char mark;  // ' ', '-', '+'
  std::string_view text;
};

// With their newlines.
std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

// What is left when the same beginnings and ends are off, by the longest common subsequence.
void Compare(std::span<const std::string_view> a, std::span<const std::string_view> b,
             std::vector<Line>& out) {
  if (a.size() * b.size() > kComparedMax) {
    for (const std::string_view line : a) out.push_back({'-', line});
    for (const std::string_view line : b) out.push_back({'+', line});
    return;
  }
  const size_t width = b.size() + 1;
  std::vector<uint32_t> common((a.size() + 1) * width);
  for (size_t i = a.size(); i-- > 0;) {
    for (size_t j = b.size(); j-- > 0;) {
      common[i * width + j] =
          a[i] == b[j] ? common[(i + 1) * width + j + 1] + 1
                       : std::max(common[(i + 1) * width + j], common[i * width + j + 1]);
    }
  }
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      out.push_back({' ', a[i++]});
      ++j;
    } else if (j == b.size() ||
               (i < a.size() && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
      out.push_back({'-', a[i++]});
    } else {
      out.push_back({'+', b[j++]});
    }
  }
}

std::vector<Line> CompareLines(std::string_view before, std::string_view after) {
  const std::vector<std::string_view> a = Lines(before), b = Lines(after);
  size_t begin = 0;
  while (begin < a.size() && begin < b.size() && a[begin] == b[begin]) ++begin;
  size_t end = 0;
  while (end < a.size() - begin && end < b.size() - begin &&
         a[a.size() - 1 - end] == b[b.size() - 1 - end]) {
    ++end;
  }
  std::vector<Line> out;
  for (size_t i = 0; i < begin; ++i) out.push_back({' ', a[i]});
  Compare(std::span(a).subspan(begin, a.size() - begin - end),
          std::span(b).subspan(begin, b.size() - begin - end), out);
  for (size_t i = a.size() - end; i < a.size(); ++i) out.push_back({' ', a[i]});
  return out;
}

}  // namespace

std::string ApplyEdits(std::string_view text, std::vector<TextEdit> edits) {
  std::ranges::stable_sort(edits, {}, &TextEdit::begin);
  std::string out;
  size_t at = 0;
  for (const TextEdit& edit : edits) {
    out += text.substr(at, edit.begin - at);
    out += edit.text;
    at = edit.end;
  }
  out += text.substr(at);
  return out;
}

std::string LineDiff(const std::string& path, std::string_view before, std::string_view after) {
  if (before == after) return "";
  const std::vector<Line> lines = CompareLines(before, after);
  std::string out = fmt::format("--- {}\n+++ {}\n", path, path);
  size_t old_line = 1, new_line = 1;
  for (size_t at = 0; at < lines.size();) {
    size_t changed = at;
    while (changed < lines.size() && lines[changed].mark == ' ') ++changed;
    if (changed == lines.size()) break;
    const size_t begin = std::max(at, changed < kAround ? 0 : changed - kAround);
    old_line += begin - at;
    new_line += begin - at;
    // Up to as many unchanged lines as two changes would each show of their own.
    size_t end = changed;
    for (size_t same = 0, i = changed; i < lines.size() && same <= 2 * kAround; ++i) {
      same = lines[i].mark == ' ' ? same + 1 : 0;
      if (same == 0) end = i + 1;
    }
    end = std::min(end + kAround, lines.size());
    std::string body;
    size_t old_count = 0, new_count = 0;
    for (size_t i = begin; i < end; ++i) {
      old_count += lines[i].mark == '+' ? 0U : 1U;
      new_count += lines[i].mark == '-' ? 0U : 1U;
      body += lines[i].mark;
      body += lines[i].text;
      if (!lines[i].text.ends_with('\n')) body += "\n\\ No newline at end of file\n";
    }
    const auto first = [](size_t line, size_t count) { return count == 0 ? line - 1 : line; };
    out += fmt::format("@@ -{},{} +{},{} @@\n{}", first(old_line, old_count), old_count,
                       first(new_line, new_count), new_count, body);
    old_line += old_count;
    new_line += new_count;
    at = end;
  }
  return out;
}

}  // namespace gyrfalcon
