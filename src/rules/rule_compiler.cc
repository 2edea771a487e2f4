#include "rules/rule_compiler.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <ranges>
#include <utility>

#include "base/text.h"
#include "rules/binder.h"
#include "rules/event_type_inference.h"
#include "rules/expansion.h"
#include "rules/fold.h"

namespace gyrfalcon {
namespace {

struct DeprecatedField {
  std::string_view name;
  std::string_view message;
};

constexpr std::string_view kNoEnterEvents =
    "field is not available due to the drop of enter events.";
constexpr std::array<DeprecatedField, 6> kDeprecatedFields = {{
    {"evt.dir",
     "due to the drop of enter events, 'evt.dir = <' always evaluates to true, and 'evt.dir = >' "
     "always evaluates to false. The rule expression can be simplified by removing the condition "
     "on 'evt.dir'"},
    {"evt.latency", kNoEnterEvents},
    {"evt.latency.s", kNoEnterEvents},
    {"evt.latency.ns", kNoEnterEvents},
    {"evt.latency.human", kNoEnterEvents},
    {"evt.wait_latency", kNoEnterEvents},
}};

// "condition expression": its name is the start of the text, its place the parent's plus
// `position`.
LoadContext InExpression(const LoadContext& parent, std::string_view text,
                         const TextPosition& position) {
  constexpr size_t kNameMax = 20;
  std::string name(text.substr(0, kNameMax));
  if (text.size() > kNameMax) name.replace(kNameMax - 3, 3, "...");
  std::ranges::replace(name, '\n', ' ');
  std::ranges::replace(name, '\r', ' ');
  const FilePosition& base = parent.back().position;
  LoadContext context = parent;
  context.push_back(
      {"condition expression",
       "",
       "\"" + name + "\"",
       {base.line + position.line, base.column + position.column, base.offset + position.offset}});
  return context;
}

LoadProblem ExpressionProblem(LoadCode code, std::string message, const LoadContext& parent,
                              const SourceText& text, const TextPosition& position, Origin origin) {
  LoadProblem problem;
  problem.code = code;
  problem.message = std::move(message);
  problem.context = InExpression(parent, text.text(), position);
  problem.snippet = Snippet(text.text(), problem.context.back().position.offset);
  problem.origin = origin;
  return problem;
}

bool IsUnknownFilter(std::string_view message) {
  return std::ranges::any_of(
      std::array<std::string_view, 4>{"nonexistent field", "invalid formatting token",
                                      "unknown event type", "unknown filter:"},
      [&](std::string_view part) { return message.contains(part); });
}

void CollectFieldNames(const Operand& operand, std::set<std::string>& names) {
  if (operand.kind == Operand::Kind::kField) names.insert(operand.text);
  for (const Operand& item : operand.items) CollectFieldNames(item, names);
}

void CollectFieldNames(const Condition& condition, std::set<std::string>& names) {
  if (condition.kind == Condition::Kind::kCheck) CollectFieldNames(condition.left, names);
  for (const Condition& child : condition.children) CollectFieldNames(child, names);
}

bool IsNotAvailable(const Operand& value) {
  return (value.kind == Operand::Kind::kText && value.text == "<NA>") ||
         std::ranges::any_of(value.items, IsNotAvailable);
}

// Whether a field of audit events, in which <NA> is a text like any other, is compared with it.
bool ComparesWithNotAvailable(const Condition& condition) {
  const std::string_view field = condition.left.text;
  const bool checked = condition.kind == Condition::Kind::kCheck && condition.right &&
                       (field.starts_with("ka.") || field.starts_with("jevt."));
  return (checked && IsNotAvailable(*condition.right)) ||
         std::ranges::any_of(condition.children, ComparesWithNotAvailable);
}

class Compiler {
 public:
  Compiler(const Collector& collector, const FieldCatalog& catalog, const LoadOptions& options,
           const std::function<void(LoadProblem)>& report, Descriptions* descriptions = nullptr)
      : collector_(collector),
        catalog_(catalog),
        options_(options),
        report_(report),
        descriptions_(descriptions),
        lists_(collector.lists()) {}

