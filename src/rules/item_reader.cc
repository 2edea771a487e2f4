#include "rules/item_reader.h"

#include <limits>
#include <utility>

#include "base/text.h"

namespace gyrfalcon {

std::unexpected<LoadProblem> ItemError(LoadCode code, std::string message,
                                       const LoadContext& context) {
  LoadProblem problem;
  problem.code = code;
  problem.message = std::move(message);
  problem.context = context;
  return std::unexpected(std::move(problem));
}

LoadContext Inside(const LoadContext& context, std::string_view type, std::string_view name,
                   const FilePosition& position) {
  LoadContext inner = context;
  inner.push_back({std::string(type), std::string(name), context.front().file, position});
  return inner;
}

namespace {

std::unexpected<LoadProblem> Malformed(std::string message, const LoadContext& context) {
  return ItemError(LoadCode::kErrYamlValidate, std::move(message), context);
}

std::string NoMapping(std::string_view key) {
  return "Item has no mapping for key '" + std::string(key) + "'";
}

Decoded<std::string> ScalarText(const YamlNode& node, std::string_view key,
                                const LoadContext& context) {
  if (!node.IsScalar()) {
    return Malformed("Value is not a scalar value",
                     Inside(context, "value for", key, node.position));
  }
  if (node.scalar.empty()) {
    return Malformed("Value must be non-empty", Inside(context, "value for", key, node.position));
  }
  return node.scalar;
}

// Text of `key` turned into something else by `parse`, which gives nullopt when it can't.
template <class T, class Parse>
Decoded<std::optional<T>> DecodeAs(const YamlNode& item, std::string_view key,
                                   const LoadContext& context, bool required, Parse parse) {
  auto text = DecodeText(item, key, context, required);
  if (!text) return std::unexpected(std::move(text.error()));
  if (!*text) return std::optional<T>();
  std::optional<T> value = parse(**text);
  if (!value) {
    return Malformed("Can't decode YAML scalar value",
                     Inside(context, "value for", key, item.Find(key)->position));
  }
  return value;
}

}  // namespace

Decoded<std::optional<std::string>> DecodeText(const YamlNode& item, std::string_view key,
                                               const LoadContext& context, bool required) {
  const YamlNode* node = item.Find(key);
  if (node == nullptr) {
    if (required) return Malformed(NoMapping(key), context);
    return std::optional<std::string>();
  }
  if (node->IsNull()) {
    return Malformed("Mapping for key '" + std::string(key) + "' is empty", context);
  }
  auto text = ScalarText(*node, key, context);
  if (!text) return std::unexpected(std::move(text.error()));
  return std::optional(std::move(*text));
}

Decoded<std::optional<bool>> DecodeBool(const YamlNode& item, std::string_view key,
                                        const LoadContext& context, bool required) {
  return DecodeAs<bool>(item, key, context, required, [](std::string_view text) {
    bool value = false;
    return ParseYamlBool(text, value) ? std::optional(value) : std::nullopt;
  });
}

Decoded<std::optional<uint32_t>> DecodeUint(const YamlNode& item, std::string_view key,
                                            const LoadContext& context) {
  return DecodeAs<uint32_t>(item, key, context, false,
                            [](std::string_view text) -> std::optional<uint32_t> {
                              const std::optional<uint64_t> value = ParseUint(text);
                              if (!value || *value > std::numeric_limits<uint32_t>::max())
                                return std::nullopt;
                              return static_cast<uint32_t>(*value);
                            });
}

Decoded<std::optional<std::vector<std::string>>> DecodeTexts(const YamlNode& item,
                                                             std::string_view key,
                                                             const LoadContext& context,
                                                             bool required) {
  const YamlNode* node = item.Find(key);
  if (node == nullptr) {
    if (required) return Malformed(NoMapping(key), context);
    return std::optional<std::vector<std::string>>();
  }
  const LoadContext inner = Inside(context, "value for", key, node->position);
  if (!node->IsSequence()) return Malformed("Value is not a sequence", inner);
  std::vector<std::string> texts;
  texts.reserve(node->items.size());
  for (const YamlNode& entry : node->items) {
    if (!entry.IsScalar()) {
      return Malformed("sequence value is not scalar",
                       Inside(inner, "list item", "", entry.position));
    }
    texts.push_back(entry.scalar);
  }
  return std::optional(std::move(texts));
}

namespace {

std::string PriorityNames() {
  std::string out;
  for (auto i = static_cast<int>(Priority::kEmergency); i <= static_cast<int>(Priority::kDebug);
       ++i) {
    if (!out.empty()) out += ", ";
    out += PriorityName(static_cast<Priority>(i));
  }
  return out;
}

}  // namespace

Decoded<std::optional<Priority>> DecodePriority(const YamlNode& item, const LoadContext& context,
                                                bool required) {
  auto text = DecodeText(item, "priority", context, required);
  if (!text) return std::unexpected(std::move(text.error()));
  if (!*text) return std::optional<Priority>();
  const std::optional<Priority> priority = ParsePriority(**text);
  if (priority) return priority;
  auto error = Malformed("Invalid priority",
                         Inside(context, "rule priority", "", item.Find("priority")->position));
  const std::optional<std::string_view> nearest = NearestPriority(**text);
  error.error().suggestion =
      (nearest ? "did you mean '" + std::string(*nearest) + "'? " : std::string()) +
      "Priorities: " + PriorityNames();
  return error;
}

namespace {

// One value of an exception: a word, or a list of such.
Decoded<ExceptionEntry> DecodeEntry(const YamlNode& node, const LoadContext& context) {
  ExceptionEntry entry;
  entry.given = true;
  if (!node.IsSequence()) {
    auto text = ScalarText(node, "", context);
    if (!text) return std::unexpected(std::move(text.error()));
    entry.text = std::move(*text);
    return entry;
  }
  entry.is_list = true;
  for (const YamlNode& item : node.items) {
    auto inner = DecodeEntry(item, Inside(context, "exception value", "", item.position));
    if (!inner) return inner;
    entry.items.push_back(std::move(*inner));
  }
  return entry;
}

Decoded<ExceptionDefinition> DecodeException(const YamlNode& node, const LoadContext& rule,
                                             const LoadContext& unnamed, bool fields_required) {
  ExceptionDefinition exception;
  auto name = DecodeText(node, "name", unnamed, true);
  if (!name) return std::unexpected(std::move(name.error()));
  exception.name = std::move(**name);
  exception.context = Inside(rule, "exception", exception.name, node.position);
  for (const auto& [key, entry] :
       {std::pair("fields", &exception.fields), std::pair("comps", &exception.comps)}) {
    const YamlNode* value = node.Find(key);
    if (value == nullptr || value->IsNull()) continue;
    auto decoded = DecodeEntry(*value, exception.context);
    if (!decoded) return std::unexpected(std::move(decoded.error()));
    *entry = std::move(*decoded);
  }
  if (fields_required && !exception.fields.given) {
    return Malformed(NoMapping("fields"), exception.context);
  }
  const YamlNode* values = node.Find("values");
  if (values == nullptr || values->IsNull()) return exception;
  const LoadContext context = Inside(exception.context, "exception values", "", values->position);
  if (!values->IsSequence()) {
    return Malformed("Rule exception values must be a sequence", context);
  }
  exception.has_values = true;
  for (const YamlNode& value : values->items) {
    auto decoded = DecodeEntry(value, Inside(context, "exception value", "", value.position));
    if (!decoded) return std::unexpected(std::move(decoded.error()));
    exception.values.push_back(std::move(*decoded));
  }
  return exception;
}

}  // namespace

Decoded<std::optional<std::vector<ExceptionDefinition>>> DecodeExceptions(
    const YamlNode& item, const LoadContext& context, bool fields_required) {
  std::optional<std::vector<ExceptionDefinition>> exceptions;
  const YamlNode* node = item.Find("exceptions");
  if (node == nullptr || node->IsNull()) return exceptions;
  const LoadContext inner = Inside(context, "exceptions", "", node->position);
  if (!node->IsSequence()) return Malformed("Rule exceptions must be a sequence", inner);
  exceptions.emplace();
  for (const YamlNode& entry : node->items) {
    const LoadContext unnamed = Inside(inner, "exception", "", entry.position);
    if (!entry.IsMapping()) return Malformed("Rule exception must be a mapping", unnamed);
    auto exception = DecodeException(entry, context, unnamed, fields_required);
    if (!exception) return std::unexpected(std::move(exception.error()));
    exceptions->push_back(std::move(*exception));
  }
  return exceptions;
}

namespace {

bool IsYamlBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

// YAML folds, unindents and unescapes a scalar, but leaves the order of what is no blank: walk
// both.
SourceText Locate(std::string_view text, std::string_view file_text, uint32_t file,
                  uint32_t offset) {
  SourceText located;
  located.Append(text, Origin{file, offset});
  size_t at = offset;
  if (at < file_text.size() && (file_text[at] == '|' || file_text[at] == '>')) {
    at = std::min(file_text.find('\n', at), file_text.size());
  }
  for (size_t i = 0; i < text.size(); ++i) {
    if (!IsYamlBlank(text[i])) {
      while (at < file_text.size() && file_text[at] != text[i] &&
             (IsYamlBlank(file_text[at]) || std::string_view("\"'\\").contains(file_text[at]))) {
        ++at;
      }
      if (at >= file_text.size() || file_text[at] != text[i]) at = std::min(at, file_text.size());
    }
    located.SetOrigin(i, Origin{file, static_cast<uint32_t>(std::min(at, file_text.size()))});
    if (at < file_text.size() && file_text[at] == text[i]) ++at;
  }
  return located;
}

}  // namespace gyrfalcon
