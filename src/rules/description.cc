#include "rules/description.h"

#include <algorithm>
#include <sstream>

#include <nlohmann/json.hpp>

#include "rules/condition_parser.h"
#include "rules/event_type_inference.h"
#include "rules/plugin_requirements.h"
#include "rules/rule_compiler.h"
#include "rules/rule_loader.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::json;

std::string FieldName(const Operand& operand) {
  return operand.text + (operand.bracket ? "[" + *operand.bracket + "]" : std::string());
}

void NoteFields(const Operand& operand, std::set<std::string>& fields) {
  const bool is_field =
      operand.kind == Operand::Kind::kField || operand.kind == Operand::Kind::kFieldValue;
  if (is_field) fields.insert(FieldName(operand));
  for (const Operand& item : operand.items) NoteFields(item, fields);
}

void NoteExpanded(const Condition& tree, ConditionDescription& out) {
  if (tree.kind == Condition::Kind::kCheck) {
    NoteFields(tree.left, out.fields);
    if (tree.right) NoteFields(*tree.right, out.fields);
    std::string name(Describe(tree.op).text);
    if (tree.modifier != Modifier::kNone) {
      name += " " + std::string(Describe(tree.modifier).text);
    }
    out.operators.insert(std::move(name));
  }
  for (const Condition& child : tree.children) NoteExpanded(child, out);
}

// Values that are names of lists.
void NoteLists(const Operand& value, const std::set<std::string_view>& lists,
               std::set<std::string>& out) {
  if (value.kind == Operand::Kind::kText && lists.contains(value.text)) out.insert(value.text);
  if (value.kind != Operand::Kind::kList) return;
  for (const Operand& item : value.items) NoteLists(item, lists, out);
}

void NoteWritten(const Condition& tree, const std::set<std::string_view>& lists,
                 ConditionDescription& out) {
  if (tree.kind == Condition::Kind::kMacro) out.macros.insert(tree.macro);
  if (tree.right) NoteLists(*tree.right, lists, out.lists);
  for (const Condition& child : tree.children) NoteWritten(child, lists, out);
}

std::set<std::string> EventNames(const Condition& tree) {
  std::set<std::string> names = {"asyncevent"};
  const auto types = InferEventTypes(tree);
  for (size_t i = 0; types && i < kEventTypeCount; ++i) {
    const EventTypeDef& type = EventTypes()[i];
    if (types->test(i) && (type.flags & kNotInFalcosTable) == 0) names.emplace(type.name);
  }
  return names;
}

std::set<std::string> PluginsOf(const std::set<std::string>& fields) {
  std::set<std::string> plugins;
  for (const std::string& field : fields) {
    const std::string_view plugin = PluginOfField(field);
    if (!plugin.empty()) plugins.emplace(plugin);
  }
  return plugins;
}

// What rules and macros have in common.
Json ConditionJson(const ConditionDescription& condition) {
  return {{"condition_compiled", condition.compiled},
          {"condition_fields", condition.fields},
          {"condition_operators", condition.operators},
          {"events", condition.events},
          {"macros", condition.macros},
          {"lists", condition.lists},
          {"plugins", PluginsOf(condition.fields)}};
}

void AddTexts(const ExceptionEntry& entry, std::set<std::string>& out) {
  if (!entry.is_list && !entry.text.empty()) out.insert(entry.text);
  for (const ExceptionEntry& item : entry.items) AddTexts(item, out);
}

void AddExceptions(const RuleDefinition& definition, Json& details) {
  std::set<std::string> names;
  std::set<std::string> fields;
  std::set<std::string> operators;
  for (const ExceptionDefinition& exception : definition.exceptions) {
    names.insert(exception.name);
    AddTexts(exception.fields, fields);
    AddTexts(exception.comps, operators);
  }
  details["exception_names"] = names;
  details["exception_fields"] = fields;
  details["exception_operators"] = operators;
}

void AddOutput(const Rule& rule, Json& details) {
  Json fields = Json::array();
  Json formatted = Json::object();
  std::set<std::string> names;
  // Falco lists a format among the fields as it is written.
  for (const Rule::ExtraField& extra : rule.extra_fields) {
    fields.push_back(extra.raw ? extra.key : extra.format.text());
    if (!extra.raw) formatted[extra.key] = extra.format.text();
  }
  for (const std::string& name : rule.format.FieldNames()) {
    fields.push_back(name);
    names.insert(name);
  }
  details["output_compiled"] = rule.output;
  details["output_fields"] = std::move(fields);
  if (!formatted.empty()) details["extra_output_formatted_fields"] = std::move(formatted);
  for (const std::string& plugin : PluginsOf(names)) {
    Json& plugins = details["plugins"];
    if (std::find(plugins.begin(), plugins.end(), plugin) == plugins.end()) {
      plugins.push_back(plugin);
    }
  }
}

