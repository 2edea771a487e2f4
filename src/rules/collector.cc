#include "rules/collector.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "rules/condition_parser.h"

namespace gyrfalcon {
namespace {

std::unexpected<LoadProblem> Invalid(std::string message, const LoadContext& context) {
  LoadProblem problem;
  problem.code = LoadCode::kErrValidate;
  problem.message = std::move(message);
  problem.context = context;
  return std::unexpected(std::move(problem));
}

std::unexpected<LoadProblem> Advised(std::unexpected<LoadProblem> problem, std::string advice) {
  problem.error().suggestion = std::move(advice);
  return problem;
}

// For what changes a definition that is not there.
template <class T>
std::string NearestName(std::string_view name, const std::vector<T>& definitions) {
  std::vector<std::string_view> names;
  for (const T& definition : definitions) names.push_back(definition.name);
  const auto nearest = NearestWord(name, names);
  return nearest ? "did you mean '" + std::string(*nearest) + "'?"
                 : "it must be defined before, in this file or in one given earlier";
}

std::string NearestOperator(std::string_view text) {
  std::vector<std::string_view> names;
  for (const OperatorDef& op : Operators()) names.push_back(op.text);
  const auto nearest = NearestWord(text, names);
  return nearest ? "did you mean '" + std::string(*nearest) + "'?" : std::string();
}

std::string NearestField(const FieldCatalog& catalog, std::string_view text) {
  const auto nearest = catalog.Nearest(text.substr(0, text.find_first_of("[(")));
  return nearest ? "did you mean '" + std::string(*nearest) + "'?" : std::string();
}

std::string BrokenKey(std::string_view kind, std::string_view name) {
  return std::string(kind) + ":" + std::string(name);
}

bool NamesField(const FieldCatalog& catalog, const Operand& operand) {
  if (operand.kind == Operand::Kind::kField) {
    return catalog.Bind(operand.text, operand.bracket).has_value();
  }
  return std::ranges::all_of(operand.items, [&](const Operand& item) {
    return item.kind == Operand::Kind::kText || item.kind == Operand::Kind::kNumber ||
           NamesField(catalog, item);
  });
}

bool IsField(const FieldCatalog& catalog, std::string_view text) {
  const auto parsed = ParseFieldOrTransformer(text);
  return parsed && parsed->length == text.size() && NamesField(catalog, parsed->operand);
}

template <class T>
void Assign(std::optional<T>& from, T& to) {
  if (from) to = std::move(*from);
}

}  // namespace

void Collector::MarkBroken(std::string_view kind, std::string_view name) {
  broken_.insert(BrokenKey(kind, name));
}

bool Collector::IsBroken(std::string_view kind, std::string_view name) const {
  return broken_.contains(BrokenKey(kind, name));
}

Collector::Outcome Collector::DefineList(ListDefinition list) {
  const auto [found, is_new] = list_index_.try_emplace(list.name, lists_.size());
  list.order = {next_, next_};
  ++next_;
  if (is_new) {
    lists_.push_back(std::move(list));
  } else {
    ListDefinition& previous = lists_[found->second];
    list.order.index = previous.order.index;
    previous = std::move(list);
  }
  return {};
}

Collector::Outcome Collector::AppendList(ListDefinition list) {
  const auto found = list_index_.find(list.name);
  if (found == list_index_.end()) {
    return Advised(
        Invalid("List uses 'append' or 'override.items: append' but no list by that name "
                "already exists",
                list.context),
        NearestName(list.name, lists_));
  }
  ListDefinition& previous = lists_[found->second];
  previous.items.insert(previous.items.end(), list.items.begin(), list.items.end());
  previous.order.visibility = next_++;
  return {};
}

Collector::Outcome Collector::DefineMacro(MacroDefinition macro) {
  const auto [found, is_new] = macro_index_.try_emplace(macro.name, macros_.size());
  macro.order = {next_, next_};
  ++next_;
  if (is_new) {
    macros_.push_back(std::move(macro));
  } else {
    MacroDefinition& previous = macros_[found->second];
    macro.order.index = previous.order.index;
    previous = std::move(macro);
  }
  return {};
}

Collector::Outcome Collector::AppendMacro(const MacroDefinition& macro) {
  const auto found = macro_index_.find(macro.name);
  if (found == macro_index_.end()) {
    return Advised(
        Invalid("Macro uses 'append' or 'override.condition: append' but no macro by that "
                "name already exists",
                macro.context),
        NearestName(macro.name, macros_));
  }
  MacroDefinition& previous = macros_[found->second];
  previous.condition.Append(" ", macro.condition.OriginAt(0));
  previous.condition.Append(macro.condition);
  previous.order.visibility = next_++;
  return {};
}

RuleDefinition* Collector::FindRule(std::string_view name) {
  const auto found = rule_index_.find(name);
  return found == rule_index_.end() ? nullptr : &rules_[found->second];
}

Collector::Outcome Collector::DefineRule(RuleDefinition rule) {
  if (const RuleDefinition* previous = FindRule(rule.name);
      previous != nullptr && previous->source != rule.source) {
    return Invalid("Rule has been re-defined with a different source", rule.context);
  }
  if (rule.source != "syscall") {
    LoadProblem warning;
    warning.code = LoadCode::kUnknownSource;
    warning.message = "Unknown source " + rule.source + ", skipping";
    warning.context = rule.context;
    warn_(std::move(warning));
    rule.unknown_source = true;
  }
  std::set<std::string_view> names;
  for (ExceptionDefinition& exception : rule.exceptions) {
    if (!names.insert(exception.name).second) {
      LoadProblem warning;
      warning.code = LoadCode::kExceptionNameNotUnique;
      warning.message =
          "Multiple definitions of exception '" + exception.name + "' in the same rule";
      warning.context = exception.context;
      warn_(std::move(warning));
    }
    // Fields of a source that nobody here knows can't be looked up.
    if (rule.unknown_source) continue;
    if (Outcome outcome = ValidateException(exception); !outcome) return outcome;
  }
  const auto [found, is_new] = rule_index_.try_emplace(rule.name, rules_.size());
  rule.order = {next_, next_};
  ++next_;
  if (is_new) {
    rules_.push_back(std::move(rule));
  } else {
    rule.order.index = rules_[found->second].order.index;
    rules_[found->second] = std::move(rule);
  }
  return {};
}

Collector::Outcome Collector::AppendRule(RuleUpdate update) {
  RuleDefinition* rule = FindRule(update.name);
  if (rule == nullptr) {
    return Advised(
        Invalid("Rule uses 'append' or 'override.<key>: append' but no rule by that name "
                "already exists",
                update.context),
        NearestName(update.name, rules_));
  }
  if (update.condition) {
    rule->condition.Append(" ", update.condition->OriginAt(0));
    rule->condition.Append(*update.condition);
  }
  if (update.output) {
    rule->output.Append(" ", update.output->OriginAt(0));
    rule->output.Append(*update.output);
  }
  if (update.desc) rule->desc += " " + *update.desc;
  if (update.tags) rule->tags.insert(update.tags->begin(), update.tags->end());
  if (update.exceptions) {
    for (ExceptionDefinition& exception : *update.exceptions) {
      Outcome outcome = MergeException(*rule, std::move(exception));
      if (!outcome) return outcome;
    }
  }
  rule->order.visibility = next_++;
  return {};
}

Collector::Outcome Collector::ReplaceInRule(RuleUpdate update) {
  RuleDefinition* rule = FindRule(update.name);
  if (rule == nullptr) {
    return Advised(
        Invalid("An 'override.<key>: replace' to a rule was requested but no rule by that "
                "name already exists",
                update.context),
        NearestName(update.name, rules_));
  }
  if (update.exceptions) {
    // Falco leaves replaced exceptions unchecked and without the default comps.
    for (ExceptionDefinition& exception : *update.exceptions) {
      if (Outcome outcome = ValidateException(exception); !outcome) return outcome;
    }
  }
  if (update.condition) rule->condition_context = update.condition_context;
  if (update.output) rule->output_context = update.output_context;
  Assign(update.condition, rule->condition);
  Assign(update.output, rule->output);
  Assign(update.desc, rule->desc);
  Assign(update.tags, rule->tags);
  Assign(update.priority, rule->priority);
  Assign(update.exceptions, rule->exceptions);
  Assign(update.enabled, rule->enabled);
  Assign(update.warn_evttypes, rule->warn_evttypes);
  Assign(update.skip_if_unknown_filter, rule->skip_if_unknown_filter);
  Assign(update.capture, rule->capture);
  Assign(update.capture_duration_ms, rule->capture_duration_ms);
  rule->order.visibility = next_++;
  return {};
}

Collector::Outcome Collector::EnableRule(const RuleUpdate& update) {
  RuleDefinition* rule = FindRule(update.name);
  if (rule == nullptr) {
    return Advised(
        Invalid("Rule has 'enabled' key but no rule by that name already exists", update.context),
        NearestName(update.name, rules_));
  }
  rule->enabled = update.enabled.value_or(rule->enabled);
  return {};
}

Collector::Outcome Collector::MergeException(RuleDefinition& rule, ExceptionDefinition exception) {
  const auto known = std::ranges::find(rule.exceptions, exception.name, &ExceptionDefinition::name);
  if (known == rule.exceptions.end()) {
    if (!exception.fields.given) {
      return Invalid("Rule exception must have fields property with a list of fields",
                     exception.context);
    }
    if (!exception.has_values) {
      return Invalid("Rule exception must have values property with a list of values",
                     exception.context);
    }
    if (Outcome outcome = ValidateException(exception); !outcome) return outcome;
    rule.exceptions.push_back(std::move(exception));
    return {};
  }
  for (const auto& [entry, key] :
       {std::pair(&exception.fields, "fields"), {&exception.comps, "comps"}}) {
    if (entry->given) {
      return Invalid(
          std::string("Can not append exception ") + key + " to existing exception, only values",
          exception.context);
    }
  }
  if (exception.values.empty()) {
    LoadProblem warning;
    warning.code = LoadCode::kAppendNoValues;
    warning.message = "Overriding/appending exception with no values";
    warning.context = exception.context;
    warn_(std::move(warning));
  }
  known->values.insert(known->values.end(), exception.values.begin(), exception.values.end());
  return ValidateException(*known);
}

Collector::Outcome Collector::ValidateException(ExceptionDefinition& exception) const {
  return exception.fields.is_list ? ValidateListForm(exception) : ValidateScalarForm(exception);
}

// fields: [a, b], comps: [=, in], values: [[v, [w, x]], …]
Collector::Outcome Collector::ValidateListForm(ExceptionDefinition& exception) const {
  const std::vector<ExceptionEntry>& fields = exception.fields.items;
  if (!exception.comps.given) {
    exception.comps = {
        true, true, {}, std::vector(fields.size(), ExceptionEntry{true, false, "=", {}})};
  }
  if (!exception.comps.is_list || exception.comps.items.size() != fields.size()) {
    return Invalid("Fields and comps lists must have equal length", exception.context);
  }
  for (const ExceptionEntry& comp : exception.comps.items) {
    OperatorText op;
    if (!ParseOperatorText(comp.text, op)) {
      return Advised(
          Invalid("'" + comp.text + "' is not a supported comparison operator", exception.context),
          NearestOperator(comp.text));
    }
  }
  for (const ExceptionEntry& field : fields) {
    if (!IsField(catalog_, field.text)) {
      return Advised(
          Invalid("'" + field.text + "' is not a supported filter field", exception.context),
          NearestField(catalog_, field.text));
    }
  }
  for (const ExceptionEntry& tuple : exception.values) {
    if (!tuple.is_list || tuple.items.size() != fields.size()) {
      return Invalid("Fields and values lists must have equal length", exception.context);
    }
  }
  return {};
}

// fields: a, comps: in, values: [v, w]
Collector::Outcome Collector::ValidateScalarForm(ExceptionDefinition& exception) const {
  if (!exception.comps.given) exception.comps = {true, false, "in", {}};
  if (exception.comps.is_list) {
    return Invalid("Fields and comps must both be strings", exception.context);
  }
  OperatorText op;
  const bool known = ParseOperatorText(exception.comps.text, op);
  const bool takes_list =
      known && (Describe(op.op).shape == OperatorShape::kList || op.modifier != Modifier::kNone);
  if (!takes_list) {
    return Invalid(
        "When fields is a single value, comps must be one of (in, pmatch, intersects) or a "
        "modifier operator (e.g. startswith oneof)",
        exception.context);
  }
  if (!IsField(catalog_, exception.fields.text)) {
    return Advised(Invalid("'" + exception.fields.text + "' is not a supported filter field",
                           exception.context),
                   NearestField(catalog_, exception.fields.text));
  }
  for (const ExceptionEntry& value : exception.values) {
    if (value.is_list) {
      return Invalid("Expected values array to contain a list of strings", exception.context);
    }
  }
  return {};
}

}  // namespace gyrfalcon
