#include "cli/describe_rules.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/load_rules.h"
#include "runsc/session.h"

namespace gyrfalcon {
namespace {

nlohmann::json RuleJson(const Rule& rule) {
  nlohmann::json events = nlohmann::json::array();
  for (size_t i = 0; i < kEventTypeCount; ++i) {
    if (rule.event_types.test(i)) events.push_back(EventTypes()[i].name);
  }
  return {{"info",
           {{"name", rule.name},
            {"description", rule.desc},
            {"condition", rule.condition_text},
            {"output", rule.output},
            {"priority", PriorityName(rule.priority)},
            {"source", rule.source},
            {"enabled", rule.enabled},
            {"tags", rule.tags}}},
          {"details",
           {{"condition_compiled", rule.condition_compiled},
            {"condition_fields", rule.fields},
            {"condition_operators", rule.operators},
            {"events", std::move(events)},
            {"exception_names", rule.exception_names},
            {"exception_fields", rule.exception_fields},
            {"macros", rule.macros},
            {"lists", rule.lists}}}};
}

std::string Printed(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

int PrintRulesVerdict(const std::vector<std::string>& paths, const Config& config) {
  const auto files = ReadRulesFiles(paths);
  if (!files) return Report(files.error());
  RuleLoader loader(AllFields(), config.rules);
  for (const auto& [name, text] : *files) loader.AddFile(name, text);
  if (config.format.json_output) {
    fmt::print("{}\n", LoadResultsJson(loader.results()));
  } else {
    for (const LoadResult& result : loader.results()) {
      fmt::print("{}\n", result.successful() ? SummaryText(result) : VerboseText(result, false));
    }
  }
  const std::string problems = Diagnostics(loader.results(), loader.files(), true);
  if (!problems.empty()) fmt::print(stderr, "{}\n", problems);
  // Not part of the verdict: Falco has no such warning.
  if (const auto rules = loader.Compile(); rules != nullptr && !config.format.json_output) {
    for (const std::string& warning : rules->FieldWarnings()) fmt::print(stderr, "{}\n", warning);
  }
  return loader.successful() ? kExitOk : kExitNotWell;
}

int DescribeRules(const std::string& name, const Config& config) {
  const auto loaded = LoadRules(config.rules_files, config.rules);
  if (!loaded) return Report(loaded.error());
  if (!name.empty() && loaded->rules->Find(name) == nullptr) {
    return Report({fmt::format("no rule named \"{}\"; -L lists all", name), Fault::kInput});
  }
  nlohmann::json rules = nlohmann::json::array();
  for (const Rule& rule : loaded->rules->rules()) {
    if (!name.empty() && rule.name != name) continue;
    if (config.format.json_output) {
      rules.push_back(RuleJson(rule));
    } else {
      fmt::print("{:<50} {}\n", rule.name, rule.desc);
    }
  }
  if (config.format.json_output) fmt::print("{}\n", Printed({{"rules", std::move(rules)}}));
  return kExitOk;
}

int ListFields(bool names_only) {
  for (const FieldDef& field : AllFields().rows()) {
    if (names_only) {
      fmt::print("{}\n", field.name);
    } else {
      fmt::print("{:<42} {}\n", field.name, field.help);
    }
  }
  return kExitOk;
}

int PrintSession(const std::string& socket, const Config& config) {
  SessionOptions options;
  options.socket_path = !socket.empty()               ? socket
                        : !config.socket_path.empty() ? config.socket_path
                                                      : DefaultSocketPath();
  const auto loaded = LoadRules(config.rules_files, config.rules);
  if (!loaded) return Report(loaded.error());
  fmt::print("{}", GenerateSession(options, *loaded->rules));
  return kExitOk;
}

}  // namespace gyrfalcon
