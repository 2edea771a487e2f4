#include "rules/rules_reader.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "base/text.h"
#include "rules/engine_version.h"
#include "rules/item_reader.h"
#include "rules/plugin_requirements.h"
#include "rules/rule_item_reader.h"
#include "rules/rules_schema.h"

namespace gyrfalcon {
namespace {

class FileReader {
 public:
  FileReader(const ItemSource& source, Collector& collector,
             const std::function<void(LoadProblem)>& report)
      : source_(source), collector_(collector), report_(report) {}

  std::vector<std::string> Read() {
    context_ = {{"rules content", "", source_.file.name, {}}};
    auto documents = ParseYaml(source_.file.text);
    if (!documents) {
      const YamlError& error = documents.error();
      report_(std::move(ItemError(LoadCode::kErrYamlParse, error.message,
                                  Inside(context_, "value for", "", error.position))
                            .error()));
      return {};
    }
    std::vector<std::string> schema_outcomes;
    for (const YamlNode& document : *documents) {
      std::ranges::move(CheckAgainstRulesSchema(document), std::back_inserter(schema_outcomes));
      ReadDocument(document);
    }
    return schema_outcomes;
  }

 private:
  using Outcome = Collector::Outcome;

  void Report(const Outcome& outcome) {
    if (!outcome) report_(outcome.error());
  }

  void ReadDocument(const YamlNode& document) {
    if (document.IsNull()) return;
    if (!document.IsSequence()) {
      const bool is_map = document.IsMapping();
      report_(std::move(ItemError(LoadCode::kErrYamlValidate,
                                  is_map ? "Rules content is not yaml array of objects"
                                         : "Rules content is not yaml",
                                  context_)
                            .error()));
      return;
    }
    for (const YamlNode& item : document.items) {
      if (!item.IsNull()) Report(ReadItem(item));
    }
  }

  Outcome ReadItem(const YamlNode& item) {
    if (!item.IsMapping()) {
      return ItemError(LoadCode::kErrYamlValidate,
                       "Unexpected element type. Each element should be a yaml associative array.",
                       Inside(context_, "rules content item", "", item.position));
    }
    for (const auto& [key, read] : kKinds) {
      if (item.Find(key) != nullptr) return (this->*read)(item);
    }
    LoadProblem warning;
    warning.code = LoadCode::kUnknownItem;
    warning.message = "Unknown top level item";
    warning.context = Inside(context_, "rules content item", "", item.position);
    warning.suggestion = SuggestKind(item);
    report_(std::move(warning));
    return {};
  }

  // For "rul: x": the key that was probably meant.
  static std::string SuggestKind(const YamlNode& item) {
    std::vector<std::string_view> kinds;
    for (const auto& [key, read] : kKinds) kinds.push_back(key);
    for (const YamlPair& pair : item.pairs) {
      if (const auto nearest = NearestWord(pair.key, kinds)) {
        return "did you mean '" + std::string(*nearest) + "' for '" + pair.key + "'?";
      }
    }
    return "an item begins with rule, macro or list";
  }

  Outcome ReadEngineVersion(const YamlNode& item) {
    const LoadContext context = Inside(context_, "required_engine_version", "", item.position);
    auto text = DecodeText(item, "required_engine_version", context, true);
    if (!text) return std::unexpected(std::move(text.error()));
    const std::optional<EngineVersion> required = ParseEngineVersion(**text);
    if (!required) {
      return ItemError(LoadCode::kErrYamlValidate,
                       "Unable to parse engine version '" + **text +
                           "' as a semver string. Expected \"x.y.z\" semver format.",
                       context);
    }
    WarnUnknownKeys(item, {{"required_engine_version"}}, context, report_);
    if (!Satisfies(*ParseEngineVersion(kEngineVersion), *required)) {
      auto error = ItemError(LoadCode::kErrValidate,
                             "Rules require engine version " + required->text +
                                 ", but engine version is " + std::string(kEngineVersion),
                             context);
      error.error().suggestion =
          "the file is for a newer engine; lower the number if its rules need nothing newer";
      return error;
    }
    const std::optional<EngineVersion> so_far =
        ParseEngineVersion(collector_.required_engine_version);
    if (!so_far || Satisfies(*required, *so_far)) {
      collector_.required_engine_version = required->text;
    }
    return {};
  }

