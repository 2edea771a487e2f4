#include "rules/rule_item_reader.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "rules/item_reader.h"

namespace gyrfalcon {
namespace {

using Outcome = Collector::Outcome;

constexpr uint8_t kAppendable = 1;
constexpr uint8_t kReplaceable = 2;

struct RuleKey {
  std::string_view name;
  uint8_t override_ops;
};

constexpr std::array<RuleKey, 15> kRuleKeys = {{
    {"rule", 0},
    {"condition", kAppendable | kReplaceable},
    {"output", kAppendable | kReplaceable},
    {"desc", kAppendable | kReplaceable},
    {"priority", kReplaceable},
    {"source", 0},
    {"enabled", kReplaceable},
    {"warn_evttypes", kReplaceable},
    {"skip-if-unknown-filter", kReplaceable},
    {"tags", kAppendable | kReplaceable},
    {"exceptions", kAppendable | kReplaceable},
    {"override", 0},
    {"append", 0},
    {"capture", kReplaceable},
    {"capture_duration", kReplaceable},
}};

constexpr std::array<RuleKey, 1> kListKeys = {{{"items", kAppendable | kReplaceable}}};
constexpr std::array<RuleKey, 1> kMacroKeys = {{{"condition", kAppendable | kReplaceable}}};

constexpr std::string_view kAppendDeprecated =
    "'append' key is deprecated. Add an 'append' entry (e.g. 'condition: append') under 'override' "
    "instead.";
constexpr std::string_view kEnabledDeprecated =
    "The standalone 'enabled' key usage is deprecated. The correct approach requires also a "
    "'replace' entry under the 'override' key (i.e. 'enabled: replace').";

struct Overrides {
  std::vector<std::string_view> appends;
  std::vector<std::string_view> replaces;

