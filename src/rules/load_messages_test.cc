// Every message that loading rules can give, with a file of its own that gives it: code, words, the
// innermost place of Falco's context, and the line and column that a person is told.
#include <algorithm>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "rules/description.h"
#include "rules/rule_loader.h"
#include "rules/test_catalog.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

const FieldCatalog& Fields() {
  static TestCatalog catalog{
      {FieldType::kEventType, "evt.type"},
      {FieldType::kText, "evt.dir"},
      {FieldType::kInt, "evt.latency"},
      {FieldType::kUint, "evt.num"},
      {FieldType::kText, "proc.name"},
      {FieldType::kText, "proc.cmdline"},
      {FieldType::kText, "proc.pname"},
      {FieldType::kBool, "evt.is_open"},
      {FieldType::kPort, "fd.port"},
      {FieldType::kIp, "fd.sip"},
      {FieldType::kNet, "fd.snet"},
      {FieldType::kText, "ka.user.name"},
      {FieldType::kText, "fd.names", kIsList | kNoRhs},
  };
  return catalog.catalog();
}

// Begins at line 1; a rule is five lines and its condition stands in the third.
std::string RuleWith(std::string_view condition, std::string_view more = {}) {
  return "- rule: r\n  desc: d\n  condition: " + std::string(condition) +
         "\n  output: x\n  priority: INFO\n" + std::string(more);
}

std::string Typed(std::string_view more = {}) {
  return RuleWith("evt.type = open", more);
}

struct Message {
  std::string file;
  LoadCode code;
  std::string message;
  std::string item_type;  // of the innermost place
  std::string place;      // line:column, from 1
};

const std::string kSyntaxOperator =
    "expected a valid check operator: one of 'exists', '<=', '<', '>=', '>', '==', '=', '!=', "
    "'glob', 'iglob', 'contains', 'icontains', 'bcontains', 'startswith', 'bstartswith', "
    "'endswith', 'regex', 'intersects', 'in', 'pmatch'";

std::vector<Message> Structure() {
  using enum LoadCode;
  return {
      {"- rule: [\n", kErrYamlParse, "*end of sequence flow not found", "value for", "2:1"},
      {"hello\n", kErrYamlValidate, "Rules content is not yaml", "rules content", "1:1"},
      {"rule: r\n", kErrYamlValidate, "Rules content is not yaml array of objects", "rules content",
       "1:1"},
      {"- foo\n", kErrYamlValidate,
       "Unexpected element type. Each element should be a yaml associative array.",
       "rules content item", "1:3"},
      {"- rul: r\n", kUnknownItem, "Unknown top level item", "rules content item", "1:3"},
      {Typed("  colour: red\n"), kUnknownKey, "Unknown key 'colour'. The key will be ignored.",
       "rule", "1:3"},
      {"- list: l\n  item: [a]\n", kErrYamlValidate, "Item has no mapping for key 'items'", "list",
       "1:3"},
      {"- list:\n  items: [a]\n", kErrYamlValidate, "Mapping for key 'list' is empty", "list",
       "1:3"},
      {"- list: [a]\n  items: [a]\n", kErrYamlValidate, "Value is not a scalar value", "value for",
       "1:9"},
      {"- list: ''\n  items: [a]\n", kErrYamlValidate, "Value must be non-empty", "value for",
       "1:9"},
      {"- list: l\n  items: a\n", kErrYamlValidate, "Value is not a sequence", "value for", "2:10"},
      {"- list: l\n  items: [[a]]\n", kErrYamlValidate, "sequence value is not scalar", "list item",
       "2:11"},
      {Typed("  enabled: 2\n"), kErrYamlValidate, "Can't decode YAML scalar value", "value for",
       "6:12"},
      {Typed("  capture_duration: 5s\n"), kErrYamlValidate, "Can't decode YAML scalar value",
       "value for", "6:21"},
  };
}

