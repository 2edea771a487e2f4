// How state becomes bytes and bytes become state again. Each struct has one list of its fields,
// `VisitFields`; whoever writes, reads, or makes the format's version goes through that list, so
// that they can't differ.
//
//   template <class Visit> static void VisitFields(Visit& visit, Thing& thing) {
//     visit("count", thing.count);
//     visit("names", thing.names, limit);  // vectors: how many at most
//   }
//
// A reader distrusts every byte: it stops at the first that can't be, and then says so.
#pragma once

#include <array>
#include <bitset>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/checksum.h"

namespace gyrfalcon {

// How many values an enum has, where it does not end in kCount.
template <class Enum>
struct EnumSize {
  static constexpr uint64_t value = static_cast<uint64_t>(Enum::kCount);
};

// Appends to a buffer that is kept from one time to the next. Small numbers take few bytes.
class SavedWriter {
 public:
  static constexpr bool kReads = false;
  static constexpr bool kVisitsValues = true;

  explicit SavedWriter(std::string& out) : out_(out) { out_.clear(); }

  template <class Number>
  void Integer(Number& value) {
    auto rest = static_cast<uint64_t>(value);
    if constexpr (std::is_signed_v<Number>) {
      const auto wide = static_cast<int64_t>(value);
      rest = (static_cast<uint64_t>(wide) << 1) ^ static_cast<uint64_t>(wide >> 63);
    }
    std::array<char, 10> bytes;
    size_t size = 0;
    for (; rest >= 0x80; rest >>= 7) bytes[size++] = static_cast<char>(rest | 0x80);
    bytes[size++] = static_cast<char>(rest);
    out_.append(bytes.data(), size);
  }
  template <class Enum>
  void Enumerator(Enum& value) {
    auto number = static_cast<uint64_t>(value);
    Integer(number);
  }
  template <class Text>
  void String(Text& text, size_t /*bytes_max*/) {
    size_t size = text.size();
    Integer(size);
    out_.append(text.data(), text.size());
  }
  void Raw(void* bytes, size_t size) { out_.append(static_cast<const char*>(bytes), size); }
  // Of a list: how many follow.
  void Count(size_t& count, size_t /*count_max*/) { Integer(count); }
  bool failed() const { return false; }
  void Fail() {}

 private:
  std::string& out_;
};

class SavedReader {
 public:
  static constexpr bool kReads = true;
  static constexpr bool kVisitsValues = true;

  // `text_bytes_max`: of texts that have no limit of their own.
  SavedReader(std::string_view bytes, size_t text_bytes_max)
      : rest_(bytes), text_bytes_max_(text_bytes_max) {}

  template <class Number>
  void Integer(Number& value) {
    uint64_t read = 0;
    for (unsigned shift = 0;; shift += 7) {
      if (shift > 63 || rest_.empty()) return Fail();
      const auto byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      read |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if constexpr (std::is_signed_v<Number>) {
      const auto wide = static_cast<int64_t>((read >> 1) ^ (0 - (read & 1)));
      if (!std::in_range<Number>(wide)) return Fail();
      value = static_cast<Number>(wide);
    } else if constexpr (std::same_as<Number, bool>) {
      if (read > 1) return Fail();
      value = read != 0;
    } else {
      if (!std::in_range<Number>(read)) return Fail();
      value = static_cast<Number>(read);
    }
  }
  template <class Enum>
  void Enumerator(Enum& value) {
    uint64_t number = 0;
    Integer(number);
    if (number >= EnumSize<Enum>::value) return Fail();
    value = static_cast<Enum>(number);
  }
  template <class Text>
  void String(Text& text, size_t bytes_max) {
    size_t size = 0;
    Count(size, bytes_max == 0 ? text_bytes_max_ : bytes_max);
    text.assign(rest_.substr(0, size));
    rest_.remove_prefix(size);
  }
  void Raw(void* bytes, size_t size) {
    if (size > rest_.size()) return Fail();
    if (size == 0) return;
    std::memcpy(bytes, rest_.data(), size);
    rest_.remove_prefix(size);
  }
  // 0 where more than `count_max`, or more than can follow, are announced.
  void Count(size_t& count, size_t count_max) {
    count = 0;
    Integer(count);
    if (count <= count_max && count <= rest_.size()) return;
    count = 0;
    Fail();
  }
  // What follows means nothing any more.
  void Fail() {
    failed_ = true;
    rest_ = {};
  }
  bool failed() const { return failed_; }
  // Everything was understood, and nothing is left.
  bool finished() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view rest_;
  const size_t text_bytes_max_;
  bool failed_ = false;
};

// Goes through the lists of fields for their names and types: the format's version.
class SavedShape {
 public:
  static constexpr bool kReads = false;
  static constexpr bool kVisitsValues = false;

