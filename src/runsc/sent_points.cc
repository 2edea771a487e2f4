#include "runsc/sent_points.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "runsc/child.h"

namespace gyrfalcon {
namespace {

using nlohmann::json;

// ---- the session config

constexpr std::string_view kMakeSession = "`gyrfalcon session generate` makes one that is right";

// What a value is, by where it stands.
enum class Node : uint8_t {
  kRoot,  // the outer object, or the inner one alone
  kSession,
  kPoints,
  kPoint,
  kOptional,
  kContext,
  kSinks,
  kSink,
  kText,
  kBool,
  kFree,        // anything: runsc hands it on to the sink
  kFreeObject,  // any object
};

constexpr std::string_view kNodeNames[] = {"an object",       "an object",       "a list of points",
                                           "an object",       "a list of names", "a list of names",
                                           "a list of sinks", "an object",       "a text",
                                           "true or false",   "anything",        "an object"};

struct KeyRow {
  Node in;
  std::string_view key;
  Node value;
};
constexpr KeyRow kKeys[] = {
    {Node::kRoot, "trace_session", Node::kSession},
    {Node::kSession, "name", Node::kText},
    {Node::kSession, "points", Node::kPoints},
    {Node::kSession, "ignore_missing", Node::kBool},
    {Node::kSession, "sinks", Node::kSinks},
    {Node::kSession, "options", Node::kFreeObject},
    {Node::kPoint, "name", Node::kText},
    {Node::kPoint, "optional_fields", Node::kOptional},
    {Node::kPoint, "context_fields", Node::kContext},
    {Node::kSink, "name", Node::kText},
    {Node::kSink, "config", Node::kFreeObject},
    {Node::kSink, "ignore_setup_error", Node::kBool},
    {Node::kSink, "status", Node::kFreeObject},
};

std::optional<Node> FindKey(Node in, std::string_view key) {
  for (const KeyRow& row : kKeys) {
    if (row.in == in && row.key == key) return row.value;
  }
  return std::nullopt;
}

bool IsObject(Node node) {
  return node == Node::kRoot || node == Node::kSession || node == Node::kPoint ||
         node == Node::kSink || node == Node::kFree || node == Node::kFreeObject;
}

bool IsList(Node node) {
  return node == Node::kPoints || node == Node::kOptional || node == Node::kContext ||
         node == Node::kSinks || node == Node::kFree;
}

Node ItemOf(Node list) {
  if (list == Node::kPoints) return Node::kPoint;
  if (list == Node::kSinks) return Node::kSink;
  return list == Node::kFree ? Node::kFree : Node::kText;
}

// Characters of a text; whoever shares `at` sees how far it was read. The parser has no other way
// to say where a key stands.
class Reading {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Reading(const char* current, const char** at) : current_(current), at_(at) {}
  reference operator*() const { return *current_; }
  Reading& operator++() {
    *at_ = ++current_;
    return *this;
  }
  Reading operator++(int) {
    Reading before = *this;
    ++*this;
    return before;
  }
  friend bool operator==(const Reading& a, const Reading& b) { return a.current_ == b.current_; }

 private:
  const char* current_;
  const char** at_;
};

// Takes the parser's events; false ends the parsing, with `error` set.
class SessionReader {
 public:
  SessionReader(const std::string& path, const std::string& text)
      : path_(path), text_(text), at_(text.data()), key_at_(text.data()) {}

  Result<SentPoints> Read() {
    const char* end = text_.data() + text_.size();
    const bool read = json::sax_parse(Reading(text_.data(), &at_), Reading(end, &at_), this);
    if (error_) return Fail(Fault::kInput, *error_);
    if (!read || !(seen_inner_ || seen_outer_)) {
      return Fail(Fault::kInput, fmt::format("{}:1:1: no trace_session; {}", path_, kMakeSession));
    }
    return std::move(points_);
  }

  bool null() { return stack_.empty() ? Wrong(at_, "null") : true; }
  bool boolean(bool) { return Scalar(Node::kBool, "true or false"); }
  bool number_integer(json::number_integer_t) { return Scalar(Node::kFree, "a number"); }
  bool number_unsigned(json::number_unsigned_t) { return Scalar(Node::kFree, "a number"); }
  bool number_float(json::number_float_t, const std::string&) {
    return Scalar(Node::kFree, "a number");
  }
  bool binary(json::binary_t&) { return Scalar(Node::kFree, "bytes"); }

  bool string(std::string& value) {
    const Node list = stack_.empty() ? Node::kFree : stack_.back();
    if (!Scalar(Node::kText, "a text")) return false;
    const bool of_session = list == Node::kSession || list == Node::kRoot;
    if (of_session && key_ == "name" && value != "Default") {
      return Complain(at_,
                      "a session of another name than \"Default\", of which runsc sends nothing");
    }
    if (list == Node::kSink && key_ == "name") has_remote_ |= value == "remote";
    const bool names_point = list == Node::kPoint && key_ == "name";
    if (!names_point && list != Node::kOptional && list != Node::kContext) return true;
    if (value.size() > kSentNameBytesMax) {
      return Complain(at_, fmt::format("a name of more than {} bytes", kSentNameBytesMax));
    }
    if (names_point) {
      name_ = std::move(value);
      return true;
    }
    auto& fields = list == Node::kOptional ? point_.optional : point_.context;
    if (fields.size() == kSentFieldsMax) {
      return Complain(at_, fmt::format("more than {} fields", kSentFieldsMax));
    }
    fields.insert(std::move(value));
    return true;
  }