std::vector<Message> ListsAndMacros() {
  using enum LoadCode;
  return {
      {"- list: l\n  items: [a]\n  append: true\n", kErrValidate,
       "List uses 'append' or 'override.items: append' but no list by that name already exists",
       "list", "1:3"},
      {"- macro: m\n  condition: evt.num = 1\n  override: {condition: append}\n", kErrValidate,
       "Macro uses 'append' or 'override.condition: append' but no macro by that name already "
       "exists",
       "macro", "1:3"},
      {"- list: a b\n  items: [x]\n", kInvalidListName,
       "List has an invalid name. List names should match a regular expression: "
       "([^()\"'[:space:]=,]+)",
       "list", "1:3"},
      {"- macro: a-b\n  condition: evt.num = 1\n", kInvalidMacroName,
       "Macro has an invalid name. Macro names should match a regular expression: "
       "([a-zA-Z]+[a-zA-Z0-9_]*)",
       "macro", "1:3"},
      {"- list: l\n  items: [a]\n- list: l\n  items: [b]\n  append: true\n", kDeprecatedItem,
       "'append' key is deprecated. Add an 'append' entry (e.g. 'condition: append') under "
       "'override' instead.",
       "list", "3:3"},
      {"- list: l\n  items: [a]\n", kUnusedList, "List not referred to by any other rule/macro",
       "list", "1:3"},
      {"- macro: m\n  condition: evt.num = 1\n", kUnusedMacro,
       "Macro not referred to by any other rule/macro", "macro", "1:3"},
      {RuleWith("evt.type = open and nosuch"), kErrValidate,
       "Undefined macro 'nosuch' used in filter.", "condition expression", "3:34"},
      {"- macro: m\n  condition: m\n", kErrValidate, "Undefined macro 'm' used in filter.",
       "condition expression", "2:14"},
  };
}

std::vector<Message> Definitions() {
  using enum LoadCode;
  return {
      {"- rule: r\n  desc: d\n  output: x\n  priority: INFO\n", kErrYamlValidate,
       "Item has no mapping for key 'condition'", "rule", "1:3"},
      {"- rule: r\n  desc: d\n  condition: evt.type = open\n  output: x\n  priority: warn\n",
       kErrYamlValidate, "Invalid priority", "rule priority", "5:13"},
      {Typed("  source: k8s_audit\n"), kUnknownSource, "Unknown source k8s_audit, skipping", "rule",
       "1:3"},
      {Typed(Typed("  source: other\n")), kErrValidate,
       "Rule has been re-defined with a different source", "rule", "6:3"},
      {"- rule: r\n", kErrYamlValidate, "Item has no mapping for key 'enabled'", "rule", "1:3"},
      {"- rule: r\n  enabled: false\n", kErrValidate,
       "Rule has 'enabled' key but no rule by that name already exists", "rule", "1:3"},
      {Typed("- rule: r\n  enabled: false\n"), kDeprecatedItem,
       "The standalone 'enabled' key usage is deprecated. The correct approach requires also a "
       "'replace' entry under the 'override' key (i.e. 'enabled: replace').",
       "rule", "6:3"},
      {Typed("- rule: r\n  append: true\n"), kErrValidate,
       "Appended rule must have exceptions or condition property", "rule", "6:3"},
      {"- rule: r\n  condition: or evt.num = 1\n  append: true\n", kErrValidate,
       "Rule uses 'append' or 'override.<key>: append' but no rule by that name already exists",
       "rule", "1:3"},
      {"- required_engine_version: foo\n", kErrYamlValidate,
       "Unable to parse engine version 'foo' as a semver string. Expected \"x.y.z\" semver format.",
       "required_engine_version", "1:3"},
      {"- required_engine_version: 0.99.0\n", kErrValidate,
       "Rules require engine version 0.99.0, but engine version is 0.63.0",
       "required_engine_version", "1:3"},
      {"- required_plugin_versions: x\n", kErrYamlValidate,
       "Value of required_plugin_versions must be a sequence", "required plugin versions", "1:29"},
      {"- required_plugin_versions: [{version: 0.1.0}]\n", kErrYamlValidate,
       "Item has no mapping for key 'name'", "required plugin versions entry", "1:30"},
      {"- required_plugin_versions: [{name: json}]\n", kErrYamlValidate,
       "Item has no mapping for key 'version'", "required plugin versions entry", "1:30"},
      {"- required_plugin_versions: [{name: json, version: new}]\n", kErrValidate,
       "Invalid required version 'new' for plugin 'json'", "required plugin versions entry",
       "1:30"},
      {"- required_plugin_versions: [{name: json, version: 0.1.0, alternatives: 1}]\n",
       kErrYamlValidate, "Value of plugin version alternatives must be a sequence",
       "required plugin versions entry", "1:30"},
      {"- required_plugin_versions: [{name: json, version: 0.1.0, alternatives: [{name: json, "
       "version: 0.2.0}]}]\n",
       kErrValidate, "Defined multiple alternative version requirements for plugin 'json'",
       "required plugin versions entry", "1:30"},
  };
}

