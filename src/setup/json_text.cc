#include "setup/json_text.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "setup/utf8.h"

namespace gyrfalcon {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

bool IsDigit(char byte) {
  return byte >= '0' && byte <= '9';
}

class Reader {
 public:
  Reader(const std::string& path, std::string_view text) : path_(path), text_(text) {}

  Result<JsonNode> Read() {
    if (text_.size() > kSetupFileBytesMax) {
      return Fail(Fault::kInput, fmt::format("{}:1:1: larger than {} bytes; no such file is", path_,
                                             kSetupFileBytesMax));
    }
    if (const auto bad = FirstNonUtf8(text_)) return FailAt(*bad, "a byte that is no UTF-8");
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (text_.starts_with(kByteOrderMark)) at_ = kByteOrderMark.size();
    JsonNode root;
    if (!Value(root, 0)) return Failed();
    SkipBlanks();
    if (at_ != text_.size()) {
      Problem(IsComment() ? kComment : "something behind the end of the JSON value");
      return Failed();
    }
    return root;
  }

 private:
  static constexpr std::string_view kComment =
      "a comment; JSON has none, and the program that reads this file refuses it: take it out";

  std::unexpected<Error> FailAt(size_t offset, std::string_view what) const {
    return Fail(Fault::kInput, fmt::format("{}not JSON: {}", PlaceOf(path_, text_, offset), what));
  }
  std::unexpected<Error> Failed() const { return FailAt(problem_at_, problem_); }

  // The first problem counts. Always false.
  bool Problem(std::string_view what) {
    if (problem_.empty()) {
      problem_ = what;
      problem_at_ = at_;
    }
    return false;
  }
  bool IsComment() const {
    const std::string_view rest = text_.substr(at_);
    return rest.starts_with("//") || rest.starts_with("/*") || rest.starts_with("#");
  }
  bool Unexpected(std::string_view wanted) {
    if (IsComment()) return Problem(kComment);
    return Problem(at_ == text_.size() ? fmt::format("it ends where {} is expected", wanted)
                                       : fmt::format("expected {}", wanted));
  }

  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Take(char wanted) {
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  void SkipBlanks() { at_ = std::min(text_.find_first_not_of(kBlanks, at_), text_.size()); }

  bool Value(JsonNode& node, size_t depth) {
    SkipBlanks();
    if (depth == kJsonDepthMax) return Problem("nested too deeply");
    node.begin = at_;
    const bool read = Any(node, depth);
    node.end = at_;
    return read;
  }

  bool Any(JsonNode& node, size_t depth) {
    switch (Peek()) {
      case '{':
        return Object(node, depth);
      case '[':
        return Array(node, depth);
      case '"':
        node.kind = JsonKind::kString;
        return String(node.text);
      case 't':
        return Word(node, JsonKind::kBoolean, "true");
      case 'f':
        return Word(node, JsonKind::kBoolean, "false");
      case 'n':
        return Word(node, JsonKind::kNull, "null");
      default:
        return Number(node);
    }
  }

  bool Object(JsonNode& node, size_t depth) {
    node.kind = JsonKind::kObject;
    ++at_;
    SkipBlanks();
    if (Take('}')) return true;
    do {
      SkipBlanks();
      if (node.members.size() == kJsonMembersMax) return Problem("more keys than such a file has");
      JsonMember member;
      member.begin = at_;
      if (Peek() != '"') return Unexpected("a key in double quotes");
      if (!String(member.key)) return false;
      if (node.Find(member.key) != nullptr) {
        at_ = member.begin;
        return Problem(fmt::format("the key {} is there twice", QuoteJson(member.key)));
      }
      SkipBlanks();
      if (!Take(':')) return Unexpected("`:` behind the key");
      if (!Value(member.value, depth + 1)) return false;
      node.members.push_back(std::move(member));
      SkipBlanks();
    } while (Take(','));
    return Take('}') || Unexpected("`,` or `}`");
  }

  bool Array(JsonNode& node, size_t depth) {
    node.kind = JsonKind::kArray;
    ++at_;
    SkipBlanks();
    if (Take(']')) return true;
    do {
      JsonNode item;
      if (!Value(item, depth + 1)) return false;
      node.items.push_back(std::move(item));
      SkipBlanks();
    } while (Take(','));
    return Take(']') || Unexpected("`,` or `]`");
  }

  bool Word(JsonNode& node, JsonKind kind, std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return Unexpected("a value");
    node.kind = kind;
    node.text = word;
    at_ += word.size();
    return true;
  }

  bool Digits() {
    if (!IsDigit(Peek())) return false;
    while (IsDigit(Peek())) ++at_;
    return true;
  }

  bool Number(JsonNode& node) {
    const size_t begin = at_;
    Take('-');
    if (!Take('0') && !Digits()) {
      at_ = begin;
      return Unexpected("a value");
    }
    if (Take('.') && !Digits()) return Unexpected("digits behind the point");
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      if (!Digits()) return Unexpected("the exponent's digits");
    }
    node.kind = JsonKind::kNumber;
    node.text = text_.substr(begin, at_ - begin);
    return true;
  }