  bool start_object(size_t) {
    if (!IsObject(expected_)) return Wrong(at_, "an object");
    if (expected_ == Node::kPoint) {
      name_.clear();
      point_ = {};
    }
    return Enter();
  }

  bool key(std::string& key) {
    key_ = key;
    // Where its quote stands, unless it is written with escapes.
    key_at_ = std::max(text_.data(), at_ - key.size() - 2);
    Node in = stack_.back();
    if (in == Node::kFree || in == Node::kFreeObject) {
      expected_ = Node::kFree;
      return true;
    }
    auto value = FindKey(in, key);
    if (in == Node::kRoot) {
      (value ? seen_outer_ : seen_inner_) = true;
      if (seen_outer_ && seen_inner_) value = std::nullopt;
      if (!value && !seen_outer_) value = FindKey(Node::kSession, key);
    }
    if (!value) return Complain(key_at_, UnknownKey(in, key));
    expected_ = *value;
    return true;
  }

  bool end_object() {
    const Node ended = Leave();
    if (ended != Node::kPoint) return true;
    if (name_.empty()) return Complain(at_, "a point without a name");
    if (points_.size() == kSentPointsMax) {
      return Complain(at_, fmt::format("more than {} points", kSentPointsMax));
    }
    points_.insert_or_assign(std::move(name_), std::move(point_));
    return true;
  }

  bool start_array(size_t) { return IsList(expected_) ? Enter() : Wrong(at_, "a list"); }
  bool end_array() {
    const bool is_nobody = Leave() == Node::kSinks && !has_remote_;
    if (is_nobody) return Complain(at_, "no sink \"remote\": nobody is sent anything");
    return true;
  }

  bool parse_error(size_t position, const std::string&, const json::exception&) {
    const size_t byte = std::min(position == 0 ? 0 : position - 1, text_.size());
    return Complain(text_.data() + byte, "not JSON");
  }

 private:
  bool Scalar(Node kind, std::string_view what) {
    const bool free = expected_ == Node::kFree;
    if (stack_.empty() || (!free && expected_ != kind)) return Wrong(at_, what);
    return true;
  }

  bool Enter() {
    stack_.push_back(expected_);
    if (IsList(expected_)) expected_ = ItemOf(expected_);
    return true;
  }

  Node Leave() {
    const Node ended = stack_.back();
    stack_.pop_back();
    if (!stack_.empty() && IsList(stack_.back())) expected_ = ItemOf(stack_.back());
    return ended;
  }

  bool Wrong(const char* where, std::string_view what) {
    const bool of_key = !stack_.empty() && IsObject(stack_.back());
    return Complain(of_key ? key_at_ : where,
                    fmt::format("{}{} instead of {}", of_key ? fmt::format("\"{}\" is ", key_) : "",
                                what, kNodeNames[static_cast<size_t>(expected_)]));
  }

  std::string UnknownKey(Node in, std::string_view key) const {
    std::vector<std::string_view> known;
    for (const KeyRow& row : kKeys) {
      const bool inner = in == Node::kRoot && !seen_outer_ && row.in == Node::kSession;
      if (row.in == in || inner) known.push_back(row.key);
    }
    const auto nearest = NearestWord(key, known);
    return fmt::format("unknown key \"{}\"{}, with which runsc starts no container",
                       key.substr(0, kSentNameBytesMax),
                       nearest && *nearest != key ? fmt::format(" (did you mean \"{}\"?)", *nearest)
                                                  : std::string());
  }

  bool Complain(const char* where, const std::string& what) {
    const std::string_view before(text_.data(), static_cast<size_t>(where - text_.data()));
    const size_t line_start = before.rfind('\n') + 1;  // npos + 1: the first
    error_ = fmt::format("{}:{}:{}: {}; {}", path_, std::ranges::count(before, '\n') + 1,
                         before.size() - line_start + 1, what, kMakeSession);
    return false;
  }