std::vector<Message> Overrides() {
  using enum LoadCode;
  const auto change = [](std::string_view keys) {
    return Typed("- rule: r\n" + std::string(keys));
  };
  return {
      {change("  priority: INFO\n  override: {priority: append}\n"), kErrYamlValidate,
       "Key 'priority' cannot be appended to, use 'replace' instead", "overrides", "8:14"},
      {change("  source: x\n  override: {source: replace}\n"), kErrYamlValidate,
       "Key 'source' cannot be replaced", "overrides", "8:14"},
      {change("  condition: or evt.num = 1\n  override: {condition: add}\n"), kErrYamlValidate,
       "Invalid override operation for key 'condition': 'add'. Allowed values are: append replace ",
       "overrides", "8:14"},
      {change("  desc: e\n  override: {condition: append, desc: append}\n"), kErrYamlValidate,
       "An append override for 'condition' was specified but 'condition' is not defined", "rule",
       "6:3"},
      {change("  desc: e\n  override: {condition: replace, desc: append}\n"), kErrYamlValidate,
       "An replace override for 'condition' was specified but 'condition' is not defined", "rule",
       "6:3"},
      {change("  desc: e\n  condition: evt.num = 1\n  override: {desc: append}\n"),
       kErrYamlValidate,
       "Unexpected key 'condition': no corresponding entry under 'override' is defined.", "", ""},
      {change("  condition: or evt.num = 1\n  append: true\n  override: {condition: append}\n"),
       kErrYamlValidate,
       "Keys 'override' and 'append: true' cannot be used together. Add an 'append' entry (e.g. "
       "'condition: append') under 'override' instead.",
       "rule", "6:3"},
      {"- rule: r\n  condition: evt.num = 1\n  override: {condition: replace}\n", kErrValidate,
       "An 'override.<key>: replace' to a rule was requested but no rule by that name already "
       "exists",
       "rule", "1:3"},
  };
}

