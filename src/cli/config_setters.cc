#include "cli/config_setters.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/ip_address.h"

namespace gyrfalcon {
namespace {

std::vector<std::string> Texts(const YamlNode& node) {
  if (node.IsScalar()) return {node.scalar};
  std::vector<std::string> out;
  for (const YamlNode& item : node.items) out.push_back(item.scalar);
  return out;
}

std::string TextAt(const YamlNode& node, std::string_view key) {
  const YamlNode* found = node.Find(key);
  return found == nullptr ? std::string() : found->scalar;
}

// {rule: PATTERN, tag: TAG}; the rule first, as in Falco.
void AddSelection(const YamlNode& node, bool enable, std::vector<RuleSelection>& out) {
  const std::string rule = TextAt(node, "rule");
  const std::string tag = TextAt(node, "tag");
  if (!rule.empty()) out.push_back({RuleSelection::By::kPattern, rule, enable});
  if (!tag.empty()) out.push_back({RuleSelection::By::kTag, tag, enable});
}

AppendOutput ReadAppendOutput(const YamlNode& node) {
  AppendOutput out;
  if (const YamlNode* match = node.Find("match")) {
    out.match_source = TextAt(*match, "source");
    out.match_rule = TextAt(*match, "rule");
    if (const YamlNode* tags = match->Find("tags")) {
      for (std::string& tag : Texts(*tags)) out.match_tags.insert(std::move(tag));
    }
  }
  out.extra_output = TextAt(node, "extra_output");
  if (const YamlNode* fields = node.Find("extra_fields")) {
    for (const YamlNode& item : fields->items) {
      if (item.IsScalar()) out.extra_fields.push_back({item.scalar, ""});
      for (const YamlPair& pair : item.pairs) {
        out.extra_fields.push_back({pair.key, pair.value.scalar});
      }
    }
  }
  ParseYamlBool(TextAt(node, "suggested_output"), out.suggested_output);
  return out;
}

}  // namespace

void SetRulesFiles(const YamlNode& node, Config& config) {
  config.rules_files = Texts(node);
}

void SetRunscRoots(const YamlNode& node, Config& config) {
  config.runsc_roots = Texts(node);
}

void SetRunscToml(const YamlNode& node, Config& config) {
  config.runsc_toml = Texts(node);
}

void SetOnFailure(const YamlNode& node, Config& config) {
  config.on_failure = node.scalar == "keep" ? "" : node.scalar;
}

void SetPriority(const YamlNode& node, Config& config) {
  if (const auto priority = ParsePriority(node.scalar)) config.rules.priority = *priority;
}

void SetNeverSkipPriority(const YamlNode& node, Config& config) {
  if (const auto priority = ParsePriority(node.scalar)) config.overload.never_skip = *priority;
}

void SetMatching(const YamlNode& node, Config& config) {
  config.rules.matching = node.scalar == "all" ? RuleMatching::kAll : RuleMatching::kFirst;
}

void SetSelection(const YamlNode& node, Config& config) {
  config.rules.selection.clear();
  for (const YamlNode& item : node.items) {
    for (const YamlPair& action : item.pairs) {
      AddSelection(action.value, action.key == "enable", config.rules.selection);
    }
  }
}

void SetAppendOutput(const YamlNode& node, Config& config) {
  config.rules.append_output.clear();
  for (const YamlNode& item : node.items) {
    config.rules.append_output.push_back(ReadAppendOutput(item));
  }
}

void SetHttpHeaders(const YamlNode& node, Config& config) {
  config.http.headers.clear();
  for (const YamlPair& pair : node.pairs) config.http.headers[pair.key] = pair.value.scalar;
}

void SetBuiltinAlerts(const YamlNode& node, Config& config) {
  config.builtins = BuiltinSettings();
  for (const YamlNode& item : node.items) {
    const auto builtin = FindBuiltin(TextAt(item, "name"));
    if (!builtin) continue;
    bool enabled = true;
    if (ParseYamlBool(TextAt(item, "enabled"), enabled)) config.builtins.Enable(*builtin, enabled);
    if (const auto priority = ParsePriority(TextAt(item, "priority"))) {
      config.builtins.SetPriority(*builtin, *priority);
    }
  }
}

std::string CheckBuiltinAlert(const YamlNode& node) {
  return TextAt(node, "name").empty() ? "each item needs `name`: that of a built-in alert" : "";
}

std::string CheckBuiltinName(const YamlNode& node) {
  if (node.scalar.empty() || FindBuiltin(node.scalar)) return "";
  const auto nearest = NearestBuiltin(node.scalar);
  return fmt::format("no built-in alert is called `{}`: docs/sensor.md lists them{}", node.scalar,
                     nearest ? fmt::format("; did you mean `{}`?", *nearest) : "");
}

std::string CheckPriority(const YamlNode& node) {
  if (ParsePriority(node.scalar)) return "";
  const auto nearest = NearestPriority(node.scalar);
  return fmt::format(
      "unknown priority `{}`: expected emergency, alert, critical, error, warning, notice, "
      "informational or debug{}",
      node.scalar, nearest ? fmt::format("; did you mean `{}`?", *nearest) : "");
}

std::string CheckSelection(const YamlNode& node) {
  for (const YamlNode& item : node.items) {
    bool chooses = false;
    for (const YamlPair& action : item.pairs) chooses |= !action.value.pairs.empty();
    if (!chooses) return "each item needs `enable` or `disable`, and below it `rule` or `tag`";
  }
  return "";
}

std::string CheckIpAddress(const YamlNode& node) {
  if (IpAddress::Parse(node.scalar)) return "";
  return fmt::format("`{}` is no IP address", node.scalar);
}

// The words are Falco's own.
std::string CheckDropActions(const YamlNode& node) {
  bool ignores = false;
  for (const std::string& action : Texts(node)) {
    ignores |= action == "ignore";
    if (ignores && (action == "log" || action == "alert")) {
      return fmt::format(
          "syscall event drop action \"{}\" does not make sense with the \"ignore\" action",
          action);
    }
  }
  return "";
}

std::string CheckDropThreshold(const YamlNode& node) {
  const double value = std::strtod(node.scalar.c_str(), nullptr);
  if (value >= 0 && value <= 1) return "";
  return "syscall event drops threshold must be a double in the range [0, 1]";
}

}  // namespace gyrfalcon
