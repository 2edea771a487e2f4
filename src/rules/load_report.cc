// The machine-readable and the personal form of a load result.
#include <algorithm>
#include <set>
#include <tuple>

#include <nlohmann/json.hpp>

#include "rules/load_result.h"

namespace gyrfalcon {
namespace {

using Json = nlohmann::json;

Json ProblemJson(const LoadProblem& problem) {
  Json locations = Json::array();
  for (const LoadLocation& location : problem.context) {
    const FilePosition& position = location.position;
    locations.push_back({{"item_type", location.item_type},
                         {"item_name", location.item_name},
                         {"position",
                          {{"name", location.file},
                           {"line", position.line},
                           {"column", position.column},
                           {"offset", position.offset}}}});
  }
  const LoadCodeDef& code = Describe(problem.code);
  Json json = {{"code", code.name},
               {"codedesc", code.help},
               {"message", problem.message},
               {"context", {{"locations", locations}, {"snippet", problem.snippet}}}};
  if (!problem.deprecated_field.empty()) json["deprecated_field"] = problem.deprecated_field;
  return json;
}

// Falco stops at a file's first error.
Json FalcosProblems(const std::vector<LoadProblem>& problems) {
  Json list = Json::array();
  for (const LoadProblem& problem : problems) {
    if (!problem.beyond_first_error) list.push_back(ProblemJson(problem));
  }
  return list;
}

// A place as a person counts it.
struct Place {
  const RulesFile* file = nullptr;
  size_t line = 1;
  size_t column = 1;
  std::string_view line_text;
};

class PlaceFinder {
 public:
  explicit PlaceFinder(const std::vector<RulesFile>& files)
      : files_(files), line_starts_(files.size()) {}

  Place Find(const LoadProblem& problem) {
    Place place;
    uint32_t offset = problem.origin.offset;
    if (problem.origin.known() && problem.origin.file < files_.size()) {
      place.file = &files_[problem.origin.file];
    } else {
      for (const LoadLocation& location : problem.context) {
        const auto file = std::ranges::find(files_, location.file, &RulesFile::name);
        if (file == files_.end()) continue;
        place.file = &*file;
        offset = location.position.offset;
      }
    }
    if (place.file == nullptr) return place;
    const std::string_view text = place.file->text;
    const size_t at = std::min<size_t>(offset, text.size());
    const std::vector<size_t>& starts = LineStarts(static_cast<size_t>(place.file - &files_[0]));
    const auto next = std::ranges::upper_bound(starts, at);
    place.line = static_cast<size_t>(next - starts.begin());
    const size_t begin = *std::prev(next);
    place.column = at - begin + 1;
    place.line_text = text.substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
    return place;
  }

 private:
  // Looked up once a file: there may be as many problems as lines.
  const std::vector<size_t>& LineStarts(size_t file) {
    std::vector<size_t>& starts = line_starts_[file];
    if (!starts.empty()) return starts;
    const std::string& text = files_[file].text;
    starts.push_back(0);
    for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
      starts.push_back(at + 1);
    }
    return starts;
  }

  const std::vector<RulesFile>& files_;
  std::vector<std::vector<size_t>> line_starts_;
};

// Calls `visit(problem, file name, place)` for each problem, once: everything is compiled again
// after each file, so one can stand in several results.
template <class Visit>
void ForEachProblem(const std::vector<LoadResult>& results, const std::vector<RulesFile>& files,
                    bool with_warnings, Visit visit) {
  std::set<std::tuple<LoadCode, std::string, std::string, size_t, size_t>> seen;
  PlaceFinder places(files);
  const auto visit_new = [&](const LoadProblem& problem, const std::string& result_name) {
    const Place place = places.Find(problem);
    const std::string& name = place.file != nullptr ? place.file->name : result_name;
    const bool is_new =
        seen.emplace(problem.code, problem.message, name, place.line, place.column).second;
    if (is_new) visit(problem, name, place);
  };
  for (const LoadResult& result : results) {
    for (const LoadProblem& problem : result.errors) visit_new(problem, result.name);
    if (!with_warnings) continue;
    for (const LoadProblem& problem : result.warnings) visit_new(problem, result.name);
  }
}

std::string MessageOf(const LoadProblem& problem) {
  if (problem.message.empty()) return std::string(Describe(problem.code).brief);
  // Of an output's unknown field Falco's message ends before it says what it is about.
  constexpr std::string_view kCutOff = ": unexpected token after '";
  std::string_view message = problem.message;
  if (message.ends_with(kCutOff)) message.remove_suffix(kCutOff.size());
  return std::string(message);
}

Json DiagnosticJson(const LoadProblem& problem, const std::string& name, const Place& place) {
  Json json = {{"severity", IsError(problem.code) ? "error" : "warning"},
               {"code", Describe(problem.code).name},
               {"message", MessageOf(problem)},
               {"file", name},
               {"line", place.line},
               {"column", place.column}};
  if (!problem.suggestion.empty()) json["suggestion"] = problem.suggestion;
  return json;
}

void AppendDiagnostic(const LoadProblem& problem, const std::string& name, const Place& place,
                      std::string& out) {
  constexpr size_t kLineMax = 200;
  out += name + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": ";
  out += IsError(problem.code) ? "error: " : "warning: ";
  out += MessageOf(problem);
  for (const LoadLocation& location : problem.context) {
    if (location.item_name.empty() ||
        (location.item_type != "rule" && location.item_type != "macro" &&
         location.item_type != "list")) {
      continue;
    }
    out += " in " + location.item_type + " \"" + location.item_name + "\"";
  }
  if (!problem.suggestion.empty()) out += "; " + problem.suggestion;
  out += " [" + std::string(Describe(problem.code).name) + "]\n";
  if (place.file == nullptr || place.column > kLineMax) return;
  out += "  " + std::string(place.line_text.substr(0, kLineMax)) + "\n";
  out += "  " + std::string(place.column - 1, ' ') + "^\n";
}

}  // namespace

std::string LoadResultsJson(const std::vector<LoadResult>& results,
                            const std::vector<RulesFile>& files, std::string_view descriptions) {
  Json list = Json::array();
  for (const LoadResult& result : results) {
    Json json = {{"name", result.name},
                 {"successful", result.successful()},
                 {"errors", FalcosProblems(result.errors)},
                 {"warnings", FalcosProblems(result.warnings)}};
    if (!result.schema_outcomes.empty()) {
      json["schema_valid"] = result.schema_valid();
      json["schema_warnings"] =
          result.schema_valid() ? Json::array() : Json(result.schema_outcomes);
    }
    list.push_back(std::move(json));
  }
  Json diagnostics = Json::array();
  ForEachProblem(results, files, true, [&](const auto& problem, const auto& name, const auto& at) {
    diagnostics.push_back(DiagnosticJson(problem, name, at));
  });
  Json out = {{"falco_load_results", std::move(list)},
              {"gyrfalcon_diagnostics", std::move(diagnostics)}};
  if (!descriptions.empty()) out["falco_describe_results"] = Json::parse(descriptions);
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Diagnostics(const std::vector<LoadResult>& results, const std::vector<RulesFile>& files,
                        bool with_warnings) {
  std::string out;
  ForEachProblem(results, files, with_warnings,
                 [&](const auto& problem, const auto& name, const auto& place) {
                   AppendDiagnostic(problem, name, place, out);
                 });
  return out;
}

}  // namespace gyrfalcon
