#include "rules/text_matcher.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "rules/interpreter.h"
#include "rules/matchers.h"

namespace gyrfalcon {
namespace {

constexpr uint32_t kCertain = UINT32_MAX;
constexpr size_t kEndBytesMax = 64;
// Fewer are sought one after the other: that skips through a text faster (text_matcher_bench).
constexpr size_t kPartsMin = 8;

uint8_t AsByte(char c) {
  return static_cast<uint8_t>(c);
}

}  // namespace

void ContainsMatcher::MakeClasses(std::span<const std::string_view> parts, bool ignores_case) {
  class_of_.fill(0);
  classes_ = 1;
  for (const std::string_view part : parts) {
    for (const char c : part) {
      const char byte = ignores_case ? LowerAscii(c) : c;
      uint8_t& of_byte = class_of_[AsByte(byte)];
      if (of_byte == 0 && classes_ < 256) of_byte = static_cast<uint8_t>(classes_++);
      if (ignores_case) class_of_[AsByte(UpperAscii(byte))] = of_byte;
    }
  }
}

bool ContainsMatcher::Make(std::span<const std::string_view> parts, bool ignores_case) {
  MakeClasses(parts, ignores_case);
  size_t states = 1;
  for (const std::string_view part : parts) states += part.size();
  const bool has_all_bytes = classes_ == 256;  // then two of them share a class
  if (has_all_bytes || states * classes_ > kCellsMax) return false;
  next_.assign(classes_, 0);
  for (const std::string_view part : parts) Insert(part);
  FollowFailures();
  return true;
}

// As a tree: 0 is no way on.
void ContainsMatcher::Insert(std::string_view part) {
  uint32_t state = 0;
  for (size_t i = 0; i < part.size(); ++i) {
    const uint32_t cell = state + class_of_[AsByte(part[i])];
    if (next_[cell] == kFound) return;  // it contains another part
    if (i + 1 == part.size()) {
      next_[cell] = kFound;
      return;
    }
    if (next_[cell] == 0) {
      next_[cell] = static_cast<uint32_t>(next_.size());
      next_.resize(next_.size() + classes_);
    }
    state = next_[cell];
  }
}

// Where the tree has no way on, the longest end of what was read that begins a part goes on.
void ContainsMatcher::FollowFailures() {
  std::deque<std::pair<uint32_t, uint32_t>> left;  // a state, and where it fails to
  for (uint32_t i = 0; i < classes_; ++i) {
    if (next_[i] != 0 && next_[i] != kFound) left.emplace_back(next_[i], 0);
  }
  while (!left.empty()) {
    const auto [state, failure] = left.front();
    left.pop_front();
    for (uint32_t i = 0; i < classes_; ++i) {
      uint32_t& cell = next_[state + i];
      const uint32_t otherwise = next_[failure + i];
      if (cell == 0 || otherwise == kFound) {
        cell = otherwise;
      } else if (cell != kFound) {
        left.emplace_back(cell, otherwise);
      }
    }
  }
}

bool ContainsMatcher::Matches(std::string_view text) const noexcept {
  uint32_t state = 0;
  for (const char c : text) {
    state = next_[state + class_of_[AsByte(c)]];
    if (state == kFound) return true;
  }
  return false;
}

bool TextMatcher::Takes(Operator op) {
  switch (op) {
    case Operator::kEqual:
    case Operator::kIn:
    case Operator::kIntersects:
    case Operator::kStartswith:
    case Operator::kBstartswith:
    case Operator::kEndswith:
    case Operator::kContains:
    case Operator::kBcontains:
    case Operator::kIcontains:
    case Operator::kGlob:
    case Operator::kIglob:
    case Operator::kPmatch:
      return true;
    default:
      return false;
  }
}

size_t TextMatcher::LengthBit(std::string_view text) {
  return std::min<size_t>(text.size(), 63);
}

void TextMatcher::AddPart(std::string_view text, bool ignores_case) {
  always_ |= text.empty();
  (ignores_case ? parts_ignoring_case_ : parts_).emplace_back(text);
}

void TextMatcher::Add(Operator op, std::string_view text) {
  const auto number = static_cast<uint32_t>(patterns_.size());
  switch (op) {
    case Operator::kEqual:
    case Operator::kIn:
    case Operator::kIntersects:
      wholes_.emplace(text);
      whole_lengths_.set(LengthBit(text));
      return;
    case Operator::kStartswith:
    case Operator::kBstartswith:
      beginnings_.AddPrefix(text, kCertain);
      return;
    case Operator::kContains:
    case Operator::kBcontains:
      return AddPart(text, false);
    case Operator::kIcontains:
      return AddPart(text, true);
    default:
      break;
  }
  patterns_.push_back({op, std::string(text)});
  if (op == Operator::kEndswith) {
    if (text.empty()) always_ = true;
    const std::string_view end = text.substr(text.size() - std::min(text.size(), kEndBytesMax));
    ends_.AddPrefix(std::string(end.rbegin(), end.rend()), number);
    if (!text.empty()) last_bytes_.set(AsByte(text.back()));
    return;
  }
  const std::string_view start = op == Operator::kPmatch ? PlainPathStart(text)
                                 : op == Operator::kGlob ? PlainStart(text)
                                                         : std::string_view();
  if (start.empty()) {
    others_.push_back(number);
  } else {
    beginnings_.AddPrefix(start, number);
    if (op == Operator::kPmatch) paths_.push_back(number);
  }
}

void TextMatcher::Seal() {
  beginnings_.Seal();
  ends_.Seal();
  const auto make = [](const std::vector<std::string>& parts, bool ignores_case,
                       ContainsMatcher& matcher) {
    const std::vector<std::string_view> views(parts.begin(), parts.end());
    return parts.size() >= kPartsMin && matcher.Make(views, ignores_case);
  };
  has_contains_ = make(parts_, false, contains_);
  has_contains_ignoring_case_ = make(parts_ignoring_case_, true, contains_ignoring_case_);
}

bool TextMatcher::FitsPattern(uint32_t number, std::string_view text) const noexcept {
  const Pattern& pattern = patterns_[number];
  return CompareTexts(pattern.op, text, pattern.text);
}

bool TextMatcher::FitsBeginning(std::string_view text) const noexcept {
  if (beginnings_.size() == 0) return false;
  bool fits = false;
  beginnings_.Find(
      text, [&](uint32_t mark) { fits = fits || mark == kCertain || FitsPattern(mark, text); });
  if (fits || paths_.empty() || !HasDoubledSlash(text)) return fits;
  return std::ranges::any_of(paths_, [&](uint32_t number) { return FitsPattern(number, text); });
}

bool TextMatcher::FitsEnd(std::string_view text) const noexcept {
  if (text.empty() || !last_bytes_.test(AsByte(text.back()))) return false;
  std::array<char, kEndBytesMax> reversed;
  const size_t size = std::min(text.size(), kEndBytesMax);
  std::reverse_copy(text.end() - static_cast<std::ptrdiff_t>(size), text.end(), reversed.begin());
  bool fits = false;
  ends_.Find({reversed.data(), size},
             [&](uint32_t number) { fits = fits || FitsPattern(number, text); });
  return fits;
}

bool TextMatcher::Matches(std::string_view text) const noexcept {
  if (always_) return true;
  if (whole_lengths_.test(LengthBit(text)) && wholes_.contains(text)) return true;
  if (FitsBeginning(text) || FitsEnd(text)) return true;
  const auto contains = [&](const std::string& part) { return text.contains(part); };
  if (has_contains_ ? contains_.Matches(text) : std::ranges::any_of(parts_, contains)) return true;
  const auto contains_ignoring_case = [&](const std::string& part) {
    return ContainsIgnoringCase(text, part);
  };
  if (has_contains_ignoring_case_
          ? contains_ignoring_case_.Matches(text)
          : std::ranges::any_of(parts_ignoring_case_, contains_ignoring_case)) {
    return true;
  }
  return std::ranges::any_of(others_, [&](uint32_t number) { return FitsPattern(number, text); });
}

}  // namespace gyrfalcon