  bool String(std::string& out) {
    ++at_;
    for (;;) {
      if (at_ == text_.size()) return Unexpected("the string's closing quote");
      const char byte = text_[at_];
      if (byte == '"') break;
      if (static_cast<unsigned char>(byte) < ' ') {
        return Problem("a control character in a string; write it as \\n, \\t or \\u00XX");
      }
      ++at_;
      if (byte != '\\') {
        out += byte;
      } else if (!Escape(out)) {
        return false;
      }
    }
    ++at_;
    return true;
  }

  bool Escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    const size_t which = at_ < text_.size() ? kNames.find(text_[at_]) : std::string_view::npos;
    if (which != std::string_view::npos) {
      out += kMeanings[which];
      ++at_;
      return true;
    }
    if (!Take('u')) return Problem("an unknown escape in a string");
    auto point = Hex();
    if (!point) return false;
    constexpr uint32_t kHighFirst = 0xd800, kLowFirst = 0xdc00, kLowLast = 0xdfff;
    constexpr uint32_t kReplacement = 0xfffd, kBeyondBmp = 0x10000;
    if (*point >= kHighFirst && *point < kLowFirst && text_.substr(at_).starts_with("\\u")) {
      const size_t second = at_;
      at_ += 2;
      const auto low = Hex();
      if (!low) return false;
      if (*low >= kLowFirst && *low <= kLowLast) {
        point = kBeyondBmp + ((*point - kHighFirst) << 10) + (*low - kLowFirst);
      } else {
        at_ = second;  // a character of its own
      }
    }
    // As Go reads it: half of a pair alone is no character.
    if (*point >= kHighFirst && *point <= kLowLast) point = kReplacement;
    AppendUtf8(*point, out);
    return true;
  }

  std::optional<uint32_t> Hex() {
    constexpr int kDigits = 4;
    uint32_t value = 0;
    for (int i = 0; i < kDigits; ++i, ++at_) {
      const char byte = Peek();
      const int digit = IsDigit(byte)                ? byte - '0'
                        : byte >= 'a' && byte <= 'f' ? byte - 'a' + 10
                        : byte >= 'A' && byte <= 'F' ? byte - 'A' + 10
                                                     : -1;
      if (digit < 0) {
        Problem("expected four hexadecimal digits behind \\u");
        return std::nullopt;
      }
      value = value * 16 + static_cast<uint32_t>(digit);
    }
    return value;
  }

  const std::string& path_;
  const std::string_view text_;
  size_t at_ = 0;
  std::string problem_;
  size_t problem_at_ = 0;
};

}  // namespace

const JsonMember* JsonNode::Find(std::string_view key) const {
  const auto found = std::ranges::find(members, key, &JsonMember::key);
  return found == members.end() ? nullptr : &*found;
}

const JsonNode* JsonNode::FindValue(std::string_view key) const {
  const JsonMember* member = Find(key);
  return member == nullptr ? nullptr : &member->value;
}

bool SameJson(const JsonNode& a, const JsonNode& b) {
  if (a.kind != b.kind || a.text != b.text || a.members.size() != b.members.size()) return false;
  if (!std::ranges::equal(a.items, b.items, SameJson)) return false;
  return std::ranges::all_of(a.members, [&b](const JsonMember& member) {
    const JsonNode* other = b.FindValue(member.key);
    return other != nullptr && SameJson(member.value, *other);
  });
}

Result<JsonNode> ReadJsonText(const std::string& path, std::string_view text) {
  return Reader(path, text).Read();
}

std::string PlaceOf(const std::string& path, std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = std::ranges::count(before, '\n') + 1;
  const size_t newline = before.rfind('\n');
  const size_t column = newline == std::string_view::npos ? offset + 1 : offset - newline;
  return fmt::format("{}:{}:{}: ", path, line, column);
}

std::string QuoteJson(std::string_view text) {
  std::string out = "\"";
  for (const char byte : text) {
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += byte;
    } else if (static_cast<unsigned char>(byte) < ' ') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(byte));
    } else {
      out += byte;
    }
  }
  return out + '"';
}

}  // namespace gyrfalcon