std::vector<Message> Exceptions() {
  using enum LoadCode;
  const auto with = [](std::string_view exceptions) {
    return Typed("  exceptions: " + std::string(exceptions) + "\n");
  };
  const auto append = [](std::string_view exceptions) {
    return Typed(
        "  exceptions: [{name: e, fields: proc.name, values: [a]}]\n"
        "- rule: r\n  exceptions: " +
        std::string(exceptions) + "\n  override: {exceptions: append}\n");
  };
  return {
      {with("x"), kErrYamlValidate, "Rule exceptions must be a sequence", "exceptions", "6:15"},
      {with("[x]"), kErrYamlValidate, "Rule exception must be a mapping", "exception", "6:16"},
      {with("[{fields: proc.name}]"), kErrYamlValidate, "Item has no mapping for key 'name'",
       "exception", "6:16"},
      {with("[{name: e}]"), kErrYamlValidate, "Item has no mapping for key 'fields'", "exception",
       "6:16"},
      {with("[{name: e, fields: proc.name, values: a}]"), kErrYamlValidate,
       "Rule exception values must be a sequence", "exception values", "6:53"},
      {with("[{name: e, fields: [proc.name], comps: [=, in], values: [[a]]}]"), kErrValidate,
       "Fields and comps lists must have equal length", "exception", "6:16"},
      {with("[{name: e, fields: [proc.name], values: [[a, b]]}]"), kErrValidate,
       "Fields and values lists must have equal length", "exception", "6:16"},
      {with("[{name: e, fields: proc.name, values: [[a]]}]"), kErrValidate,
       "Expected values array to contain a list of strings", "exception", "6:16"},
      {with("[{name: e, fields: proc.name, comps: [in], values: [a]}]"), kErrValidate,
       "Fields and comps must both be strings", "exception", "6:16"},
      {with("[{name: e, fields: [proc.name], comps: [near], values: [[a]]}]"), kErrValidate,
       "'near' is not a supported comparison operator", "exception", "6:16"},
      {with("[{name: e, fields: [proc.nmae], values: [[a]]}]"), kErrValidate,
       "'proc.nmae' is not a supported filter field", "exception", "6:16"},
      {with("[{name: e, fields: proc.name, comps: startswith, values: [a]}]"), kErrValidate,
       "When fields is a single value, comps must be one of (in, pmatch, intersects) or a modifier "
       "operator (e.g. startswith oneof)",
       "exception", "6:16"},
      {append("[{name: f, values: [a]}]"), kErrValidate,
       "Rule exception must have fields property with a list of fields", "exception", "8:16"},
      {append("[{name: f, fields: proc.name}]"), kErrValidate,
       "Rule exception must have values property with a list of values", "exception", "8:16"},
      {append("[{name: e, fields: proc.name, values: [b]}]"), kErrValidate,
       "Can not append exception fields to existing exception, only values", "exception", "8:16"},
      {append("[{name: e, comps: in, values: [b]}]"), kErrValidate,
       "Can not append exception comps to existing exception, only values", "exception", "8:16"},
      {append("[{name: e, values: [[b]]}]"), kErrValidate,
       "Expected values array to contain a list of strings", "exception", "6:16"},
      {Typed("  exceptions: [{name: e, fields: [proc.name], values: [[a]]}]\n"
             "- rule: r\n  append: true\n  exceptions: [{name: e, values: [[b, c]]}]\n"),
       kErrValidate, "Fields and values lists must have equal length", "exception", "6:16"},
      {append("[{name: e}]"), kAppendNoValues, "Overriding/appending exception with no values",
       "exception", "8:16"},
      {with("[{name: e, fields: proc.name, values: [a]}, {name: e, fields: proc.name, values: "
            "[b]}]"),
       kExceptionNameNotUnique, "Multiple definitions of exception 'e' in the same rule",
       "exception", "6:59"},
  };
}

std::vector<Message> Conditions() {
  using enum LoadCode;
  const std::string kDir =
      "due to the drop of enter events, 'evt.dir = <' always evaluates to true, and 'evt.dir = >' "
      "always evaluates to false. The rule expression can be simplified by removing the condition "
      "on 'evt.dir'";
  return {
      {RuleWith("evt.type = open and"), kErrCompileCondition, "expected blank or '(' after 'and'",
       "condition expression", ""},
      {RuleWith("evt.type startwith x"), kErrCompileCondition, kSyntaxOperator,
       "condition expression", "3:23"},
      {RuleWith("proc.nmae = x"), kErrCompileCondition,
       "filter_check called with nonexistent field proc.nmae", "condition expression", "3:14"},
      {RuleWith("evt.type = opne"), kErrCompileCondition, "unknown event type opne",
       "condition expression", ""},
      {RuleWith("evt.num contains 1"), kErrCompileCondition,
       "filter error: 'contains' operator not supported for numeric filters",
       "condition expression", ""},
      {RuleWith("evt.num = abc"), kErrCompileCondition, "abc is not a valid number",
       "condition expression", ""},
      {RuleWith("evt.is_open = yes"), kErrCompileCondition,
       "filter error: unrecognized boolean value yes", "condition expression", ""},
      {RuleWith("proc.name regex '('"), kErrCompileCondition, "*invalid regex pattern",
       "condition expression", ""},
      {RuleWith("proc.name = val(fd.names)"), kErrCompileCondition,
       "*can't be used as a right-hand side field", "condition expression", ""},
      {RuleWith("fd.snet = 10.0.0.0/99"), kErrCompileCondition, "*invalid netmask",
       "condition expression", ""},
      {RuleWith("fd.sip = 300.1.1.1"), kErrCompileCondition, "*unrecognized IP",
       "condition expression", ""},
      {RuleWith("fd.port = nosuchservice"), kErrCompileCondition, "*unrecognized protocol",
       "condition expression", ""},
      {RuleWith("evt.type = open and proc.name = proc.pname"), kCompileCondition,
       "*may be a valid field misused as a const string value", "condition expression", "3:34"},
      {RuleWith("evt.type = open and proc.name = 'tolower(proc.pname)'"), kCompileCondition,
       "*may be a valid field transformer misused as a const string value", "condition expression",
       "3:34"},
      {RuleWith("evt.type = open and proc.name regex 'foo.*'"), kCompileCondition,
       "*may be optimized with simpler operators", "condition expression", "3:34"},
      {RuleWith("proc.name = x"), kNoEvttype,
       "Rule matches too many evt.type values. This has a significant performance penalty.", "rule",
       "1:3"},
      {RuleWith("evt.type = open and evt.dir = <"), kDeprecatedItem, kDir, "condition expression",
       ""},
      {RuleWith("proc.nmae = x", "  skip-if-unknown-filter: true\n"), kUnknownFilter,
       "filter_check called with nonexistent field proc.nmae", "condition expression", "3:14"},
      {RuleWith("evt.type = open and ka.user.name != <NA>"), kUnsafeNaCheck, "", "rule condition",
       "3:14"},
  };
}

