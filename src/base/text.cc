#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <numeric>

namespace gyrfalcon {

std::string_view TrimBlanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\f\v";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  size_t begin = 0;
  for (size_t end = text.find(separator); end != std::string_view::npos;
       end = text.find(separator, begin)) {
    pieces.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  pieces.push_back(text.substr(begin));
  return pieces;
}

std::string Join(std::span<const std::string> pieces, std::string_view separator) {
  std::string out;
  for (const std::string& piece : pieces) {
    if (&piece != &pieces.front()) out += separator;
    out += piece;
  }
  return out;
}

namespace {

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({row[j - 1] + 1, above + 1, diagonal + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

template <class Number>
std::optional<Number> ParseWhole(std::string_view text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || text.empty()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::string_view> NearestWord(std::string_view word,
                                            std::span<const std::string_view> candidates) {
  constexpr size_t kLongestWord = 64;  // edit distance is quadratic, and the word is the user's
  if (word.size() > kLongestWord) return std::nullopt;
  std::optional<std::string_view> best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (std::string_view candidate : candidates) {
    const size_t lengths_apart = candidate.size() > word.size() ? candidate.size() - word.size()
                                                                : word.size() - candidate.size();
    if (lengths_apart >= best_distance) continue;
    const size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::optional<int64_t> ParseInt(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  return ParseWhole<int64_t>(text);
}

std::optional<uint64_t> ParseUint(std::string_view text) {
  return ParseWhole<uint64_t>(text);
}

std::string_view PathBasename(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

namespace {

void AppendComponents(std::string_view path, std::string& out) {
  while (!path.empty()) {
    const size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    path = slash == std::string_view::npos ? std::string_view{} : path.substr(slash + 1);
    if (component.empty() || component == ".") continue;
    if (component == "..") {
      const size_t parent = out.rfind('/');
      out.resize(parent == std::string::npos ? 0 : parent);
      continue;
    }
    out += '/';
    out += component;
  }
}

// Whether a path is absolute and stays what it is: most are. Without leaving early: so it is done
// for many bytes at once.
bool IsNormal(std::string_view path) {
  unsigned found = 0;
  for (size_t i = 1; i < path.size(); ++i) {
    const unsigned begins =
        static_cast<unsigned>(path[i] == '/') | static_cast<unsigned>(path[i] == '.');
    found |= static_cast<unsigned>(path[i - 1] == '/') & begins;
  }
  return path.starts_with('/') && found == 0 && (path.size() == 1 || !path.ends_with('/'));
}

}  // namespace

void NormalizePath(std::string_view directory, std::string_view path, std::string& out) {
  if (IsNormal(path)) {
    out = path;
    return;
  }
  out.clear();
  if (!path.starts_with('/')) AppendComponents(directory, out);
  AppendComponents(path, out);
  if (out.empty()) out += '/';
}

}  // namespace gyrfalcon
