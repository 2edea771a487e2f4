// Whether a text fits one of many patterns, found without trying each: what a chain of `or` over
// one operand, or a check against a long list, comes to.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "base/hash.h"
#include "rules/operators.h"
#include "rules/text_index.h"

namespace gyrfalcon {

// Finds whether a text contains one of many others, in time proportional to the text (Aho and
// Corasick). Made once, then read from any thread.
class ContainsMatcher {
 public:
  // How much memory it may take; beyond it, none is made.
  static constexpr size_t kCellsMax = 256 * 1024;

  // Letters in upper and lower case are one where `ignores_case`. False: it would be too large.
  bool Make(std::span<const std::string_view> parts, bool ignores_case);
  bool Matches(std::string_view text) const noexcept;

 private:
  void MakeClasses(std::span<const std::string_view> parts, bool ignores_case);
  void Insert(std::string_view part);
  void FollowFailures();

  // A state is where its row begins in `next_`. Row 0 is the start; what is found stays found.
  static constexpr uint32_t kFound = UINT32_MAX;
  std::array<uint8_t, 256> class_of_{};  // bytes that no part has are of class 0
  uint32_t classes_ = 1;
  std::vector<uint32_t> next_;
};

// Filled once, then read from any thread. Nothing is allocated by Matches.
class TextMatcher {
 public:
  static bool Takes(Operator op);

  // Before Seal(). `text` is copied.
  void Add(Operator op, std::string_view text);
  void Seal();

  // Whether a check by one of the operators against its text would hold.
  bool Matches(std::string_view text) const noexcept;

 private:
  struct Pattern {
    Operator op;
    std::string text;
  };

  void AddPart(std::string_view text, bool ignores_case);
  bool FitsBeginning(std::string_view text) const noexcept;
  bool FitsEnd(std::string_view text) const noexcept;
  bool FitsPattern(uint32_t number, std::string_view text) const noexcept;
  static size_t LengthBit(std::string_view text);

  bool always_ = false;  // everything contains, or begins with, an empty text
  std::vector<Pattern> patterns_;
  absl::flat_hash_set<std::string, TextHash, TextEqual> wholes_;
  std::bitset<64> whole_lengths_;
  TextIndex beginnings_;          // marks are patterns that need another look, or kCertain
  std::vector<uint32_t> paths_;   // patterns that a value with doubled slashes may fit anyway
  TextIndex ends_;                // reversed, cut to kEndBytesMax; marks are patterns
  std::bitset<256> last_bytes_;   // of those
  std::vector<uint32_t> others_;  // patterns that are tried one by one
  std::vector<std::string> parts_;
  std::vector<std::string> parts_ignoring_case_;
  ContainsMatcher contains_;
  ContainsMatcher contains_ignoring_case_;
  bool has_contains_ = false;
  bool has_contains_ignoring_case_ = false;
};

}  // namespace gyrfalcon
