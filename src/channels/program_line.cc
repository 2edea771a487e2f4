#include "channels/program_line.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

namespace gyrfalcon {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr std::string_view kShellOnly = "|;&$`<>()";
constexpr std::string_view kShellOnlyInQuotes = "$`";
constexpr std::string_view kEscapableInQuotes = "\"\\$`";

class Splitter {
 public:
  explicit Splitter(std::string_view line) : line_(line) {}

  Result<std::vector<std::string>> Split() {
    while (at_ < line_.size()) {
      if (const auto problem = TakeOne()) return Fail(Fault::kInput, *problem);
    }
    EndWord();
    if (words_.empty() || words_.front().empty()) {
      return Fail(Fault::kInput, "program_output.program names no program");
    }
    return std::move(words_);
  }

 private:
  using Problem = std::optional<std::string>;

  Problem TakeOne() {
    const char c = line_[at_];
    if (kBlanks.contains(c)) {
      EndWord();
      ++at_;
      return {};
    }
    if (kShellOnly.contains(c)) return NeedsShell();
    in_word_ = true;
    if (c == '\'') return TakeSingleQuoted();
    if (c == '"') return TakeDoubleQuoted();
    if (c == '\\' && ++at_ == line_.size()) return "program_output.program ends with a \\";
    word_ += line_[at_++];
    return {};
  }

  Problem TakeSingleQuoted() {
    const size_t end = line_.find('\'', at_ + 1);
    if (end == std::string_view::npos) return Unended('\'');
    word_ += line_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return {};
  }

  Problem TakeDoubleQuoted() {
    const size_t begin = at_;
    for (++at_; at_ < line_.size(); ++at_) {
      char c = line_[at_];
      if (c == '"') {
        ++at_;
        return {};
      }
      if (kShellOnlyInQuotes.contains(c)) return NeedsShell();
      const bool escapes =
          c == '\\' && at_ + 1 < line_.size() && kEscapableInQuotes.contains(line_[at_ + 1]);
      if (escapes) c = line_[++at_];
      word_ += c;
    }
    at_ = begin;
    return Unended('"');
  }

  Problem NeedsShell() const {
    return fmt::format(
        "program_output.program: the `{}` at character {} needs a shell, and none reads this line. "
        "Quote it if it is meant as it stands; else name the shell: sh -c '…', with '\\'' for each "
        "' within",
        line_[at_], at_ + 1);
  }

  Problem Unended(char quote) const {
    return fmt::format("program_output.program: the {} at character {} has no end", quote, at_ + 1);
  }

  void EndWord() {
    if (in_word_) words_.push_back(std::exchange(word_, {}));
    in_word_ = false;
  }

  const std::string_view line_;
  size_t at_ = 0;
  bool in_word_ = false;
  std::string word_;
  std::vector<std::string> words_;
};

}  // namespace

Result<std::vector<std::string>> SplitProgramLine(std::string_view line) {
  return Splitter(line).Split();
}

}  // namespace gyrfalcon