  std::vector<Rule> Run() {
    CompileMacros();
    std::vector<Rule> rules;
    for (const RuleDefinition& definition : collector_.rules()) {
      if (definition.unknown_source) continue;
      if (std::optional<Rule> rule = CompileRule(definition)) rules.push_back(std::move(*rule));
    }
    WarnUnused();
    if (descriptions_ != nullptr) DescribeNames();
    return rules;
  }

 private:
  void CompileMacros() {
    for (const MacroDefinition& macro : collector_.macros()) {
      macros_.Add(macro, ParseExpanded(macro.condition, macro.condition_context));
    }
    for (const MacroDefinition& macro : collector_.macros()) {
      const Condition* tree = macros_.Find(macro.name);
      if (tree == nullptr) continue;
      Condition resolved = *tree;
      const bool ok =
          ResolveMacros(resolved, macro.order.visibility, macro.context, macro.condition);
      macros_.Update(macro.name, ok ? std::optional(std::move(resolved)) : std::nullopt);
    }
  }

  // Expands lists and parses; nullopt after reporting an error. As in Falco, only a syntax error
  // shows the expanded text; later ones show `source`, with places that count in the expanded text.
  std::optional<Condition> ParseExpanded(const SourceText& source, const LoadContext& context) {
    if (lists_.Exhausted() || macros_.Exhausted()) return std::nullopt;  // reported once
    auto expanded = lists_.Expand(source);
    if (!expanded) {
      report_(ExpressionProblem(LoadCode::kErrCompileCondition, expanded.error(), context, source,
                                {}, source.OriginAt(0)));
      return std::nullopt;
    }
    const SourceText& text = *expanded;
    auto parsed = ParseCondition(text);
    if (parsed) return std::move(*parsed);
    const SyntaxError& error = parsed.error();
    LoadProblem problem =
        ExpressionProblem(LoadCode::kErrCompileCondition, error.message, context, text,
                          error.position, text.OriginAt(error.position.offset));
    problem.suggestion = SuggestOperator(text.text(), error.position.offset, error.message);
    report_(std::move(problem));
    return std::nullopt;
  }

  // Other languages' operators, in capitals or as signs, and a blank in a value.
  static std::string SuggestWord(std::string_view rest, std::string_view message) {
    static constexpr std::pair<std::string_view, std::string_view> kMeant[] = {
        {"&&", "and"}, {"||", "or"}, {"!", "not"}, {"AND", "and"}, {"OR", "or"}, {"NOT", "not"}};
    for (const auto& [written, meant] : kMeant) {
      if (rest.starts_with(written)) {
        return "did you mean '" + std::string(meant) + "' instead of '" + std::string(written) +
               "'?";
      }
    }
    const bool follows_value =
        message.starts_with("unexpected token after") && !rest.empty() && rest[0] != ')';
    return follows_value ? "a value with a blank in it needs quotes" : std::string();
  }

  // For "proc.name startwith x": the operator that was probably meant.
  static std::string SuggestOperator(std::string_view text, size_t offset,
                                     std::string_view message) {
    std::string_view rest = text.substr(std::min(offset, text.size()));
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
    if (!message.starts_with("expected a valid check operator")) return SuggestWord(rest, message);
    const std::string_view word = rest.substr(0, rest.find_first_of(" \t\r\n()\"',="));
    std::vector<std::string_view> names;
    for (const OperatorDef& op : Operators()) {
      if (op.is_word) names.push_back(op.text);
    }
    const auto nearest = word.size() < 2 ? std::nullopt : NearestWord(word, names);
    return nearest ? "did you mean '" + std::string(*nearest) + "'?" : std::string();
  }

  bool ResolveMacros(Condition& tree, uint32_t visibility, const LoadContext& context,
                     const SourceText& text) {
    if (macros_.Exhausted()) return false;  // reported once
    auto outcome = macros_.Resolve(tree, visibility);
    if (outcome) return true;
    const MacroProblem& error = outcome.error();
    const bool follows = error.follows || collector_.IsBroken("macro", error.undefined);
    if (follows) return false;
    LoadProblem problem = ExpressionProblem(LoadCode::kErrValidate, error.message, context, text,
                                            error.position, error.origin);
    problem.suggestion = SuggestMacro(error.undefined);
    report_(std::move(problem));
    return false;
  }