std::vector<Message> Outputs() {
  using enum LoadCode;
  const auto with = [](std::string_view output, std::string_view more = {}) {
    return "- rule: r\n  desc: d\n  condition: evt.type = open\n  output: \"" +
           std::string(output) + "\"\n  priority: INFO\n" + std::string(more);
  };
  return {
      {with("a %proc.nmae b"), kErrCompileOutput, "unknown filter: unexpected token after '",
       "rule output", "4:14"},
      {with("100%"), kErrCompileOutput, "invalid formatting syntax: formatting cannot end with a %",
       "rule output", ""},
      {with("a %10"), kErrCompileOutput,
       "invalid formatting syntax: formatting cannot end with a number", "rule output", ""},
      {with(" "), kErrCompileOutput, "empty formatting token", "rule output", ""},
      {with("%proc.nmae", "  skip-if-unknown-filter: true\n"), kUnknownFilter,
       "unknown filter: unexpected token after '", "rule output", "4:12"},
      {with("%evt.latency"), kDeprecatedItem,
       "field is not available due to the drop of enter events.", "rule output", "4:11"},
      {with("x %container.info"), kDeprecatedItem,
       "%container.info is deprecated and no more useful, and will be dropped by Falco 1.0.0. The "
       "container plugin will automatically add required fields to the output message.",
       "rule", "1:3"},
  };
}

// "line:column" of the first diagnostic.
std::string PlaceTold(const RuleLoader& loader, const std::string& message) {
  const std::string all = Diagnostics(loader.results(), loader.files(), true);
  size_t begin = 0;
  while (begin < all.size()) {
    const size_t end = std::min(all.find('\n', begin), all.size());
    const std::string line = all.substr(begin, end - begin);
    begin = end + 1;
    if (!line.starts_with("t.yaml:") || !line.contains(message)) continue;
    const size_t at = std::string_view("t.yaml:").size();
    return line.substr(at, line.find(": ", at) - at);
  }
  return "none";
}

std::set<LoadCode>& SeenCodes() {
  static std::set<LoadCode> codes;
  return codes;
}

void Check(const std::vector<Message>& table) {
  for (const Message& expected : table) {
    RuleLoader loader(Fields());
    loader.AddFile("t.yaml", expected.file);
    const LoadResult& result = loader.results().front();
    const auto& problems = IsError(expected.code) ? result.errors : result.warnings;
    const bool anywhere = expected.message.starts_with('*');
    const std::string words = expected.message.substr(anywhere ? 1 : 0);
    const auto problem = std::ranges::find_if(problems, [&](const LoadProblem& candidate) {
      return candidate.code == expected.code &&
             (anywhere ? candidate.message.contains(words) : candidate.message == words);
    });
    if (problem == problems.end()) {
      ADD_FAILURE() << expected.file << "\nexpected: " << expected.message << "\ngot:\n"
                    << Diagnostics(loader.results(), loader.files(), true);
      continue;
    }
    SeenCodes().insert(expected.code);
    EXPECT_EQ(problem->context.front().item_type, "rules content") << expected.file;
    if (!expected.item_type.empty()) {
      EXPECT_EQ(problem->context.back().item_type, expected.item_type) << expected.file;
    }
    // Of an unknown field Falco's message is cut off; a person is not shown the stump.
    const std::string told =
        problem->message.substr(0, problem->message.find(": unexpected token after '"));
    const std::string place = PlaceTold(loader, told);
    EXPECT_NE(place, "none") << expected.file;
    if (!expected.place.empty()) {
      EXPECT_EQ(place, expected.place) << expected.file;
    }
  }
}