  void Name(std::string_view name) { version_ = Checksum(name, version_); }
  template <class Number>
  void Integer(Number& /*value*/) {
    Note(std::is_signed_v<Number> ? 'i' : 'u', sizeof(Number));
  }
  template <class Enum>
  void Enumerator(Enum& /*value*/) {
    Note('e', EnumSize<Enum>::value);
  }
  template <class Text>
  void String(Text& /*text*/, size_t /*bytes_max*/) {
    Note('s', 0);
  }
  void Raw(void* /*bytes*/, size_t size) { Note('r', size); }
  void Count(size_t& count, size_t /*count_max*/) {
    Note('l', 0);
    count = 1;
  }
  void Note(char kind, uint64_t detail) {
    version_ = Checksum({&kind, 1}, version_ + detail * 0x100);
  }
  bool failed() const { return false; }
  void Fail() {}
  uint64_t version() const { return version_; }

 private:
  uint64_t version_ = 1;
};

template <class T>
concept Text = std::same_as<typename T::traits_type, std::char_traits<char>> &&
               requires(T& text, const char* data, size_t size) { text.assign(data, size); };

// Visits the fields of one struct with an archive (writer, reader or shape).
template <class Archive>
class FieldVisitor {
 public:
  explicit FieldVisitor(Archive& archive) : archive_(archive) {}

  // `limit`: bytes of a text (0: the reader's usual), elements of a list.
  template <class T>
  void operator()(std::string_view name, T& value, size_t limit = 0) {
    if constexpr (requires { archive_.Name(name); }) archive_.Name(name);
    Value(value, limit);
  }
  Archive& archive() { return archive_; }

 private:
  template <class T>
  void Value(T& value, size_t limit) {
    if constexpr (std::is_enum_v<T>) {
      archive_.Enumerator(value);
    } else if constexpr (std::integral<T>) {
      archive_.Integer(value);
    } else if constexpr (requires { archive_.Special(value, limit); }) {
      archive_.Special(value, limit);
    } else if constexpr (requires { T::VisitFields(*this, value); }) {
      T::VisitFields(*this, value);
    } else if constexpr (requires { VisitFields(*this, value); }) {
      VisitFields(*this, value);
    } else {
      Standard(value, limit);
    }
  }
  template <Text T>
  void Standard(T& text, size_t limit) {
    archive_.String(text, limit);
  }
  template <class T, size_t size>
    requires(sizeof(T) == 1)
  void Standard(std::array<T, size>& bytes, size_t /*limit*/) {
    archive_.Raw(bytes.data(), size);
  }
  template <class T, size_t size>
    requires(sizeof(T) != 1)
  void Standard(std::array<T, size>& values, size_t /*limit*/) {
    for (T& value : values) Value(value, 0);
  }
  template <size_t size>
  void Standard(std::bitset<size>& bits, size_t /*limit*/) {
    static_assert(size % 64 == 0);
    for (size_t word = 0; word < size / 64; ++word) {
      uint64_t packed = 0;
      for (size_t bit = 0; bit < 64 && !Archive::kReads; ++bit) {
        packed |= static_cast<uint64_t>(bits.test(word * 64 + bit)) << bit;
      }
      archive_.Integer(packed);
      for (size_t bit = 0; bit < 64 && Archive::kReads; ++bit) {
        bits.set(word * 64 + bit, (packed >> bit & 1) != 0);
      }
    }
  }
  template <class T>
  void Standard(std::optional<T>& value, size_t limit) {
    bool there = value.has_value();
    archive_.Integer(there);
    if constexpr (Archive::kReads || !Archive::kVisitsValues) {
      there |= !Archive::kVisitsValues;
      // Not emplace(): Clang does not take a class within a class for default constructible.
      if (there) value.emplace(T{});
    }
    if (there) Value(*value, limit);
  }
  template <class First, class Second>
  void Standard(std::pair<First, Second>& pair, size_t /*limit*/) {
    Value(pair.first, 0);
    Value(pair.second, 0);
  }
  template <class T, class Memory>
  void Standard(std::vector<T, Memory>& list, size_t limit) {
    size_t count = list.size();
    archive_.Count(count, limit);
    if constexpr (Archive::kReads || !Archive::kVisitsValues) {
      list.clear();
      list.reserve(count);
      for (size_t i = 0; i < count && !archive_.failed(); ++i) {
        T value{};
        Value(value, 0);
        list.push_back(std::move(value));
      }
      if constexpr (!Archive::kVisitsValues) list.clear();
    } else {
      for (T& value : list) Value(value, 0);
    }
  }

  Archive& archive_;
};

}  // namespace gyrfalcon