  const std::string& path_;
  const std::string& text_;
  const char* at_;
  const char* key_at_;
  std::string key_;
  Node expected_ = Node::kRoot;
  std::vector<Node> stack_;
  bool seen_outer_ = false;
  bool seen_inner_ = false;
  bool has_remote_ = false;  // a sink that sends
  std::string name_;
  SentPoint point_;
  SentPoints points_;
  std::optional<std::string> error_;
};

// ---- `runsc trace metadata`

constexpr std::string_view kSaveMetadata = "save it with `runsc trace metadata > FILE`";

// "[a|b]" behind `label`, which is taken off `line`; nullopt: not so.
std::optional<std::set<std::string, std::less<>>> TakeFields(std::string_view& line,
                                                             std::string_view label) {
  if (!line.starts_with(label)) return std::nullopt;
  line.remove_prefix(label.size());
  const size_t end = line.find(']');
  if (!line.starts_with('[') || end == std::string_view::npos) return std::nullopt;
  std::set<std::string, std::less<>> out;
  for (const std::string_view name : Split(line.substr(1, end - 1), '|')) {
    if (name.empty()) continue;
    if (name.size() > kSentNameBytesMax || out.size() == kSentFieldsMax) return std::nullopt;
    out.emplace(name);
  }
  line.remove_prefix(end + 1);
  return out;
}

// "Name: sentry/clone, optional fields: [a|b], context fields: [c]".
bool TakePoint(std::string_view line, SentPoints& points) {
  constexpr std::string_view kName = "Name: ";
  const size_t comma = line.find(',');
  if (!line.starts_with(kName) || comma == std::string_view::npos) return false;
  const std::string_view name = line.substr(kName.size(), comma - kName.size());
  if (name.empty() || name.size() > kSentNameBytesMax) return false;
  line.remove_prefix(comma);
  auto optional = TakeFields(line, ", optional fields: ");
  if (!optional) return false;
  auto context = TakeFields(line, ", context fields: ");
  if (!context || !line.empty()) return false;
  points.emplace(name, SentPoint{.context = std::move(*context), .optional = std::move(*optional)});
  return true;
}

std::optional<uint64_t> HeadingCount(std::string_view line) {
  constexpr std::string_view kHeading = "POINTS (";
  if (!line.starts_with(kHeading) || !line.ends_with(')')) return std::nullopt;
  return ParseUint(line.substr(kHeading.size(), line.size() - kHeading.size() - 1));
}

std::unexpected<Error> TooLarge(const std::string& path) {
  return Fail(Fault::kInput,
              fmt::format("{}:1:1: larger than {} bytes", path, kSentPointsBytesMax));
}

}  // namespace

Result<SentPoints> ReadSessionPoints(const std::string& path, const std::string& text) {
  if (text.size() > kSentPointsBytesMax) return TooLarge(path);
  return SessionReader(path, text).Read();
}

Result<SentPoints> ReadRunscMetadata(const std::string& path, const std::string& text) {
  if (text.size() > kSentPointsBytesMax) return TooLarge(path);
  const auto fail = [&](size_t line, std::string_view what) {
    return Fail(Fault::kInput, fmt::format("{}:{}: {}; {}", path, line, what, kSaveMetadata));
  };
  const std::vector<std::string_view> lines = Split(text, '\n');
  const auto promised = HeadingCount(lines.front());
  if (!promised)
    return fail(1, "not the output of `runsc trace metadata`, for that begins with POINTS");
  if (*promised > kSentPointsMax)
    return fail(1, fmt::format("more than {} points", kSentPointsMax));
  SentPoints points;
  size_t line = 1;
  for (; line < lines.size() && !lines[line].empty(); ++line) {
    if (points.size() == *promised) return fail(line + 1, "more points than it says");
    if (!TakePoint(lines[line], points)) {
      return fail(line + 1, "not a line of `runsc trace metadata`: a point with its fields");
    }
  }
  if (points.size() != *promised) {
    return fail(
        line, fmt::format("{} points instead of {}: a part of it only", points.size(), *promised));
  }
  return points;
}

SentPoints Sent(std::span<const AskedPoint> asked) {
  SentPoints out;
  for (const AskedPoint& point : asked) {
    SentPoint& sent = out[point.name];
    for (const AskedField& field : point.fields) {
      (field.optional ? sent.optional : sent.context).emplace(field.name);
    }
  }
  return out;
}

SentPoints Intersect(const SentPoints& asked, const SentPoints& known) {
  const auto common = [](const auto& a, const auto& b) {
    std::set<std::string, std::less<>> out;
    std::ranges::set_intersection(a, b, std::inserter(out, out.end()));
    return out;
  };
  SentPoints out;
  for (const auto& [name, point] : asked) {
    const auto found = known.find(name);
    if (found == known.end()) continue;
    out.emplace(name, SentPoint{.context = common(point.context, found->second.context),
                                .optional = common(point.optional, found->second.optional)});
  }
  return out;
}

Result<SentPoints> AskRunsc(const std::string& binary) {
  const auto output =
      RunChild({binary, "trace", "metadata"}, {.output_bytes_max = kSentPointsBytesMax});
  if (!output) {
    return Fail(Fault::kEnvironment,
                fmt::format("`{} trace metadata` failed: {}; name runsc's own file", binary,
                            output.error().message));
  }
  auto points = ReadRunscMetadata(fmt::format("`{} trace metadata`", binary), *output);
  if (points) return points;
  return Fail(Fault::kInput, fmt::format("{} is no runsc, or one without trace points: {}", binary,
                                         points.error().message));
}

}  // namespace gyrfalcon