TEST(LoadMessages, OfTheStructureOfAFile) {
  Check(Structure());
}
TEST(LoadMessages, OfListsAndMacros) {
  Check(ListsAndMacros());
}
TEST(LoadMessages, OfDefinitions) {
  Check(Definitions());
}
TEST(LoadMessages, OfOverrides) {
  Check(Overrides());
}
TEST(LoadMessages, OfExceptions) {
  Check(Exceptions());
}
TEST(LoadMessages, OfConditions) {
  Check(Conditions());
}
TEST(LoadMessages, OfOutputs) {
  Check(Outputs());
}

TEST(LoadMessages, EveryCodeIsGivenBySomeFile) {
  SeenCodes().clear();
  for (const auto& table : {Structure(), ListsAndMacros(), Definitions(), Overrides(), Exceptions(),
                            Conditions(), Outputs()}) {
    Check(table);
  }
  for (size_t i = 0; i <= static_cast<size_t>(LoadCode::kUnknownKey); ++i) {
    const auto code = static_cast<LoadCode>(i);
    // A file that can't be read never gets as far as the loader; there are no extensions.
    const bool cannot = code == LoadCode::kErrFileRead || code == LoadCode::kErrExtension ||
                        code == LoadCode::kWarningExtension;
    EXPECT_EQ(SeenCodes().contains(code), !cannot) << Describe(code).name;
  }
}

// As Falco's: a syntax error shows the text that is parsed, a later one what was written.
TEST(LoadMessages, ShowAConditionWithListsAsFalcoDoes) {
  const auto snippet = [](std::string_view items, std::string_view condition) {
    RuleLoader loader(Fields());
    loader.AddFile("t.yaml", "- list: l\n  items: [" + std::string(items) + "]\n" +
                                 RuleWith(std::string(condition)));
    return loader.results().front().errors.at(0).snippet;
  };
  EXPECT_EQ(snippet("a", "proc.name in (l) and foo bar"),
            "proc.name in ( a ) and foo bar\n" + std::string(29, ' ') + "^\n");
  EXPECT_EQ(snippet("", "proc.name in (a, l) and foo bar"),
            "proc.name in (a  ) and foo bar\n" + std::string(29, ' ') + "^\n");
  EXPECT_EQ(snippet("a", "proc.name in (l) and proc.nmae = x"),
            "proc.name in (l) and proc.nmae = x\n" + std::string(33, ' ') + "^\n");
}

TEST(LoadMessages, TellWhatBothOutputAndConditionHave) {
  RuleLoader loader(Fields());
  loader.AddFile("t.yaml",
                 "- rule: r\n  desc: d\n  condition: evt.type = open AND fd.num = 1\n"
                 "  output: \"%proc.nmae\"\n  priority: INFO\n");
  const auto& errors = loader.results().front().errors;
  ASSERT_EQ(errors.size(), 2u);
  EXPECT_EQ(errors[0].code, LoadCode::kErrCompileOutput);
  EXPECT_EQ(errors[1].code, LoadCode::kErrCompileCondition);
  EXPECT_TRUE(errors[1].beyond_first_error) << "Falco's verdict has the first alone";
}

