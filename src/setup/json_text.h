// JSON with the place of everything in it, so that a file that people keep can be changed by
// inserting text: what stands around it stays as it was. For daemon.json and its like, not for
// speed. Any thread; nothing here touches a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

inline constexpr size_t kSetupFileBytesMax = size_t{1} << 20;  // of any file that set-up edits
inline constexpr size_t kJsonDepthMax = 64;
inline constexpr size_t kJsonMembersMax = 4'096;  // of one object

enum class JsonKind : uint8_t { kObject, kArray, kString, kNumber, kBoolean, kNull };

struct JsonMember;

// `begin` and `end` (one past the last) are byte offsets in the text that it was read from.
struct JsonNode {
  JsonKind kind = JsonKind::kNull;
  size_t begin = 0;
  size_t end = 0;
  std::string text;  // a string's meaning, escapes resolved; of other scalars, as written
  std::vector<JsonNode> items;      // of an array
  std::vector<JsonMember> members;  // of an object, in the file's order

  // The member of that name; nullptr where there is none, and where this is no object.
  const JsonMember* Find(std::string_view key) const;
  const JsonNode* FindValue(std::string_view key) const;
};

struct JsonMember {
  std::string key;
  size_t begin = 0;  // of the key's quote
  JsonNode value;
};

// Equal in meaning: places and the order of members do not count.
bool SameJson(const JsonNode& a, const JsonNode& b);

// One JSON value with blanks around it; a byte order mark before it is passed over. Errors (kInput)
// begin with "PATH:LINE:COLUMN: " and say what is wrong: no JSON, a comment, bytes that are no
// UTF-8, a key that is there twice, too deep, too large.
Result<JsonNode> ReadJsonText(const std::string& path, std::string_view text);

// "PATH:LINE:COLUMN: " of a byte.
std::string PlaceOf(const std::string& path, std::string_view text, size_t offset);

// As a JSON string, quotes included.
std::string QuoteJson(std::string_view text);

}  // namespace gyrfalcon
