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
  if (!problem.suggestion.empty()) json["suggestion"] = problem.suggestion;
  return json;
}

// Falco stops at a file's first error. What was found beyond it stands under a key of its own, so
// that scripts for Falco see what they expect.
void AddProblems(const std::vector<LoadProblem>& problems, std::string_view key, Json& json) {
  Json expected = Json::array();
  Json further = Json::array();
  for (const LoadProblem& problem : problems) {
    (problem.beyond_first_error ? further : expected).push_back(ProblemJson(problem));
  }
  json[key] = std::move(expected);
  if (!further.empty()) json["further_" + std::string(key)] = std::move(further);
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

void AppendDiagnostic(const LoadProblem& problem, const std::string& fallback_name,
                      PlaceFinder& places, std::string& out) {
  constexpr size_t kLineMax = 200;
  const Place place = places.Find(problem);
  const std::string& name = place.file != nullptr ? place.file->name : fallback_name;
  out += name + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": ";
  out += IsError(problem.code) ? "error: " : "warning: ";
  out += problem.message.empty() ? std::string(Describe(problem.code).brief) : problem.message;
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

std::string LoadResultsJson(const std::vector<LoadResult>& results, std::string_view descriptions) {
  Json list = Json::array();
  for (const LoadResult& result : results) {
    Json json = {{"name", result.name}, {"successful", result.successful()}};
    AddProblems(result.errors, "errors", json);
    AddProblems(result.warnings, "warnings", json);
    if (!result.schema_outcomes.empty()) {
      json["schema_valid"] = result.schema_valid();
      json["schema_warnings"] =
          result.schema_valid() ? Json::array() : Json(result.schema_outcomes);
    }
    list.push_back(std::move(json));
  }
  Json out = {{"falco_load_results", std::move(list)}};
  if (!descriptions.empty()) out["falco_describe_results"] = Json::parse(descriptions);
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string Diagnostics(const std::vector<LoadResult>& results, const std::vector<RulesFile>& files,
                        bool with_warnings) {
  // Everything is compiled again after each file, so a problem can stand in several results.
  std::set<std::tuple<std::string, std::string, std::string>> seen;
  std::string out;
  PlaceFinder places(files);
  const auto append_new = [&](const LoadProblem& problem, const std::string& name) {
    std::string text;
    AppendDiagnostic(problem, name, places, text);
    if (seen.emplace(Describe(problem.code).name, problem.message, text).second) out += text;
  };
  for (const LoadResult& result : results) {
    for (const LoadProblem& problem : result.errors) append_new(problem, result.name);
    if (!with_warnings) continue;
    for (const LoadProblem& problem : result.warnings) append_new(problem, result.name);
  }
  return out;
}

}  // namespace gyrfalcon