TEST(LoadMessages, SuggestWhatWasProbablyMeant) {
  const std::pair<std::string, std::string> kCases[] = {
      {"- rul: r\n", "did you mean 'rule' for 'rul'?"},
      {"- colour: r\n", "an item begins with rule, macro or list"},
      {Typed("  tag: [a]\n"), "did you mean 'tags'?"},
      {RuleWith("proc.nmae = x"), "did you mean 'proc.name'?"},
      {RuleWith("proc.name startwith x"), "did you mean 'startswith'?"},
      {RuleWith("evt.type = execv"), "did you mean 'execve'?"},
      {"- macro: opened\n  condition: evt.type = open\n" + RuleWith("openned"),
       "did you mean 'opened'?"},
      {"- rule: r\n  desc: d\n  condition: evt.type = open\n  output: x\n  priority: WARNNG\n",
       "did you mean 'Warning'?"},
      {"- rule: r\n  desc: d\n  condition: evt.type = open\n  output: \"%proc.nmae\"\n  priority: "
       "INFO\n",
       "error: unknown filter in rule \"r\"; '%proc.nmae' is no field; did you mean '%proc.name'?"},
      {"- rule: r\n  desc: d\n  condition: evt.type = open\n  output: x\n  priority: HIGH\n",
       "Priorities: Emergency, Alert, Critical, Error, Warning, Notice, Informational, Debug"},
      {RuleWith("evt.type = open && fd.num = 1"), "did you mean 'and' instead of '&&'?"},
      {RuleWith("evt.type = open || fd.num = 1"), "did you mean 'or' instead of '||'?"},
      {RuleWith("evt.type = open AND fd.num = 1"), "did you mean 'and' instead of 'AND'?"},
      {RuleWith("evt.type = open and !(fd.num = 1)"), "did you mean 'not' instead of '!'?"},
      {RuleWith("fd.name = /etc/my file"), "a value with a blank in it needs quotes"},
      {Typed("  exceptions: [{name: e, fields: proc.nmae, values: [a]}]\n"),
       "did you mean 'proc.name'?"},
      {Typed("  exceptions: [{name: e, fields: [proc.name], comps: [startwith], values: [[a]]}]\n"),
       "did you mean 'startswith'?"},
      {Typed("- rule: r\n  condition: or evt.num = 1\n  override: {condtion: append}\n"),
       "did you mean 'condition'?"},
      {"- required_engine_version: 0.99.0\n", "newer"},
      {"- rule: r\n  condition: or evt.num = 1\n  append: true\n", "before"},
  };
  for (const auto& [file, suggestion] : kCases) {
    RuleLoader loader(Fields());
    loader.AddFile("t.yaml", file);
    const std::string told = Diagnostics(loader.results(), loader.files(), true);
    EXPECT_TRUE(told.contains(suggestion)) << file << "\n" << told;
  }
}

TEST(RulesSchema, IsHeldAgainstEveryDocumentAndStopsNothing) {
  const auto outcomes = [](std::string_view text) {
    RuleLoader loader(Fields());
    loader.AddFile("t.yaml", text);
    return loader.results().front().schema_outcomes;
  };
  using Outcomes = std::vector<std::string>;
  EXPECT_EQ(outcomes(""), Outcomes{});
  EXPECT_EQ(outcomes(Typed()), Outcomes{"ok"});
  EXPECT_EQ(outcomes("- list: l\n  items: [1, b]\n---\n" + Typed()), (Outcomes{"ok", "ok"}));
  const std::string in_item = "failed for <root>: Failed to validate item #0 in array.";
  EXPECT_EQ(outcomes("- list: l\n  items: a\n"),
            (Outcomes{"failed for <root>[0][items]: Value type not permitted by 'type' constraint.",
                      "failed for <root>[0]: Failed to validate against schema associated with "
                      "property name 'items'.",
                      in_item}));
  EXPECT_EQ(outcomes(Typed("  override: {}\n")),
            (Outcomes{"failed for <root>[0][override]: Object should have no fewer than 1 "
                      "properties.",
                      "failed for <root>[0]: Failed to validate against schema associated with "
                      "property name 'override'.",
                      in_item}));
  EXPECT_EQ(outcomes("- macro: m\n  condition: evt.num = 1\n  colour: red\n"),
            (Outcomes{"failed for <root>[0]: Object contains a property that could not be "
                      "validated using 'properties' or 'additionalProperties' constraints: "
                      "'colour'.",
                      in_item}));
}