Json RuleJson(const Rule& rule, const RuleDefinition& definition,
              const ConditionDescription& condition) {
  Json details = ConditionJson(condition);
  AddExceptions(definition, details);
  AddOutput(rule, details);
  return {{"info",
           {{"name", rule.name},
            {"description", rule.desc},
            {"condition", definition.condition.text()},
            {"output", definition.output.text()},
            {"priority", PriorityName(rule.priority)},
            {"source", rule.source},
            {"enabled", rule.enabled},
            {"tags", rule.tags},
            {"capture", rule.capture},
            {"capture_duration", rule.capture_duration_ms}}},
          {"details", std::move(details)}};
}

Json MacroJson(const MacroDescription& macro) {
  Json details = ConditionJson(macro.condition);
  details["used"] = macro.used;
  return {{"info",
           {{"name", macro.definition->name}, {"condition", macro.definition->condition.text()}}},
          {"details", std::move(details)}};
}

Json ListJson(const ListDescription& list, const std::set<std::string_view>& lists) {
  Json items = Json::array();
  std::set<std::string> nested;
  for (const std::string& item : list.definition->items) {
    if (lists.contains(item)) {
      nested.insert(item);
    } else {
      items.push_back(item);
    }
  }
  return {{"info", {{"name", list.definition->name}, {"items", std::move(items)}}},
          {"details",
           {{"items_compiled", list.items},
            {"lists", nested},
            {"plugins", Json::array()},
            {"used", list.used}}}};
}

Json PluginJson(const PluginRequirement& requirement) {
  const auto one = [](const PluginRequirement::Version& wanted) {
    return Json{{"name", wanted.name}, {"version", wanted.version}};
  };
  Json json = one(requirement.alternatives.front());
  json["alternatives"] = Json::array();
  for (size_t i = 1; i < requirement.alternatives.size(); ++i) {
    json["alternatives"].push_back(one(requirement.alternatives[i]));
  }
  return json;
}

std::set<std::string_view> ListNames(const Collector& collector) {
  std::set<std::string_view> names;
  for (const ListDefinition& list : collector.lists()) names.insert(list.name);
  return names;
}

// "Name    words of the description, wrapped".
std::string TableRow(std::string_view name, std::string_view text) {
  constexpr size_t kNameWidth = 50;
  std::string out(name);
  if (out.size() < kNameWidth) out.resize(kNameWidth, ' ');
  return out + " " + std::string(text) + "\n";
}

std::string Wrapped(const std::string& text) {
  constexpr size_t kIndent = 51;
  constexpr size_t kLineMax = 110;
  std::istringstream words(text);
  std::string out;
  std::string word;
  size_t length = 0;
  while (words >> word) {
    if (length + word.size() + 1 <= kLineMax - kIndent) {
      length += word.size() + 1;
    } else {
      out += "\n" + std::string(kIndent, ' ');
      length = word.size() + 1;
    }
    out += word + " ";
  }
  return out;
}

}  // namespace

ConditionDescription DescribeCondition(std::string_view source, const Condition& tree,
                                       const Collector& collector) {
  ConditionDescription out;
  out.compiled = PrintCondition(tree);
  out.events = EventNames(tree);
  NoteExpanded(tree, out);
  // A list's name can stand where only its items make sense; then what was written has no tree.
  if (const auto written = ParseCondition(source)) NoteWritten(*written, ListNames(collector), out);
  return out;
}

std::string DescribeJson(const RuleLoader& loader, const RuleSet& rules, std::string_view rule) {
  const Collector& collector = loader.definitions();
  const Descriptions descriptions =
      DescribeDefinitions(collector, loader.catalog(), loader.options());
  std::map<std::string_view, const RuleDefinition*> definitions;
  for (const RuleDefinition& definition : collector.rules()) {
    definitions.emplace(definition.name, &definition);
  }
  Json out = {{"rules", Json::array()}};
  for (const Rule& candidate : rules.rules()) {
    if (!rule.empty() && candidate.name != rule) continue;
    const auto definition = definitions.find(candidate.name);
    const auto described = descriptions.rules.find(candidate.name);
    if (definition == definitions.end() || described == descriptions.rules.end()) continue;
    out["rules"].push_back(RuleJson(candidate, *definition->second, described->second));
  }
  if (!rule.empty() && out["rules"].empty()) return {};
  if (rule.empty()) {
    out["macros"] = Json::array();
    for (const MacroDescription& macro : descriptions.macros) {
      out["macros"].push_back(MacroJson(macro));
    }
    const std::set<std::string_view> names = ListNames(collector);
    out["lists"] = Json::array();
    for (const ListDescription& list : descriptions.lists) {
      out["lists"].push_back(ListJson(list, names));
    }
    out["required_engine_version"] = collector.required_engine_version;
    out["required_plugin_versions"] = Json::array();
    for (const PluginRequirement& requirement : collector.plugin_requirements) {
      out["required_plugin_versions"].push_back(PluginJson(requirement));
    }
  }
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string DescribeText(const RuleSet& rules, std::string_view rule) {
  std::string rows;
  for (const Rule& candidate : rules.rules()) {
    if (!rule.empty() && candidate.name != rule) continue;
    rows += TableRow(candidate.name, Wrapped(candidate.desc) + "\n");
  }
  if (!rule.empty() && rows.empty()) return {};
  return TableRow("Rule", "Description") + TableRow("----", "-----------") + rows;
}

}  // namespace gyrfalcon