  bool any() const { return !appends.empty() || !replaces.empty(); }
  bool Has(std::string_view key) const {
    return std::ranges::find(appends, key) != appends.end() ||
           std::ranges::find(replaces, key) != replaces.end();
  }
};

std::unexpected<LoadProblem> Malformed(std::string message, const LoadContext& context) {
  return ItemError(LoadCode::kErrYamlValidate, std::move(message), context);
}

void Warn(const ReportProblem& report, LoadCode code, std::string_view message,
          const LoadContext& context) {
  LoadProblem warning;
  warning.code = code;
  warning.message = message;
  warning.context = context;
  report(std::move(warning));
}

std::string JoinNames(std::span<const std::string_view> names) {
  std::string out;
  for (const std::string_view name : names) {
    if (!out.empty()) out += ", ";
    out += name;
  }
  return out;
}

uint8_t OverrideOps(std::span<const RuleKey> keys, std::string_view name) {
  const auto found = std::ranges::find(keys, name, &RuleKey::name);
  return found == keys.end() ? uint8_t{0} : found->override_ops;
}

std::string SuggestKey(std::string_view key, std::span<const RuleKey> keys) {
  std::vector<std::string_view> names;
  for (const RuleKey& known : keys) {
    if (known.override_ops != 0) names.push_back(known.name);
  }
  const auto nearest = NearestWord(key, names);
  return nearest ? "did you mean '" + std::string(*nearest) + "'?"
                 : "keys that can be overridden: " + JoinNames(names);
}

Decoded<Overrides> DecodeOverrides(const YamlNode& item, std::span<const RuleKey> keys,
                                   const LoadContext& context) {
  Overrides overrides;
  const YamlNode* node = item.Find("override");
  if (node == nullptr || !node->IsMapping()) return overrides;
  const LoadContext outer = Inside(context, "overrides", "", item.position);
  for (const YamlPair& pair : node->pairs) {
    const LoadContext inner = Inside(outer, "overrides", pair.key, pair.key_position);
    const uint8_t ops = OverrideOps(keys, pair.key);
    const std::string_view op = pair.value.scalar;
    const auto refuse = [&](std::string message) -> Decoded<Overrides> {
      auto error = Malformed(std::move(message), inner);
      if (ops == 0) error.error().suggestion = SuggestKey(pair.key, keys);
      return error;
    };
    if (op == "append" && (ops & kAppendable) != 0) {
      overrides.appends.push_back(pair.key);
    } else if (op == "replace" && (ops & kReplaceable) != 0) {
      overrides.replaces.push_back(pair.key);
    } else if (op == "append") {
      return refuse("Key '" + pair.key + "' cannot be appended to, use 'replace' instead");
    } else if (op == "replace") {
      return refuse("Key '" + pair.key + "' cannot be replaced");
    } else {
      std::string message = "Invalid override operation for key '" + pair.key + "': '" +
                            std::string(op) + "'. Allowed values are: ";
      if ((ops & kAppendable) != 0) message += "append ";
      if ((ops & kReplaceable) != 0) message += "replace ";
      return refuse(std::move(message));
    }
  }
  return overrides;
}

// Each key of `override` needs its value, and each value that could be overridden its entry there.
Outcome CheckOverrides(const YamlNode& item, const Overrides& overrides,
                       std::span<const RuleKey> keys, const LoadContext& context) {
  for (const auto& [names, op] :
       {std::pair(&overrides.appends, "append"), std::pair(&overrides.replaces, "replace")}) {
    for (const std::string_view name : *names) {
      if (item.Find(name) != nullptr) continue;
      return Malformed(std::string("An ") + op + " override for '" + std::string(name) +
                           "' was specified but '" + std::string(name) + "' is not defined",
                       context);
    }
  }
  for (const YamlPair& pair : item.pairs) {
    if (OverrideOps(keys, pair.key) == 0 || overrides.Has(pair.key)) continue;
    return Malformed(
        "Unexpected key '" + pair.key + "': no corresponding entry under 'override' is defined.",
        Inside(context, "overrides", pair.key, pair.value.position));
  }
  return {};
}

// The `append` key: true asks for the old way of appending, which is deprecated.
Decoded<bool> DecodeAppend(const YamlNode& item, const Overrides& overrides,
                           const LoadContext& context, const ReportProblem& report) {
  auto append = DecodeBool(item, "append", context);
  if (!append) return std::unexpected(std::move(append.error()));
  if (!append->value_or(false)) return false;
  Warn(report, LoadCode::kDeprecatedItem, kAppendDeprecated, context);
  if (overrides.any()) {
    return Malformed(
        "Keys 'override' and 'append: true' cannot be used together. Add an 'append' entry (e.g. "
        "'condition: append') under 'override' instead.",
        context);
  }
  return true;
}

bool IsIdentifier(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  return !name.empty() && letter(name[0]) && std::ranges::all_of(name, [&](char c) {
    return letter(c) || (c >= '0' && c <= '9') || c == '_';
  });
}

LoadContext NamedContext(const LoadContext& context, const YamlNode& item, std::string_view key) {
  const YamlNode* name = item.Find(key);
  return Inside(context, key, name->IsScalar() ? name->scalar : std::string(), item.position);
}

}  // namespace

void WarnUnknownKeys(const YamlNode& item, const std::vector<std::string_view>& known,
                     const LoadContext& context, const ReportProblem& report) {
  for (const YamlPair& pair : item.pairs) {
    if (std::ranges::find(known, pair.key) != known.end()) continue;
    LoadProblem warning;
    warning.code = LoadCode::kUnknownKey;
    warning.message = "Unknown key '" + pair.key + "'. The key will be ignored.";
    warning.context = context;
    if (const auto nearest = NearestWord(pair.key, known)) {
      warning.suggestion = "did you mean '" + std::string(*nearest) + "'?";
    }
    report(std::move(warning));
  }
}

Outcome ReadListItem(const YamlNode& item, const LoadContext& context, Collector& collector,
                     const ReportProblem& report) {
  ListDefinition list;
  list.context = NamedContext(context, item, "list");
  auto name = DecodeText(item, "list", list.context, true);
  if (!name) return std::unexpected(std::move(name.error()));
  list.name = std::move(**name);
  auto items = DecodeTexts(item, "items", list.context, true);
  if (!items) {
    collector.MarkBroken("list", list.name);
    report(std::move(items.error()));
  }
  // After the error: a misspelt key may be its cause.
  WarnUnknownKeys(item, {"list", "items", "append", "override"}, list.context, report);
  if (!items) return {};
  list.items = std::move(**items);
  if (list.name.find_first_of("()\"' \t\n\v\f\r=,") != std::string::npos) {
    Warn(report, LoadCode::kInvalidListName,
         "List has an invalid name. List names should match a regular expression: "
         "([^()\"'[:space:]=,]+)",
         list.context);
  }
  auto overrides = DecodeOverrides(item, kListKeys, list.context);
  if (!overrides) return std::unexpected(std::move(overrides.error()));
  auto append = DecodeAppend(item, *overrides, list.context, report);
  if (!append) return std::unexpected(std::move(append.error()));
  if (*append || !overrides->appends.empty()) return collector.AppendList(std::move(list));
  return collector.DefineList(std::move(list));
}

Outcome ReadMacroItem(const ItemSource& source, const YamlNode& item, const LoadContext& context,
                      Collector& collector, const ReportProblem& report) {
  MacroDefinition macro;
  macro.context = NamedContext(context, item, "macro");
  auto name = DecodeText(item, "macro", macro.context, true);
  if (!name) return std::unexpected(std::move(name.error()));
  macro.name = std::move(**name);
  auto condition = DecodeText(item, "condition", macro.context, true);
  if (!condition) {
    collector.MarkBroken("macro", macro.name);
    report(std::move(condition.error()));
  }
  WarnUnknownKeys(item, {"macro", "condition", "append", "override"}, macro.context, report);
  if (!condition) return {};
  const FilePosition& position = item.Find("condition")->position;
  macro.condition = Locate(**condition, source.file.text, source.index, position.offset);
  macro.condition_context = Inside(macro.context, "macro condition", "", position);
  if (!IsIdentifier(macro.name)) {
    Warn(report, LoadCode::kInvalidMacroName,
         "Macro has an invalid name. Macro names should match a regular expression: "
         "([a-zA-Z]+[a-zA-Z0-9_]*)",
         macro.context);
  }
  auto overrides = DecodeOverrides(item, kMacroKeys, macro.context);
  if (!overrides) return std::unexpected(std::move(overrides.error()));
  auto append = DecodeAppend(item, *overrides, macro.context, report);
  if (!append) return std::unexpected(std::move(append.error()));
  if (*append || !overrides->appends.empty()) return collector.AppendMacro(std::move(macro));
  return collector.DefineMacro(std::move(macro));
}

namespace {

// Fills what `keys` name of an update; the keys are those of one rule item.
class UpdateReader {
 public:
  UpdateReader(const ItemSource& source, const YamlNode& item, RuleUpdate& update,
               bool exception_fields_required)
      : source_(source),
        item_(item),
        update_(update),
        exception_fields_required_(exception_fields_required) {}