  Outcome ReadPluginVersions(const YamlNode& item) {
    const YamlNode& value = *item.Find("required_plugin_versions");
    const LoadContext context = Inside(context_, "required plugin versions", "", value.position);
    if (!value.IsSequence()) {
      return ItemError(LoadCode::kErrYamlValidate,
                       "Value of required_plugin_versions must be a sequence", context);
    }
    for (const YamlNode& entry : value.items) {
      if (Outcome outcome = ReadPluginEntry(entry, context); !outcome) return outcome;
    }
    WarnUnknownKeys(item, {{"required_plugin_versions"}}, context, report_);
    return {};
  }

  Outcome ReadPluginEntry(const YamlNode& entry, const LoadContext& context) {
    PluginRequirement requirement;
    constexpr std::string_view kEntry = "required plugin versions entry";
    LoadContext inner = Inside(context, kEntry, "", entry.position);
    auto version = ReadPluginVersion(entry, inner);
    if (!version) return std::unexpected(std::move(version.error()));
    inner.back().item_name = version->name;
    std::set<std::string> names = {version->name};
    requirement.alternatives.push_back(std::move(*version));
    const YamlNode* alternatives = entry.Find("alternatives");
    if (alternatives != nullptr && !alternatives->IsSequence()) {
      return ItemError(LoadCode::kErrYamlValidate,
                       "Value of plugin version alternatives must be a sequence", inner);
    }
    const std::span<const YamlNode> others =
        alternatives != nullptr ? std::span(alternatives->items) : std::span<const YamlNode>();
    for (const YamlNode& node : others) {
      auto other = ReadPluginVersion(
          node, Inside(inner, "required plugin versions alternative", "", node.position));
      if (!other) return std::unexpected(std::move(other.error()));
      if (!names.insert(other->name).second) {
        return ItemError(
            LoadCode::kErrValidate,
            "Defined multiple alternative version requirements for plugin '" + other->name + "'",
            inner);
      }
      requirement.alternatives.push_back(std::move(*other));
    }
    for (const PluginRequirement::Version& wanted : requirement.alternatives) {
      if (ParsePluginVersion(wanted.version)) continue;
      auto error = ItemError(
          LoadCode::kErrValidate,
          "Invalid required version '" + wanted.version + "' for plugin '" + wanted.name + "'",
          inner);
      error.error().suggestion = "a version is three numbers, as in 0.4.0";
      return error;
    }
    requirement.context = inner;
    collector_.plugin_requirements.push_back(std::move(requirement));
    return {};
  }

  Decoded<PluginRequirement::Version> ReadPluginVersion(const YamlNode& node,
                                                        const LoadContext& context) {
    PluginRequirement::Version version;
    auto name = DecodeText(node, "name", context, true);
    if (!name) return std::unexpected(std::move(name.error()));
    version.name = std::move(**name);
    LoadContext named = context;
    named.back().item_name = version.name;
    auto number = DecodeText(node, "version", named, true);
    if (!number) return std::unexpected(std::move(number.error()));
    version.version = std::move(**number);
    return version;
  }

  Outcome ReadList(const YamlNode& item) {
    return ReadListItem(item, context_, collector_, report_);
  }
  Outcome ReadMacro(const YamlNode& item) {
    return ReadMacroItem(source_, item, context_, collector_, report_);
  }
  Outcome ReadRule(const YamlNode& item) {
    return ReadRuleItem(source_, item, context_, collector_, report_);
  }

  using Reader = Outcome (FileReader::*)(const YamlNode&);
  // The first key that is present decides what the item is.
  static const std::array<std::pair<std::string_view, Reader>, 5> kKinds;

  const ItemSource& source_;
  Collector& collector_;
  const std::function<void(LoadProblem)>& report_;
  LoadContext context_;
};

constexpr std::array<std::pair<std::string_view, FileReader::Reader>, 5> FileReader::kKinds = {{
    {"required_engine_version", &FileReader::ReadEngineVersion},
    {"required_plugin_versions", &FileReader::ReadPluginVersions},
    {"list", &FileReader::ReadList},
    {"macro", &FileReader::ReadMacro},
    {"rule", &FileReader::ReadRule},
}};

}  // namespace

std::vector<std::string> ReadRulesFile(const RulesFile& file, uint32_t file_index,
                                       Collector& collector,
                                       const std::function<void(LoadProblem)>& report) {
  const ItemSource source{file, file_index};
  return FileReader(source, collector, report).Read();
}

}  // namespace gyrfalcon
