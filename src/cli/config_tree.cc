#include "cli/config_tree.h"

#include <fmt/format.h>

#include "base/environment.h"
#include "base/text.h"
#include "cli/config_check.h"
#include "cli/config_table.h"

namespace gyrfalcon {
namespace {

constexpr size_t kExpansionsMax = 1'000;       // of one value
constexpr size_t kExpandedBytesMax = 1 << 20;  // of one value
constexpr size_t kIndexMax = 10'000;           // of `-o key[N]`

YamlNode& ValueOf(YamlNode& mapping, std::string_view key) {
  if (!mapping.IsMapping()) {
    mapping = YamlNode{};
    mapping.kind = YamlNode::Kind::kMapping;
  }
  for (YamlPair& pair : mapping.pairs) {
    if (pair.key == key) return pair.value;
  }
  mapping.pairs.push_back({std::string(key), {}, {}});
  return mapping.pairs.back().value;
}

// A single text, where a list may stand, is a list of one.
void MakeSequence(YamlNode& node) {
  if (node.IsSequence()) return;
  YamlNode list;
  list.kind = YamlNode::Kind::kSequence;
  list.position = node.position;
  if (node.IsScalar()) list.items.push_back(std::move(node));
  node = std::move(list);
}

bool IsListOfMappings(const ConfigKey* key) {
  return key != nullptr &&
         (key->type == ConfigType::kMappings || key->type == ConfigType::kTextsOrMappings);
}

bool IsList(const ConfigKey* key) {
  return IsListOfMappings(key) || (key != nullptr && (key->type == ConfigType::kTexts ||
                                                      key->type == ConfigType::kTextsOrPairs));
}

// What may have keys that the table does not name.
bool IsFree(const ConfigKey* key) {
  return key != nullptr && (key->type == ConfigType::kAny || key->type == ConfigType::kTextMap);
}

class PathWalker {
 public:
  PathWalker(std::string_view key, YamlNode& root) : key_(key), node_(&root) {}

  Result<ConfigPlace> Walk() {
    std::string_view rest = key_;
    while (true) {
      const size_t end = rest.find_first_of(".[");
      const std::string_view name = rest.substr(0, end);
      if (name.empty()) return Wrong("expected a name before `.` or `[`");
      if (auto step = StepName(name); !step) return std::unexpected(step.error());
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
      while (rest.starts_with('[')) {
        const size_t close = rest.find(']');
        if (close == std::string_view::npos) return Wrong("`[` without `]`");
        if (auto step = StepIndex(rest.substr(1, close - 1)); !step) {
          return std::unexpected(step.error());
        }
        rest.remove_prefix(close + 1);
      }
      if (rest.empty()) return ConfigPlace{node_, path_};
      if (!rest.starts_with('.')) return Wrong("expected `.` or `[` behind `]`");
      rest.remove_prefix(1);
    }
  }

 private:
  std::unexpected<Error> Wrong(std::string_view what) const {
    return Fail(Fault::kUsage, fmt::format("`{}`: {}", key_, what));
  }

  Result<void> StepName(std::string_view name) {
    const ConfigKey* row = FindConfigKey(path_);
    if (IsFree(row)) {
      node_ = &ValueOf(*node_, name);
      return {};
    }
    // Falco makes a mapping of the list, of which nothing else stays; here it is a list of that
    // one.
    if (IsListOfMappings(row)) {
      *node_ = YamlNode{};
      if (auto step = StepIndex(""); !step) return step;
    }
    std::string path = ConfigPath(path_, name);
    if (FindConfigKey(path) == nullptr && !IsConfigMapping(path)) {
      return Fail(Fault::kUsage, UnknownConfigKey(path_, name));
    }
    path_ = std::move(path);
    node_ = &ValueOf(*node_, name);
    return {};
  }

  Result<void> StepIndex(std::string_view index) {
    const ConfigKey* row = FindConfigKey(path_);
    if (!IsFree(row) && !IsList(row)) return Wrong(fmt::format("`{}` is no list", path_));
    MakeSequence(*node_);
    size_t number = node_->items.size();
    if (!index.empty()) {
      const auto parsed = ParseUint(index);
      if (!parsed) return Wrong(fmt::format("expected a number in brackets, not `{}`", index));
      number = *parsed;
    }
    if (number > node_->items.size() || number >= kIndexMax) {
      return Wrong(fmt::format("`{}` has {} items: the next one is [{}]", path_,
                               node_->items.size(), node_->items.size()));
    }
    if (number == node_->items.size()) node_->items.emplace_back();
    node_ = &node_->items[number];
    if (!IsFree(row)) path_ += "[]";
    return {};
  }

  std::string_view key_;
  YamlNode* node_;
  std::string path_;
};

}  // namespace

std::optional<std::string> ExpandEnvironment(std::string_view text) {
  std::string value(text);
  size_t expansions = 0;
  for (size_t at = value.find('$'); at != std::string::npos; at = value.find('$', at)) {
    const std::string_view rest = std::string_view(value).substr(at);
    const bool escaped = rest.starts_with("$${");
    const size_t close = rest.find('}');
    if ((!escaped && !rest.starts_with("${")) || close == std::string_view::npos) break;
    if (escaped) {
      value.erase(at, 1);
      ++at;
      continue;
    }
    value.replace(at, close + 1, Environment(std::string(rest.substr(2, close - 2)).c_str()));
    if (++expansions > kExpansionsMax || value.size() > kExpandedBytesMax) return std::nullopt;
  }
  return value;
}

std::expected<void, FilePosition> ExpandEnvironment(YamlNode& root) {
  if (root.IsScalar() && root.scalar.contains('$')) {
    auto expanded = ExpandEnvironment(root.scalar);
    if (!expanded) return std::unexpected(root.position);
    root.scalar = std::move(*expanded);
  }
  for (YamlNode& item : root.items) {
    if (auto done = ExpandEnvironment(item); !done) return done;
  }
  for (YamlPair& pair : root.pairs) {
    if (auto done = ExpandEnvironment(pair.value); !done) return done;
  }
  return {};
}

MergeStrategy ParseMergeStrategy(std::string_view name) {
  if (name == "override") return MergeStrategy::kOverride;
  return name == "add-only" ? MergeStrategy::kAddOnly : MergeStrategy::kAppend;
}

void MergeConfig(YamlNode& root, const YamlNode& included, MergeStrategy strategy) {
  for (const YamlPair& pair : included.pairs) {
    const bool is_there = root.Find(pair.key) != nullptr;
    if (is_there && strategy == MergeStrategy::kAddOnly) continue;
    YamlNode& value = ValueOf(root, pair.key);
    if (is_there && strategy == MergeStrategy::kAppend && pair.value.IsSequence()) {
      MakeSequence(value);
      value.items.insert(value.items.end(), pair.value.items.begin(), pair.value.items.end());
    } else {
      value = pair.value;
    }
  }
}

const YamlNode* FindConfigValue(const YamlNode& root, std::string_view path) {
  const YamlNode* node = &root;
  for (const std::string_view name : Split(path, '.')) {
    node = node->Find(name);
    if (node == nullptr) return nullptr;
  }
  return node;
}

Result<Assignment> ParseAssignment(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return Fail(Fault::kUsage,
                fmt::format("-o {}: expected KEY=VALUE, such as json_output=true", text));
  }
  return Assignment{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

Result<ConfigPlace> PlaceOf(std::string_view key, YamlNode& root) {
  return PathWalker(key, root).Walk();
}

}  // namespace gyrfalcon