  Outcome Read(std::string_view key, bool required) {
    const LoadContext& context = update_.context;
    if (key == "condition")
      return ReadLocated(key, required, "rule condition", update_.condition,
                         update_.condition_context);
    if (key == "output")
      return ReadLocated(key, required, "rule output", update_.output, update_.output_context);
    if (key == "desc") return Store(DecodeText(item_, key, context, required), update_.desc);
    if (key == "source") return Store(DecodeText(item_, key, context, required), update_.source);
    if (key == "priority") return Store(DecodePriority(item_, context, required), update_.priority);
    if (key == "enabled") return Store(DecodeBool(item_, key, context, required), update_.enabled);
    if (key == "warn_evttypes")
      return Store(DecodeBool(item_, key, context), update_.warn_evttypes);
    if (key == "skip-if-unknown-filter") {
      return Store(DecodeBool(item_, key, context), update_.skip_if_unknown_filter);
    }
    if (key == "capture") return Store(DecodeBool(item_, key, context), update_.capture);
    if (key == "capture_duration") {
      return Store(DecodeUint(item_, key, context), update_.capture_duration_ms);
    }
    if (key == "exceptions") {
      return Store(DecodeExceptions(item_, context, exception_fields_required_),
                   update_.exceptions);
    }
    return ReadTags();
  }