  std::string SuggestMacro(std::string_view name) {
    // Each looks at every definition; after so many nobody reads them any more.
    constexpr size_t kSuggestionsMax = 100;
    if (name.empty() || ++suggestions_ > kSuggestionsMax) return {};
    std::vector<std::string_view> names;
    for (const MacroDefinition& macro : collector_.macros()) {
      if (macro.name == name) return "define it before it is used";
      names.push_back(macro.name);
    }
    for (const ListDefinition& list : collector_.lists()) names.push_back(list.name);
    const auto nearest = NearestWord(name, names);
    return nearest ? "did you mean '" + std::string(*nearest) + "'?" : std::string();
  }

  // With skip-if-unknown-filter an unknown name is only a warning. Gives nullopt for its caller.
  std::nullopt_t Reject(const RuleDefinition& definition, LoadProblem problem) {
    if (definition.skip_if_unknown_filter && IsUnknownFilter(problem.message)) {
      problem.code = LoadCode::kUnknownFilter;
    }
    report_(std::move(problem));
    return std::nullopt;
  }

  std::optional<Rule> CompileRule(const RuleDefinition& definition) {
    Rule rule = CopyProperties(definition);
    if (!CheckExceptionValues(definition)) return std::nullopt;
    const SourceText text = WithExceptions(definition, definition.condition.OriginAt(0));
    if (!CompileOutput(definition, rule)) {
      // Falco stops here. A person is told what the condition has, too.
      if (!definition.skip_if_unknown_filter) CheckCondition(definition, text);
      return std::nullopt;
    }
    std::optional<Condition> tree = ParseExpanded(text, definition.condition_context);
    if (!tree) return std::nullopt;
    NameExceptions(definition, *tree);
    constexpr uint32_t kSeesAll = std::numeric_limits<uint32_t>::max();
    if (!ResolveMacros(*tree, kSeesAll, definition.context, text)) return std::nullopt;
    WarnUnsafe(*tree, definition);
    WarnDeprecated(*tree, definition, text);
    rule.condition_compiled = PrintCondition(*tree);
    if (!BindRule(*tree, definition, text, rule)) return std::nullopt;
    if (descriptions_ != nullptr) {
      descriptions_->rules.emplace(
          rule.name, DescribeCondition(definition.condition.text(), *tree, collector_));
    }
    return rule;
  }

  // Of the errors of a condition, what can be told without the rest of the rule.
  void CheckCondition(const RuleDefinition& definition, const SourceText& text) {
    std::optional<Condition> tree = ParseExpanded(text, definition.condition_context);
    constexpr uint32_t kSeesAll = std::numeric_limits<uint32_t>::max();
    if (!tree || !ResolveMacros(*tree, kSeesAll, definition.context, text)) return;
    std::vector<BindProblem> warnings;
    if (const auto bound = BindCondition(*tree, catalog_, warnings); !bound) {
      report_(ConditionProblem(definition, text, bound.error(), LoadCode::kErrCompileCondition));
    }
  }

  static LoadProblem ConditionProblem(const RuleDefinition& definition, const SourceText& text,
                                      const BindProblem& bind, LoadCode code) {
    LoadProblem problem = ExpressionProblem(code, bind.message, definition.condition_context, text,
                                            bind.position, bind.origin);
    problem.suggestion = bind.suggestion;
    return problem;
  }

  // WithExceptions put them last, in order.
  static void NameExceptions(const RuleDefinition& definition, Condition& tree) {
    size_t part = tree.children.size();
    for (const ExceptionDefinition& exception : definition.exceptions | std::views::reverse) {
      if (exception.values.empty()) continue;
      if (tree.kind != Condition::Kind::kAnd || part == 0) return;
      tree.children[--part].from = "exception " + exception.name;
    }
  }

  // Appended values stand in another item than the fields that they belong to, so that the two meet
  // only here.
  bool CheckExceptionValues(const RuleDefinition& definition) {
    for (const ExceptionDefinition& exception : definition.exceptions) {
      const size_t fields = exception.fields.items.size();
      const bool is_list = exception.fields.is_list;
      const bool fit = std::ranges::all_of(exception.values, [&](const ExceptionEntry& value) {
        return is_list ? value.is_list && value.items.size() == fields : !value.is_list;
      });
      if (fit) continue;
      LoadProblem problem;
      problem.code = LoadCode::kErrValidate;
      problem.message = is_list ? "Fields and values lists must have equal length"
                                : "Expected values array to contain a list of strings";
      problem.context = exception.context;
      report_(std::move(problem));
      return false;
    }
    return true;
  }