TEST(Descriptions, HaveWhatWasWrittenAndWhatBecameOfIt) {
  RuleLoader loader(Fields());
  loader.AddFile("t.yaml",
                 "- required_engine_version: 0.26.0\n"
                 "- required_plugin_versions: [{name: json, version: 0.1.0, alternatives: [{name: "
                 "container, version: 0.2.0}]}]\n"
                 "- list: inner\n  items: [a]\n- list: outer\n  items: [inner, b]\n"
                 "- macro: opened\n  condition: evt.type = open\n" +
                     RuleWith("opened and proc.name in (outer)",
                              "  exceptions: [{name: e, fields: proc.cmdline, comps: startswith "
                              "anyof, values: [x]}]\n"));
  const auto rules = loader.Compile();
  ASSERT_NE(rules, nullptr);
  const auto json = nlohmann::json::parse(DescribeJson(loader, *rules));
  using Texts = std::vector<std::string>;
  EXPECT_EQ(json.at("required_engine_version"), "0.26.0");
  const auto& plugin = json.at("required_plugin_versions").at(0);
  EXPECT_EQ(plugin.at("name"), "json");
  EXPECT_EQ(plugin.at("alternatives").at(0).at("version"), "0.2.0");
  const auto& outer = json.at("lists").at(1);
  EXPECT_EQ(outer.at("info").at("items"), Texts{"b"});
  EXPECT_EQ(outer.at("details").at("lists"), Texts{"inner"});
  EXPECT_EQ(outer.at("details").at("items_compiled"), (Texts{"a", "b"}));
  EXPECT_EQ(outer.at("details").at("used"), true);
  const auto& macro = json.at("macros").at(0).at("details");
  EXPECT_EQ(macro.at("events"), (Texts{"asyncevent", "open"}));
  EXPECT_EQ(macro.at("used"), true);
  const auto& rule = json.at("rules").at(0).at("details");
  EXPECT_EQ(rule.at("macros"), Texts{"opened"});
  EXPECT_EQ(rule.at("lists"), Texts{"outer"});
  EXPECT_EQ(rule.at("condition_fields"), (Texts{"evt.type", "proc.cmdline", "proc.name"}));
  EXPECT_EQ(rule.at("condition_operators"), (Texts{"=", "in", "startswith anyof"}));
  EXPECT_EQ(rule.at("exception_names"), Texts{"e"});
  EXPECT_EQ(rule.at("exception_operators"), Texts{"startswith anyof"});
  EXPECT_EQ(DescribeJson(loader, *rules, "nothing"), "");
  EXPECT_FALSE(nlohmann::json::parse(DescribeJson(loader, *rules, "r")).contains("macros"));
}

TEST(Outputs, ShowTheFieldsThatFunctionsRead) {
  const auto format = OutputFormat::Parse("*%toupper(proc.name) %5proc.name %proc.names", Fields());
  ASSERT_TRUE(format) << format.error();
  std::vector<std::string> names;
  for (const auto& field : format->fields()) names.push_back(field.name);
  EXPECT_EQ(names, std::vector<std::string>{"proc.name"});
  TestValues::Current().Clear();
  TestValues::Current().SetText("proc.name", "container-shim");
  Scratch scratch;
  std::string out;
  format->Render(Happening{}, scratch, out);
  EXPECT_EQ(out, "CONTAINER-SHIM conta container-shims");
}

TEST(PluginRequirements, AreToldWhenUnmetAndStopNothing) {
  const auto told = [](std::string_view text) {
    RuleLoader loader(Fields());
    loader.AddFile("t.yaml", text);
    EXPECT_TRUE(loader.successful());
    return loader.UnmetPlugins();
  };
  EXPECT_TRUE(told("- required_plugin_versions: [{name: container, version: 0.4.0}]\n").empty());
  EXPECT_TRUE(told("- required_plugin_versions: [{name: json, version: 0.7.0, alternatives: "
                   "[{name: container, version: 0.6.0}]}]\n")
                  .empty());
  const auto json = told("- required_plugin_versions: [{name: json, version: 0.7.0}]\n");
  ASSERT_EQ(json.size(), 1u);
  EXPECT_TRUE(json[0].starts_with("t.yaml:1:30: requires the plugin json (>= 0.7.0); ")) << json[0];
  const auto newer = told("- required_plugin_versions: [{name: container, version: 0.99.0}]\n");
  ASSERT_EQ(newer.size(), 1u);
  EXPECT_TRUE(newer[0].contains("container (>= 0.99.0); what is built in of it is that of 0.6.0"))
      << newer[0];
}

}  // namespace
}  // namespace gyrfalcon
