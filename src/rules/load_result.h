// What loading rules found wrong: problems with a code, a message and the chain of places that lead
// to them, in the form that Falco gives them (its tests, scripts and editors read that form), and
// beside it the file, line and column that a person wants.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rules/source_text.h"

namespace gyrfalcon {

// In the order of the table in load_result.cc.
enum class LoadCode : uint8_t {
  kErrFileRead,
  kErrYamlParse,
  kErrYamlValidate,
  kErrCompileCondition,
  kErrCompileOutput,
  kErrValidate,
  kErrExtension,
  kUnknownSource,
  kUnsafeNaCheck,
  kNoEvttype,
  kUnknownFilter,
  kUnusedMacro,
  kUnusedList,
  kUnknownItem,
  kDeprecatedItem,
  kWarningExtension,
  kAppendNoValues,
  kExceptionNameNotUnique,
  kInvalidMacroName,
  kInvalidListName,
  kCompileCondition,
  kUnknownKey,
};

struct LoadCodeDef {
  std::string_view name;   // "LOAD_ERR_YAML_PARSE"
  std::string_view brief;  // in the verbose text
  std::string_view help;   // in JSON
};

const LoadCodeDef& Describe(LoadCode code);
inline bool IsError(LoadCode code) {
  return code <= LoadCode::kErrExtension;
}

// Falco's counting: lines and columns from 0 (YAML marks), offset in bytes.
struct FilePosition {
  uint32_t line = 0;
  uint32_t column = 0;
  uint32_t offset = 0;
};

struct LoadLocation {
  std::string item_type;  // "rule", "rule condition", …
  std::string item_name;
  std::string file;  // the file's name, or the start of the condition in quotes
  FilePosition position;
};

using LoadContext = std::vector<LoadLocation>;  // from the file inwards

struct LoadProblem {
  LoadCode code = LoadCode::kErrValidate;
  std::string message;
  LoadContext context;
  std::string snippet;           // the line and a caret, as Falco draws them
  std::string deprecated_field;  // set on warnings about one
  Origin origin;                 // the exact place, where it is known
  std::string suggestion;        // "did you mean 'proc.name'?"
  // Found although Falco would have stopped before it: reading a file goes on after its first
  // error.
  bool beyond_first_error = false;
};

struct LoadResult {
  std::string name;  // the file's name
  // What does not fit the JSON schema of rules files; for information only. Empty: not checked (a
  // file without documents, or no YAML). Otherwise the outcomes of its documents one after the
  // other, "ok" for one that fits.
  std::vector<std::string> schema_outcomes;
  std::vector<LoadProblem> errors;    // [0] is the one that Falco reports
  std::vector<LoadProblem> warnings;  // in the order found

  bool successful() const { return errors.empty(); }
  // Falco's verdict: that on the first document.
  bool schema_valid() const { return !schema_outcomes.empty() && schema_outcomes.front() == "ok"; }
};

// The text and name of a loaded file, for rendering.
struct RulesFile {
  std::string name;
  std::string text;
};

// "name: Ok", "name: Ok, with warnings", "name: Invalid".
std::string SummaryText(const LoadResult& result);

// Falco's verbose text: the summary, then what the schema says, errors and warnings with context
// and snippet.
std::string VerboseText(const LoadResult& result);

// What `-V` prints for a file: the verbose text, but for a valid file with warnings the summary
// alone.
std::string VerdictText(const LoadResult& result);

// `{"falco_load_results":[…]}`, the object that `-V` prints with JSON output; with `descriptions`
// (the JSON of DescribeJson) also `"falco_describe_results"`. What was found beyond a file's first
// error is in `further_errors` and `further_warnings`.
std::string LoadResultsJson(const std::vector<LoadResult>& results,
                            std::string_view descriptions = {});

// "rules.yaml:3:17: error: … (LOAD_…)" with the line, a caret under the column and the suggestion;
// lines and columns from 1. All problems of all results, each once.
std::string Diagnostics(const std::vector<LoadResult>& results, const std::vector<RulesFile>& files,
                        bool with_warnings);

// The line around `offset` with a caret below, cut to 160 characters, as Falco does.
std::string Snippet(std::string_view content, uint32_t offset);

}  // namespace gyrfalcon