  static Rule CopyProperties(const RuleDefinition& definition) {
    Rule rule;
    rule.name = definition.name;
    rule.desc = definition.desc;
    rule.condition_text = definition.condition.text();
    rule.source = definition.source;
    rule.priority = definition.priority;
    rule.tags = definition.tags;
    rule.enabled = definition.enabled;
    rule.capture = definition.capture;
    rule.capture_duration_ms = definition.capture_duration_ms;
    return rule;
  }

  bool BindRule(const Condition& tree, const RuleDefinition& definition, const SourceText& text,
                Rule& rule) {
    std::vector<BindProblem> warnings;
    auto bound = BindCondition(tree, catalog_, warnings);
    if (!bound) {
      Reject(definition,
             ConditionProblem(definition, text, bound.error(), LoadCode::kErrCompileCondition));
      return false;
    }
    for (const BindProblem& warning : warnings) {
      report_(ConditionProblem(definition, text, warning, LoadCode::kCompileCondition));
    }
    if (!CountRegexes(*bound, definition, text)) return false;
    rule.condition = std::move(*bound);
    const auto types = InferEventTypes(tree);
    if (!types) {
      Reject(definition,
             ExpressionProblem(LoadCode::kErrCompileCondition, types.error(),
                               definition.condition_context, text, tree.position, tree.origin));
      return false;
    }
    rule.event_types = *types;
    WarnManyTypes(definition, *types);
    if (const auto async = FindEventType("asyncevent")) rule.event_types.set(async->index);
    NoteFields(rule);
    if (!options_.keep_whole) rule.condition = FoldConstants(std::move(rule.condition));
    return true;
  }

  // What all patterns of the rule set take together is limited.
  bool CountRegexes(const BoundCondition& condition, const RuleDefinition& definition,
                    const SourceText& text) {
    constexpr size_t kInstructionsMax = 1'000'000;             // of RE2, 16 bytes each
    if (regex_instructions_ > kInstructionsMax) return false;  // reported once
    if (condition.check != nullptr) {
      for (const auto& regex : condition.check->regexes) {
        regex_instructions_ += static_cast<size_t>(regex->ProgramSize());
      }
      if (regex_instructions_ > kInstructionsMax) {
        report_(ExpressionProblem(
            LoadCode::kErrCompileCondition,
            "the regex patterns of all conditions together are too large: use shorter or fewer "
            "patterns, or fewer repetitions",
            definition.condition_context, text, condition.check->position,
            condition.check->origin));
        return false;
      }
    }
    return std::ranges::all_of(condition.children, [&](const BoundCondition& child) {
      return CountRegexes(child, definition, text);
    });
  }

  void WarnManyTypes(const RuleDefinition& definition, const EventTypeSet& types) {
    constexpr size_t kManyCodes = 100;
    if (!definition.warn_evttypes || FalcoCodeCount(types) <= kManyCodes) return;
    LoadProblem warning;
    warning.code = LoadCode::kNoEvttype;
    warning.message =
        "Rule matches too many evt.type values. This has a significant performance penalty.";
    warning.context = definition.context;
    report_(std::move(warning));
  }

  static void NoteFields(Rule& rule) {
    std::set<std::string> seen;
    ForEachField(rule.condition, [&](const BoundField& field) {
      const auto [name, is_new] = seen.insert(field.Name());
      if (field.def->availability == Availability::kNever) rule.never_fields.insert(*name);
      if (is_new) rule.fields.push_back(*name);
    });
  }

  void WarnUnsafe(const Condition& tree, const RuleDefinition& definition) {
    if (!ComparesWithNotAvailable(tree)) return;
    LoadProblem warning;
    warning.code = LoadCode::kUnsafeNaCheck;
    warning.context = definition.condition_context;
    warning.suggestion = "ask with `exists` whether there is a value";
    report_(std::move(warning));
  }

