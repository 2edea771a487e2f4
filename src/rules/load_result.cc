#include "rules/load_result.h"

#include <algorithm>
#include <array>
#include <span>

namespace gyrfalcon {
namespace {

constexpr std::string_view kNoEvttypeHelp =
    "A rule condition matches too many evt.type values. This has a significant performance "
    "penalty. "
    "Make the condition more specific by adding an evt.type field or further restricting the "
    "number "
    "of evt.type values in the condition.";
constexpr std::string_view kUnknownSourceHelp =
    "A rule has a unknown event source. This can occur when reading rules content without having a "
    "corresponding plugin loaded, etc. The rule will be silently ignored.";
constexpr std::string_view kUnknownFilterHelp =
    "A rule condition or output refers to a field or evt.type that does not exist. This is "
    "normally "
    "an error, but if a rule has a skip-if-unknown-filter property, the error is downgraded to a "
    "warning.";
constexpr std::string_view kUnsafeNaHelp =
    "Comparing a field value with <NA> is unsafe and can lead to unpredictable behavior of the "
    "rule condition. If you need to check for the existence of a field, consider using the "
    "'exists' "
    "operator instead.";
constexpr std::string_view kUnknownKeyHelp =
    "An item in the rules content contains an unrecognized key. The key will be ignored. This may "
    "indicate a typo or a property placed on the wrong item type.";
constexpr std::string_view kUnusedMacroHelp =
    "A macro is defined in the rules content but is not used by any other macro or rule.";
constexpr std::string_view kUnusedListHelp =
    "A list is defined in the rules content but is not used by any other list, macro, or rule.";

// The texts are Falco's: its tests compare them.
constexpr std::array<LoadCodeDef, 22> kCodes = {{
    {"LOAD_ERR_FILE_READ", "File read error", "File read error"},
    {"LOAD_ERR_YAML_PARSE", "YAML parse error", "YAML parse error"},
    {"LOAD_ERR_YAML_VALIDATE", "Error validating internal structure of YAML file",
     "Error validating internal structure of YAML file"},
    {"LOAD_ERR_COMPILE_CONDITION", "Error compiling condition", "Error compiling condition"},
    {"LOAD_ERR_COMPILE_OUTPUT", "Error compiling output", "Error compiling output"},
    {"LOAD_ERR_VALIDATE", "Error validating rule/macro/list/exception objects",
     "Error validating rule/macro/list/exception objects"},
    {"LOAD_ERR_EXTENSION", "Error in extension item", "Error in extension item"},
    {"LOAD_UNKNOWN_SOURCE", "Unknown event source", kUnknownSourceHelp},
    {"LOAD_UNSAFE_NA_CHECK", "Unsafe <NA> comparison in condition", kUnsafeNaHelp},
    {"LOAD_NO_EVTTYPE", "Condition has no event-type restriction", kNoEvttypeHelp},
    {"LOAD_UNKNOWN_FILTER", "Unknown field or event-type in condition or output",
     kUnknownFilterHelp},
    {"LOAD_UNUSED_MACRO", "Unused macro", kUnusedMacroHelp},
    {"LOAD_UNUSED_LIST", "Unused list", kUnusedListHelp},
    {"LOAD_UNKNOWN_ITEM", "Unknown rules file item",
     "An unknown top-level object is in the rules content. It will be ignored."},
    {"LOAD_DEPRECATED_ITEM", "Used deprecated item",
     "A deprecated item is employed by lists, macros, or rules."},
    {"LOAD_WARNING_EXTENSION", "Warning in extension item", "An extension item has a warning"},
    {"LOAD_APPEND_NO_VALUES", "Overriding/appending with no values",
     "A rule exception is overriding/appending with no values"},
    {"LOAD_EXCEPTION_NAME_NOT_UNIQUE", "Multiple exceptions defined with the same name",
     "A rule is defining multiple exceptions with the same name"},
    {"LOAD_INVALID_MACRO_NAME", "Invalid macro name", "A macro is defined with an invalid name"},
    {"LOAD_INVALID_LIST_NAME", "Invalid list name", "A list is defined with an invalid name"},
    {"LOAD_COMPILE_CONDITION", "Warning in rule condition",
     "A rule condition or output have been parsed with a warning"},
    {"LOAD_UNKNOWN_KEY", "Unknown key in item definition", kUnknownKeyHelp},
}};

void AppendProblem(const LoadProblem& problem, std::string& out) {
  out += "In ";
  for (const LoadLocation& location : problem.context) {
    if (&location != &problem.context.front()) out += "    ";
    out += location.item_type;
    if (!location.item_name.empty()) out += " '" + location.item_name + "'";
    out += ": (" + location.file + ":" + std::to_string(location.position.line) + ":" +
           std::to_string(location.position.column) + ")\n";
  }
  out += "------\n" + problem.snippet + "------\n";
  const LoadCodeDef& code = Describe(problem.code);
  out += std::string(code.name) + " (" + std::string(code.brief);
  if (!problem.deprecated_field.empty()) out += ": field '" + problem.deprecated_field + "'";
  out += "): " + problem.message + "\n";
}

// Falco stops at the first error of a file: the warnings behind it are ours alone.
std::vector<LoadProblem> WarningsOfFalco(const LoadResult& result) {
  std::vector<LoadProblem> warnings = result.warnings;
  std::erase_if(warnings, &LoadProblem::beyond_first_error);
  return warnings;
}

void AppendProblems(std::span<const LoadProblem> problems, std::string_view title,
                    std::string& out) {
  if (problems.empty()) return;
  out += "\n" + std::to_string(problems.size()) + " " + std::string(title) + ":\n";
  for (const LoadProblem& problem : problems) AppendProblem(problem, out);
}

}  // namespace

const LoadCodeDef& Describe(LoadCode code) {
  return kCodes[static_cast<size_t>(code)];
}

std::string SummaryText(const LoadResult& result) {
  if (!result.successful()) return result.name + ": Invalid";
  return result.name + (result.warnings.empty() ? ": Ok" : ": Ok, with warnings");
}

std::string VerboseText(const LoadResult& result) {
  std::string out = SummaryText(result);
  if (!result.schema_outcomes.empty() && !result.schema_valid()) {
    out += "\n" + std::to_string(result.schema_outcomes.size()) + " Schema warnings:\n------\n";
    for (const std::string& outcome : result.schema_outcomes) out += outcome + "\n------\n";
  }
  if (!result.errors.empty()) AppendProblems({&result.errors.front(), 1}, "Errors", out);
  AppendProblems(WarningsOfFalco(result), "Warnings", out);
  return out;
}

std::string VerdictText(const LoadResult& result) {
  const bool summary_is_enough = result.successful() && !result.warnings.empty();
  return summary_is_enough ? SummaryText(result) : VerboseText(result);
}

std::string Snippet(std::string_view content, uint32_t offset) {
  constexpr size_t kHalfWidth = 80;
  if (content.empty()) return "<No context available>\n";
  // A mark may lie behind the end, or on the line break behind a dangling key.
  size_t at = std::min<size_t>(offset, content.size() - 1);
  while (at > 0 && content[at] == '\n') --at;
  const size_t break_before = at == 0 ? std::string_view::npos : content.rfind('\n', at - 1);
  size_t begin = break_before == std::string_view::npos ? 0 : break_before + 1;
  size_t end = std::min(content.find('\n', at), content.size());
  const bool cut_front = at - begin >= kHalfWidth;
  const bool cut_back = end - at > kHalfWidth;
  if (cut_front) begin = at - kHalfWidth;
  if (cut_back) end = at + kHalfWidth + 1;
  std::string line(content.substr(begin, end - begin));
  if (line.empty()) return "<No context available>\n";
  if (cut_front) line.replace(0, 3, "...");
  if (cut_back) line.replace(line.size() - 3, 3, "...");
  return line + "\n" + std::string(at - begin, ' ') + "^\n";
}

}  // namespace gyrfalcon