 private:
  template <class T>
  Outcome Store(Decoded<std::optional<T>> decoded, std::optional<T>& target) {
    if (!decoded) return std::unexpected(std::move(decoded.error()));
    target = std::move(*decoded);
    return {};
  }

  Outcome ReadLocated(std::string_view key, bool required, std::string_view type,
                      std::optional<SourceText>& target, LoadContext& target_context) {
    std::optional<std::string> text;
    Outcome outcome = Store(DecodeText(item_, key, update_.context, required), text);
    if (!outcome || !text) return outcome;
    const FilePosition& position = item_.Find(key)->position;
    target_context = Inside(update_.context, type, "", position);
    const std::string_view value = key == "output" ? TrimBlanks(*text) : std::string_view(*text);
    target = Locate(value, source_.file.text, source_.index, position.offset);
    return {};
  }

  Outcome ReadTags() {
    std::optional<std::vector<std::string>> tags;
    Outcome outcome = Store(DecodeTexts(item_, "tags", update_.context, false), tags);
    if (outcome && tags) update_.tags.emplace(tags->begin(), tags->end());
    return outcome;
  }

  const ItemSource& source_;
  const YamlNode& item_;
  RuleUpdate& update_;
  bool exception_fields_required_;
};

Outcome ReadKeys(const ItemSource& source, const YamlNode& item, RuleUpdate& update,
                 std::span<const std::string_view> keys, bool required, bool fields_required) {
  UpdateReader reader(source, item, update, fields_required);
  for (const std::string_view key : keys) {
    if (Outcome outcome = reader.Read(key, required); !outcome) return outcome;
  }
  return {};
}

RuleDefinition DefinitionFrom(RuleUpdate update) {
  RuleDefinition rule;
  rule.name = std::move(update.name);
  rule.desc = std::move(*update.desc);
  rule.condition = std::move(*update.condition);
  rule.output = std::move(*update.output);
  rule.priority = *update.priority;
  if (update.source) rule.source = std::move(*update.source);
  if (update.tags) rule.tags = std::move(*update.tags);
  if (update.exceptions) rule.exceptions = std::move(*update.exceptions);
  rule.enabled = update.enabled.value_or(true);
  rule.warn_evttypes = update.warn_evttypes.value_or(true);
  rule.skip_if_unknown_filter = update.skip_if_unknown_filter.value_or(false);
  rule.capture = update.capture.value_or(false);
  rule.capture_duration_ms = update.capture_duration_ms.value_or(0);
  rule.context = std::move(update.context);
  rule.condition_context = std::move(update.condition_context);
  rule.output_context = std::move(update.output_context);
  return rule;
}

Outcome ReadAppend(const ItemSource& source, const YamlNode& item, RuleUpdate update,
                   Collector& collector) {
  constexpr std::string_view kKeys[] = {"condition", "exceptions"};
  Outcome outcome = ReadKeys(source, item, update, kKeys, false, false);
  if (!outcome) return outcome;
  if (!update.condition && !update.exceptions) {
    return ItemError(LoadCode::kErrValidate,
                     "Appended rule must have exceptions or condition property", update.context);
  }
  return collector.AppendRule(std::move(update));
}

Outcome ReadOverride(const ItemSource& source, const YamlNode& item, const RuleUpdate& base,
                     const Overrides& overrides, Collector& collector) {
  Outcome outcome = CheckOverrides(item, overrides, kRuleKeys, base.context);
  if (!outcome) return outcome;
  RuleUpdate appended = base;
  outcome = ReadKeys(source, item, appended, overrides.appends, true, false);
  if (!outcome) return outcome;
  RuleUpdate replaced = base;
  outcome = ReadKeys(source, item, replaced, overrides.replaces, true, true);
  if (!outcome) return outcome;
  if (!overrides.appends.empty()) outcome = collector.AppendRule(std::move(appended));
  if (outcome && !overrides.replaces.empty())
    outcome = collector.ReplaceInRule(std::move(replaced));
  return outcome;
}

Outcome ReadEnable(const ItemSource& source, const YamlNode& item, RuleUpdate update,
                   Collector& collector, const ReportProblem& report) {
  constexpr std::string_view kKeys[] = {"enabled"};
  Outcome outcome = ReadKeys(source, item, update, kKeys, true, false);
  if (!outcome) return outcome;
  Warn(report, LoadCode::kDeprecatedItem, kEnabledDeprecated, update.context);
  return collector.EnableRule(update);
}

Outcome ReadDefinition(const ItemSource& source, const YamlNode& item, RuleUpdate update,
                       Collector& collector) {
  constexpr std::string_view kRequired[] = {"condition", "output", "desc", "priority"};
  constexpr std::string_view kOptional[] = {
      "source",  "enabled",          "warn_evttypes", "skip-if-unknown-filter",
      "capture", "capture_duration", "tags",          "exceptions"};
  Outcome outcome = ReadKeys(source, item, update, kRequired, true, true);
  if (!outcome) return outcome;
  outcome = ReadKeys(source, item, update, kOptional, false, true);
  if (!outcome) return outcome;
  return collector.DefineRule(DefinitionFrom(std::move(update)));
}

Outcome ReadNamedRule(const ItemSource& source, const YamlNode& item, RuleUpdate update,
                      Collector& collector, const ReportProblem& report) {
  auto overrides = DecodeOverrides(item, kRuleKeys, update.context);
  if (!overrides) return std::unexpected(std::move(overrides.error()));
  auto append = DecodeAppend(item, *overrides, update.context, report);
  if (!append) return std::unexpected(std::move(append.error()));
  if (*append) return ReadAppend(source, item, std::move(update), collector);
  if (overrides->any()) return ReadOverride(source, item, update, *overrides, collector);
  const bool defines =
      std::ranges::any_of(std::array{"condition", "output", "desc", "priority"},
                          [&](std::string_view key) { return item.Find(key) != nullptr; });
  if (!defines) return ReadEnable(source, item, std::move(update), collector, report);
  return ReadDefinition(source, item, std::move(update), collector);
}

bool AsksForAppend(const YamlNode& item) {
  const YamlNode* append = item.Find("append");
  bool value = false;
  return append != nullptr && append->IsScalar() && ParseYamlBool(append->scalar, value) && value;
}

}  // namespace

Outcome ReadRuleItem(const ItemSource& source, const YamlNode& item, const LoadContext& context,
                     Collector& collector, const ReportProblem& report) {
  RuleUpdate update;
  update.context = NamedContext(context, item, "rule");
  auto name = DecodeText(item, "rule", update.context, true);
  if (!name) return std::unexpected(std::move(name.error()));
  update.name = std::move(**name);
  const std::string rule = update.name;
  // A follow-up of an item that could not be read would only repeat the trouble.
  const bool was_broken = collector.IsBroken("rule", rule);
  const LoadContext rule_context = update.context;
  Outcome outcome = ReadNamedRule(source, item, std::move(update), collector, report);
  if (!outcome) {
    collector.MarkBroken("rule", rule);
    const bool follows = was_broken && outcome.error().message.contains("already exists");
    if (!follows) report(std::move(outcome.error()));
  }
  // The old way of appending ignores every other key without a word.
  if (AsksForAppend(item)) return {};
  std::vector<std::string_view> known;
  for (const RuleKey& key : kRuleKeys) known.push_back(key.name);
  WarnUnknownKeys(item, known, rule_context, report);
  return {};
}

}  // namespace gyrfalcon
