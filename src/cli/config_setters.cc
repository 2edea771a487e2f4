#include "cli/config_setters.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

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

namespace {

// Prometheus' durations, as Falco takes them: "1h30m", "500ms"; units in this order, each once.
std::optional<uint64_t> ParseDurationMs(std::string_view text) {
  constexpr uint64_t kSecond = 1'000;
  constexpr uint64_t kDay = 86'400 * kSecond;
  constexpr struct {
    std::string_view name;
    uint64_t ms;
  } kUnits[] = {{"y", 365 * kDay},   {"w", 7 * kDay}, {"d", kDay}, {"h", 3'600 * kSecond},
                {"m", 60 * kSecond}, {"s", kSecond},  {"ms", 1}};
  constexpr size_t kDigitsMax = 9;
  uint64_t sum = 0;
  const auto* unit = std::begin(kUnits);
  do {
    const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || digits > kDigitsMax) return std::nullopt;
    const uint64_t count = std::strtoull(std::string(text.substr(0, digits)).c_str(), nullptr, 10);
    text.remove_prefix(digits);
    const std::string_view name =
        text.substr(0, std::min(text.find_first_of("0123456789"), text.size()));
    while (unit != std::end(kUnits) && unit->name != name) ++unit;
    if (unit == std::end(kUnits)) return std::nullopt;
    sum += count * unit->ms;
    text.remove_prefix(name.size());
    ++unit;
  } while (!text.empty());
  return sum;
}

}  // namespace

void SetWebPort(const YamlNode& node, Config& config) {
  config.web.port = static_cast<uint16_t>(std::strtoul(node.scalar.c_str(), nullptr, 10));
}

void SetWebThreads(const YamlNode& node, Config& config) {
  constexpr unsigned long kThreadsMax = 16;
  config.web.threads =
      static_cast<unsigned>(std::min(kThreadsMax, std::strtoul(node.scalar.c_str(), nullptr, 10)));
}

void SetMetricsInterval(const YamlNode& node, Config& config) {
  if (const auto ms = ParseDurationMs(node.scalar)) config.metrics.interval_ms = *ms;
}

std::string CheckHealthzPath(const YamlNode& node) {
  return node.scalar.starts_with('/') ? "" : "a path begins with /";
}

std::string CheckMetricsInterval(const YamlNode& node) {
  constexpr uint64_t kLeastMs = 100;  // Falco's
  const auto ms = ParseDurationMs(node.scalar);
  if (!ms) {
    return fmt::format("`{}` is no duration; expected one like 30s, 15m or 1h30m", node.scalar);
  }
  return *ms < kLeastMs ? fmt::format("`{}` is less than 100ms", node.scalar) : "";
}

std::string CheckDropThreshold(const YamlNode& node) {
  const double value = std::strtod(node.scalar.c_str(), nullptr);
  if (value >= 0 && value <= 1) return "";
  return "syscall event drops threshold must be a double in the range [0, 1]";
}

}  // namespace gyrfalcon
