// The only door to yaml-cpp: YAML text becomes plain trees with positions, and every way in which
// the library can throw becomes a value. The text is a user's; its size, the number of nodes
// (aliases expanded) and the nesting are limited.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "rules/load_result.h"

namespace gyrfalcon {

inline constexpr size_t kRulesFileBytesMax = size_t{8} << 20;
inline constexpr size_t kYamlNodesMax = 1'000'000;

struct YamlPair;

struct YamlNode {
  enum class Kind : uint8_t { kNull, kScalar, kSequence, kMapping };

  Kind kind = Kind::kNull;
  bool quoted = false;  // a scalar that was written in quotes
  std::string scalar;
  std::vector<YamlNode> items;  // kSequence
  std::vector<YamlPair> pairs;  // kMapping, in order; scalar keys only
  FilePosition position;

  bool IsNull() const { return kind == Kind::kNull; }
  bool IsScalar() const { return kind == Kind::kScalar; }
  bool IsSequence() const { return kind == Kind::kSequence; }
  bool IsMapping() const { return kind == Kind::kMapping; }
  // The value of the first pair with that key; nullptr when there is none.
  const YamlNode* Find(std::string_view key) const;
};

struct YamlPair {
  std::string key;
  FilePosition key_position;
  YamlNode value;
};

struct YamlError {
  std::string message;
  FilePosition position;
};

// All documents of a text, in order.
std::expected<std::vector<YamlNode>, YamlError> ParseYaml(std::string_view text);

// A YAML boolean (true, no, On, …); false when the text is not one.
bool ParseYamlBool(std::string_view text, bool& value);

}  // namespace gyrfalcon
