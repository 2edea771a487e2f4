#include "cli/config_check.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "base/text.h"
#include "cli/config_table.h"

namespace gyrfalcon {
namespace {

constexpr size_t kShownMax = 60;      // characters of a value
constexpr size_t kKeyShownMax = 200;  // and of a key; a longer one is no slip of the pen
constexpr size_t kProblemsMax = 50;   // the rest of a file that is no config at all is not told

// A value as an error shows it.
std::string Shown(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kSequence:
      return "a list";
    case YamlNode::Kind::kMapping:
      return "a mapping";
    case YamlNode::Kind::kScalar:
      break;
  }
  if (node.scalar.size() <= kShownMax) return fmt::format("`{}`", node.scalar);
  return fmt::format("`{}…`", node.scalar.substr(0, kShownMax));
}

std::string ShownKey(std::string_view key) {
  return key.size() <= kKeyShownMax ? std::string(key)
                                    : std::string(key.substr(0, kKeyShownMax)) + "…";
}

std::string Bound(double value) {
  return fmt::format("{:.0f}", value);
}

std::string ExpectedNumber(const ConfigKey& key) {
  const std::string kind = key.type == ConfigType::kInteger ? "a whole number" : "a number";
  const bool has_min = key.min > std::numeric_limits<double>::lowest();
  const bool has_max = key.max < std::numeric_limits<double>::max();
  if (has_min && has_max)
    return fmt::format("{} from {} to {}", kind, Bound(key.min), Bound(key.max));
  if (has_min) return fmt::format("{} from {} on", kind, Bound(key.min));
  return kind;
}

bool IsNumber(const YamlNode& node, const ConfigKey& key) {
  if (!node.IsScalar()) return false;
  if (key.type == ConfigType::kInteger && !ParseInt(node.scalar)) return false;
  double value = 0;
  const char* end = node.scalar.data() + node.scalar.size();
  const auto [stop, error] = std::from_chars(node.scalar.data(), end, value);
  return error == std::errc() && stop == end && std::isfinite(value) && value >= key.min &&
         value <= key.max;
}

bool IsChoice(std::string_view text, std::string_view choices) {
  return std::ranges::any_of(Split(choices, '|'),
                             [text](std::string_view choice) { return choice == text; });
}

class Checker {
 public:
  std::vector<ConfigProblem> Take() { return std::move(problems_); }

  void CheckNode(const YamlNode& node, const std::string& path) {
    if (const ConfigKey* key = FindConfigKey(path)) return CheckValue(node, *key);
    const std::string_view list = std::string_view(path).substr(0, path.size() - 2);
    const ConfigKey* item_of = path.ends_with("[]") ? FindConfigKey(list) : nullptr;
    if (item_of != nullptr) return CheckItem(node, *item_of);
    CheckMapping(node, path);
  }

 private:
  bool IsFull() const { return problems_.size() >= kProblemsMax; }

  void Add(FilePosition position, std::string message) {
    if (!IsFull()) problems_.push_back({position, std::move(message)});
  }

  void Expected(const YamlNode& node, std::string_view path, std::string_view what) {
    Add(node.position, fmt::format("`{}`: expected {}, not {}", path, what, Shown(node)));
  }

  void CheckMapping(const YamlNode& node, const std::string& path) {
    if (node.IsNull()) return;
    if (!node.IsMapping()) {
      return path.empty() ? Add(node.position, "expected a mapping of keys")
                          : Expected(node, path, "a mapping");
    }
    for (const YamlPair& pair : node.pairs) {
      if (IsFull()) return;
      const std::string below = ConfigPath(path, pair.key);
      if (FindConfigKey(below) != nullptr || IsConfigMapping(below)) {
        CheckNode(pair.value, below);
      } else {
        Add(pair.key_position, UnknownConfigKey(path, pair.key));
      }
    }
  }

  // Nothing, and an empty text that a variable may have left, is the default.
  static bool MeansDefault(const YamlNode& node, const ConfigKey& key) {
    if (node.IsNull()) return true;
    return key.type != ConfigType::kText && node.IsScalar() && node.scalar.empty();
  }

  void CheckValue(const YamlNode& node, const ConfigKey& key) {
    if (MeansDefault(node, key)) return;
    const size_t before = problems_.size();
    switch (key.type) {
      case ConfigType::kBool: {
        bool value = false;
        if (!node.IsScalar() || !ParseYamlBool(node.scalar, value)) {
          Expected(node, key.path, "true or false");
        }
        break;
      }
      case ConfigType::kInteger:
      case ConfigType::kNumber:
        if (!IsNumber(node, key)) Expected(node, key.path, ExpectedNumber(key));
        break;
      case ConfigType::kText:
        CheckText(node, key);
        break;
      case ConfigType::kTextMap:
        CheckTextMap(node, key);
        break;
      case ConfigType::kAny:
        break;
      default:
        CheckList(node, key);
    }
    if (key.check == nullptr || problems_.size() != before) return;
    if (std::string wrong = key.check(node); !wrong.empty()) {
      Add(node.position, fmt::format("`{}`: {}", key.path, wrong));
    }
  }

