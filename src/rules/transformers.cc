#include "rules/transformers.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "base/text.h"
#include "rules/matchers.h"

namespace gyrfalcon {
namespace {

int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

Value DecodeBase64(std::string_view text, Scratch& scratch) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return {};
  const std::span<char> out = scratch.Chars(text.size() * 3 / 4);
  size_t written = 0;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = Base64Digit(c);
    if (digit < 0) return {};
    bits = (bits << 6) | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    if (written < out.size()) out[written++] = static_cast<char>((bits >> count) & 0xff);
  }
  return Value::Text({out.data(), written});
}

Value MapChars(std::string_view text, char (*map)(char) noexcept, Scratch& scratch) {
  const std::span<char> out = scratch.Chars(text.size());
  std::ranges::transform(text, out.begin(), map);
  return Value::Text({out.data(), out.size()});
}

Value TransformOne(Transformer transformer, std::string_view text, Scratch& scratch) {
  switch (transformer) {
    case Transformer::kTolower:
      return MapChars(text, LowerAscii, scratch);
    case Transformer::kToupper:
      return MapChars(text, UpperAscii, scratch);
    case Transformer::kB64:
      return DecodeBase64(text, scratch);
    case Transformer::kBasename:
      return Value::Text(PathBasename(text));
    default:
      return {};
  }
}

template <class Number>
std::string_view NumberText(Number number, Scratch& scratch) {
  const std::span<char> out = scratch.Chars(32);
  const auto result = std::to_chars(out.data(), out.data() + out.size(), number);
  return {out.data(), static_cast<size_t>(result.ptr - out.data())};
}

// Addresses and lists have no plain text here; they are rare enough in join() to be left out.
std::optional<std::string_view> TextOf(const Value& value, Scratch& scratch) {
  switch (value.kind()) {
    case ValueKind::kText:
      return value.text();
    case ValueKind::kInt:
      return NumberText(value.integer(), scratch);
    case ValueKind::kUint:
      return NumberText(value.unsigned_integer(), scratch);
    case ValueKind::kDouble:
      return NumberText(value.real(), scratch);
    case ValueKind::kBool:
      return value.boolean() ? "true" : "false";
    case ValueKind::kIp: {
      std::string text;  // at most 45 characters, but more than a small string holds
      value.ip().AppendTo(text);
      return scratch.Copy(text);
    }
    default:
      return std::nullopt;
  }
}

}  // namespace

Value TransformText(Transformer transformer, const Value& value, Scratch& scratch) noexcept {
  if (value.kind() == ValueKind::kText) return TransformOne(transformer, value.text(), scratch);
  if (value.kind() != ValueKind::kList) return {};
  const std::span<Value> out = scratch.Values(value.items().size());
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = TransformText(transformer, value.items()[i], scratch);
    if (out[i].missing()) return {};
  }
  return Value::List(out);
}

Value LengthOf(const Value& value) noexcept {
  if (value.kind() == ValueKind::kText) return Value::Uint(value.text().size());
  if (value.kind() == ValueKind::kList) return Value::Uint(value.items().size());
  return {};
}

Value JoinValues(std::string_view separator, std::span<const Value> values,
                 Scratch& scratch) noexcept {
  const std::span<Value> texts = scratch.Values(values.size());
  size_t size = values.empty() ? 0 : separator.size() * (values.size() - 1);
  for (size_t i = 0; i < values.size(); ++i) {
    const std::optional<std::string_view> text = TextOf(values[i], scratch);
    if (!text) return {};
    texts[i] = Value::Text(*text);
    size += text->size();
  }
  const std::span<char> out = scratch.Chars(size);
  auto at = out.begin();
  for (const Value& text : texts) {
    if (&text != texts.data()) at = std::ranges::copy(separator, at).out;
    at = std::ranges::copy(text.text(), at).out;
  }
  return Value::Text({out.data(), out.size()});
}

Value GetOptions(const Value& arguments, std::string_view known, char option,
                 Scratch& scratch) noexcept {
  if (arguments.kind() != ValueKind::kList) return {};
  const std::span<const Value> items = arguments.items();
  size_t most = 0;  // letters and arguments that can come out at most
  for (const Value& item : items) most += 2 * (LengthOf(item).unsigned_integer() + 1);
  const std::span<Value> out = scratch.Values(most);
  size_t count = 0;
  Value last;
  const auto emit = [&](const Value& value) {
    if (count < out.size()) out[count++] = value;
  };
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].kind() != ValueKind::kText) break;
    const std::string_view word = items[i].text();
    if (!word.starts_with('-') || word == "-" || word == "--") break;
    if (word.starts_with("--")) {
      emit(Value::Text("?"));  // a long option: not for POSIX getopt
      continue;
    }
    for (size_t c = 1; c < word.size(); ++c) {
      const std::string_view letter = word.substr(c, 1);
      const size_t row = letter == ":" ? std::string_view::npos : known.find(letter);
      if (row == std::string_view::npos) {
        emit(Value::Text("?"));
        continue;
      }
      emit(Value::Text(letter));
      const bool takes_argument = row + 1 < known.size() && known[row + 1] == ':';
      Value argument = Value::Text(letter);
      if (takes_argument) {
        argument = Value::Text("");
        if (c + 1 < word.size()) {
          argument = Value::Text(word.substr(c + 1));
        } else if (i + 1 < items.size()) {
          argument = items[++i];
        }
        emit(argument);
      }
      if (letter[0] == option) last = argument;
      if (takes_argument) break;
    }
  }
  if (option != '\0') return last;
  return Value::List(out.first(count));
}

}  // namespace gyrfalcon
