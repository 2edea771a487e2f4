#include "cli/arguments.h"
#include "cli/describe_rules.h"
#include "cli/run_flags.h"

namespace gyrfalcon {

int CheckRules(std::vector<std::string> args) {
  const auto app = MakeApp("rules check");
  std::vector<std::string> files;
  bool json = false;
  app->add_option("FILE", files, "Rules files, or folders of them")->required();
  app->add_flag("--json", json, "Print Falco's JSON of load results");
  if (const auto code = Parse(*app, std::move(args))) return *code;
  Config config;
  config.format.json_output = json;
  return PrintRulesVerdict(files, config);
}

}  // namespace gyrfalcon
