#include "rules/priority.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/text.h"

namespace gyrfalcon {
namespace {

constexpr std::array<std::string_view, 8> kNames = {
    "Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug"};

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool EqualInAnyCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, Lower, Lower);
}

}  // namespace

std::string_view PriorityName(Priority priority) {
  return kNames[static_cast<size_t>(priority)];
}

std::optional<Priority> ParsePriority(std::string_view text) {
  if (EqualInAnyCase(text, "info")) return Priority::kInformational;
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (EqualInAnyCase(text, kNames[i])) return static_cast<Priority>(i);
  }
  return std::nullopt;
}

std::optional<std::string_view> NearestPriority(std::string_view text) {
  std::string word;
  for (const char c : text) word += Lower(c);
  if (!word.empty() && word[0] >= 'a' && word[0] <= 'z') {
    word[0] = static_cast<char>(word[0] - 'a' + 'A');
  }
  if (word.size() >= 3) {  // "warn", "crit": an abbreviation
    for (const std::string_view name : kNames) {
      if (name.starts_with(word)) return name;
    }
  }
  return NearestWord(word, kNames);
}

}  // namespace gyrfalcon