  void CheckText(const YamlNode& node, const ConfigKey& key) {
    if (!node.IsScalar()) return Expected(node, key.path, "a text");
    if (key.choices.empty() || IsChoice(node.scalar, key.choices)) return;
    const auto choices = Split(key.choices, '|');
    const auto nearest = NearestWord(node.scalar, choices);
    Expected(node, key.path,
             fmt::format("one of {}{}", fmt::join(choices, ", "),
                         nearest ? fmt::format(" (did you mean `{}`?)", *nearest) : ""));
  }

  void CheckTextMap(const YamlNode& node, const ConfigKey& key) {
    if (!node.IsMapping()) return Expected(node, key.path, "a mapping of texts");
    for (const YamlPair& pair : node.pairs) {
      if (!pair.value.IsScalar()) {
        Expected(pair.value, ConfigPath(key.path, pair.key), "a text");
      }
    }
  }

  void CheckList(const YamlNode& node, const ConfigKey& key) {
    const bool takes_one =
        key.type == ConfigType::kTexts || key.type == ConfigType::kTextsOrMappings;
    if (takes_one && node.IsScalar()) return CheckItem(node, key);
    if (!node.IsSequence()) {
      return Expected(node, key.path,
                      key.type == ConfigType::kTexts ? "a list of texts" : "a list");
    }
    for (const YamlNode& item : node.items) CheckItem(item, key);
  }

  void CheckItem(const YamlNode& item, const ConfigKey& key) {
    const std::string path = std::string(key.path) + "[]";
    switch (key.type) {
      case ConfigType::kTexts:
        return CheckText(item, key);
      case ConfigType::kTextsOrPairs:
        if (item.IsScalar()) return;
        if (!item.IsMapping() || item.pairs.size() != 1) {
          return Expected(item, path, "a text or one `name: format`");
        }
        if (!item.pairs[0].value.IsScalar()) {
          Expected(item.pairs[0].value, path + "." + item.pairs[0].key, "a text");
        }
        return;
      case ConfigType::kTextsOrMappings:
        if (item.IsScalar()) return;
        break;
      default:
        break;
    }
    if (!item.IsMapping()) return Expected(item, path, "a mapping");
    CheckMapping(item, path);
    if (key.check_item == nullptr) return;
    if (std::string wrong = key.check_item(item); !wrong.empty()) {
      Add(item.position, fmt::format("`{}`: {}", key.path, wrong));
    }
  }

  std::vector<ConfigProblem> problems_;
};

class IgnoredFinder {
 public:
  IgnoredKeys Take() { return std::move(found_); }

  void Look(const YamlNode& mapping, const std::string& path) {
    for (const YamlPair& pair : mapping.pairs) {
      const std::string below = ConfigPath(path, pair.key);
      const ConfigKey* key = FindConfigKey(below);
      ConfigEffect effect = ConfigEffect::kHonoured;
      if (key != nullptr && !key->harmless.empty() && pair.value.scalar == key->harmless) continue;
      if (IsWithoutEffect(below, effect)) {
        (effect == ConfigEffect::kNotYet ? found_.not_yet : found_.without_meaning)
            .push_back(below);
      } else if (key == nullptr) {
        Look(pair.value, below);
      }
    }
  }

 private:
  IgnoredKeys found_;
};

}  // namespace

std::vector<ConfigProblem> CheckConfig(const YamlNode& node, std::string_view path) {
  Checker checker;
  checker.CheckNode(node, std::string(path));
  return checker.Take();
}

std::vector<ConfigProblem> DropRepeatedKeys(YamlNode& node) {
  std::vector<ConfigProblem> repeated;
  std::map<std::string, uint32_t> lines;
  std::vector<YamlPair> kept;
  for (YamlPair& pair : node.pairs) {
    const auto [first, is_new] = lines.emplace(pair.key, pair.key_position.line + 1);
    if (is_new) {
      kept.push_back(std::move(pair));
    } else if (repeated.size() < kProblemsMax) {
      repeated.push_back(
          {pair.key_position, fmt::format("key `{}` again: line {} counts, this one does not",
                                          ShownKey(pair.key), first->second)});
    }
  }
  node.pairs = std::move(kept);
  const auto look_below = [&repeated](YamlNode& below) {
    auto more = DropRepeatedKeys(below);
    if (repeated.size() < kProblemsMax) std::ranges::move(more, std::back_inserter(repeated));
  };
  for (YamlPair& pair : node.pairs) look_below(pair.value);
  for (YamlNode& item : node.items) look_below(item);
  return repeated;
}

std::string UnknownConfigKey(std::string_view path, std::string_view name) {
  const std::string whole = ConfigPath(path, name);
  std::string message = fmt::format("unknown key `{}`", ShownKey(whole));
  if (whole.size() > kKeyShownMax) return message;
  std::vector<std::string_view> names = ConfigNamesBelow(path);
  if (const auto nearest = NearestWord(name, names)) {
    return message + fmt::format("; did you mean `{}`?", ConfigPath(path, *nearest));
  }
  // Perhaps it stands at the wrong level, or is misspelt further up.
  names.clear();
  for (const ConfigKey& key : ConfigKeys()) names.push_back(key.path);
  if (const auto nearest = NearestWord(whole, names)) {
    return message + fmt::format("; did you mean `{}`?", *nearest);
  }
  return message + "; `gyrfalcon --config-schema` has them all";
}

IgnoredKeys FindIgnoredKeys(const YamlNode& root) {
  IgnoredFinder finder;
  finder.Look(root, "");
  return finder.Take();
}

}  // namespace gyrfalcon