  void WarnDeprecated(const Condition& tree, const RuleDefinition& definition,
                      const SourceText& text) {
    std::set<std::string> names;
    CollectFieldNames(tree, names);
    for (const DeprecatedField& field : kDeprecatedFields) {
      if (!names.contains(std::string(field.name))) continue;
      LoadProblem warning = ExpressionProblem(
          LoadCode::kDeprecatedItem, std::string(field.message), definition.condition_context, text,
          TextPosition{0, 0, 0}, definition.condition.OriginAt(0));
      warning.deprecated_field = field.name;
      report_(std::move(warning));
    }
  }

  // In the order in which Falco's container plugin has them.
  std::vector<const FieldDef*> SuggestedFields() const {
    static constexpr std::string_view kOrder[] = {
        "container.id",        "container.name", "container.image.repository",
        "container.image.tag", "k8s.pod.name",   "k8s.ns.name"};
    std::vector<const FieldDef*> fields;
    for (const FieldDef& field : catalog_.rows()) {
      if ((field.flags & kSuggestedOutput) != 0) fields.push_back(&field);
    }
    std::ranges::stable_sort(fields, {}, [](const FieldDef* field) {
      return std::ranges::find(kOrder, field->name) - std::begin(kOrder);
    });
    return fields;
  }

  // What append_output adds to the rule, and %container.info taken away.
  std::string OutputText(const RuleDefinition& definition) {
    std::string text = definition.output.text();
    for (const AppendOutput* extra : ExtrasFor(definition)) {
      if (!extra->extra_output.empty()) text += " " + extra->extra_output;
      if (!extra->suggested_output) continue;
      for (const FieldDef* field : SuggestedFields()) {
        std::string label(field->name);
        std::ranges::replace(label, '.', '_');
        text += " " + label + "=%" + std::string(field->name);
      }
    }
    constexpr std::string_view kContainerInfo = "%container.info";
    bool had_info = false;
    for (size_t at = text.find(kContainerInfo); at != std::string::npos;
         at = text.find(kContainerInfo)) {
      text.erase(at, kContainerInfo.size());
      had_info = true;
    }
    if (had_info) {
      LoadProblem warning;
      warning.code = LoadCode::kDeprecatedItem;
      warning.message =
          "%container.info is deprecated and no more useful, and will be dropped by Falco 1.0.0. "
          "The container plugin will automatically add required fields to the output message.";
      warning.context = definition.context;
      report_(std::move(warning));
    }
    return text;
  }

  std::vector<const AppendOutput*> ExtrasFor(const RuleDefinition& definition) const {
    std::vector<const AppendOutput*> extras;
    for (const AppendOutput& extra : options_.append_output) {
      const bool fits = (extra.match_source.empty() || extra.match_source == definition.source) &&
                        (extra.match_rule.empty() || extra.match_rule == definition.name) &&
                        std::ranges::includes(definition.tags, extra.match_tags);
      if (fits) extras.push_back(&extra);
    }
    return extras;
  }

  bool CompileOutput(const RuleDefinition& definition, Rule& rule) {
    const auto reject = [&](std::string message) {
      LoadProblem problem;
      problem.code = LoadCode::kErrCompileOutput;
      problem.message = std::move(message);
      problem.context = definition.output_context;
      problem.suggestion = SuggestOutputField(definition.output, problem.origin);
      if (problem.suggestion.empty()) problem.suggestion = BlameAddition(definition);
      Reject(definition, std::move(problem));
      return false;
    };
    rule.output = OutputText(definition);
    if (rule.output.empty()) return reject("empty formatting token");
    auto format = OutputFormat::Parse(rule.output, catalog_);
    if (!format) return reject(std::move(format.error()));
    rule.format = std::move(*format);
    WarnDeprecatedOutput(definition, rule.output);
    for (const AppendOutput* extra : ExtrasFor(definition)) {
      for (const AppendOutput::Field& field : extra->extra_fields) {
        const bool raw = field.format.empty();
        auto extra_format = OutputFormat::Parse(raw ? "%" + field.key : field.format, catalog_);
        if (!extra_format) return reject(std::move(extra_format.error()));
        rule.extra_fields.push_back({field.key, std::move(*extra_format), raw});
      }
    }
    return true;
  }

  // Falco's message speaks of the rule also where the config has added what is wrong.
  std::string BlameAddition(const RuleDefinition& definition) const {
    constexpr std::string_view kWhere = " stands in append_output (or -p) of the config, not here";
    for (const AppendOutput* extra : ExtrasFor(definition)) {
      if (!OutputFormat::Parse(extra->extra_output, catalog_)) {
        return "'" + extra->extra_output + "'" + std::string(kWhere);
      }
      for (const AppendOutput::Field& field : extra->extra_fields) {
        const std::string format = field.format.empty() ? "%" + field.key : field.format;
        if (!OutputFormat::Parse(format, catalog_)) {
          return "'" + format + "'" + std::string(kWhere);
        }
      }
    }
    return {};
  }

  // The first token that is no field, and where it stands.
  std::string SuggestOutputField(const SourceText& output, Origin& origin) const {
    const std::string_view text = output.text();
    for (size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
      const std::string_view rest = text.substr(at);
      const std::string_view token = rest.substr(0, rest.find_first_of(" ,;|", 1));
      if (OutputFormat::Parse(token, catalog_)) continue;
      origin = output.OriginAt(at);
      std::string_view name = token.substr(1);
      name = name.substr(0, name.find_first_of("[()"));
      const auto nearest = name.empty() ? std::nullopt : catalog_.Nearest(name);
      return "'" + std::string(token) + "' is no field" +
             (nearest ? "; did you mean '%" + std::string(*nearest) + "'?" : "");
    }
    return {};
  }

  void WarnDeprecatedOutput(const RuleDefinition& definition, std::string_view output) {
    for (const DeprecatedField& field : kDeprecatedFields) {
      if (!output.contains(field.name)) continue;
      LoadProblem warning;
      warning.code = LoadCode::kDeprecatedItem;
      warning.message = field.message;
      warning.deprecated_field = field.name;
      warning.context = definition.output_context;
      report_(std::move(warning));
    }
  }

  void WarnUnused() {
    for (const MacroDefinition& macro : collector_.macros()) {
      if (!macros_.IsUsed(macro.name)) {
        WarnUnused(LoadCode::kUnusedMacro, "Macro", macro.context);
      }
    }
    for (const ListDefinition& list : collector_.lists()) {
      if (!lists_.IsUsed(list.name)) WarnUnused(LoadCode::kUnusedList, "List", list.context);
    }
  }

  void WarnUnused(LoadCode code, std::string_view kind, const LoadContext& context) {
    LoadProblem warning;
    warning.code = code;
    warning.message = std::string(kind) + " not referred to by any other rule/macro";
    warning.context = context;
    report_(std::move(warning));
  }

  void DescribeNames() {
    for (const MacroDefinition& macro : collector_.macros()) {
      MacroDescription& described = descriptions_->macros.emplace_back();
      described.definition = &macro;
      described.used = macros_.IsUsed(macro.name);
      if (const Condition* tree = macros_.Find(macro.name)) {
        described.condition = DescribeCondition(macro.condition.text(), *tree, collector_);
      }
    }
    for (const ListDefinition& list : collector_.lists()) {
      descriptions_->lists.push_back({&list, lists_.FlatItems(list), lists_.IsUsed(list.name)});
    }
  }

  const Collector& collector_;
  const FieldCatalog& catalog_;
  const LoadOptions& options_;
  const std::function<void(LoadProblem)>& report_;
  Descriptions* descriptions_;  // nullptr: not asked for
  ListExpander lists_;
  MacroResolver macros_;
  size_t regex_instructions_ = 0;
  size_t suggestions_ = 0;
};

}  // namespace

std::vector<Rule> CompileRules(const Collector& collector, const FieldCatalog& catalog,
                               const LoadOptions& options,
                               const std::function<void(LoadProblem)>& report) {
  return Compiler(collector, catalog, options, report).Run();
}

Descriptions DescribeDefinitions(const Collector& collector, const FieldCatalog& catalog,
                                 const LoadOptions& options) {
  Descriptions descriptions;
  const std::function<void(LoadProblem)> ignore = [](const LoadProblem&) {};
  Compiler(collector, catalog, options, ignore, &descriptions).Run();
  return descriptions;
}

}  // namespace gyrfalcon
