#include <filesystem>

#include "cli/arguments.h"
#include "cli/describe_rules.h"
#include "cli/load_rules.h"
#include "cli/run_flags.h"
#include "runsc/session.h"

namespace gyrfalcon {

int GenerateSessionCommand(std::vector<std::string> args) {
  const auto app = MakeApp("session generate");
  RunFlags flags;
  std::string socket;
  std::string on_failure = "open";
  std::string profile = "standard";
  bool all = false;
  bool explain = false;
  bool json = false;
  app->add_option("-r,--rules", flags.rules_files, "Rules to serve (default: the embedded ones)")
      ->allow_extra_args(false);
  CLI::Option* everything =
      app->add_flag("--all", all, "Every point and field, not only what the rules need");
  app->add_option("--profile", profile,
                  "How much a sandbox tells: `lean` believes what programs say of themselves, "
                  "`standard` checks it, `strict` also shows opens and connects that are hidden")
      ->check(CLI::IsMember({"lean", "standard", "strict"}));
  app->add_option("--socket", socket, "Where gyrfalcon listens");
  app->add_option("--on-failure", on_failure,
                  "What a sandbox does when nobody answers: `open` starts unwatched, `closed` does "
                  "not start")
      ->check(CLI::IsMember({"open", "closed"}));
  CLI::Option* reasons =
      app->add_flag("--explain", explain,
                    "Instead of the session config: each point and field, and why it is asked for")
          ->excludes(everything);
  app->add_flag("--json", json, "The explanation as JSON")->needs(reasons);
  if (const auto code = Parse(*app, std::move(args))) return *code;

  SessionOptions options;
  // runsc connects from its own folder: a relative endpoint would be another file.
  options.socket_path =
      socket.empty() ? DefaultSocketPath() : std::filesystem::absolute(socket).string();
  options.on_failure = on_failure == "closed" ? OnFailure::kClosed : OnFailure::kOpen;
  options.profile = ParseSessionProfile(profile).value_or(SessionProfile::kStandard);
  if (all) {
    fmt::print("{}", GenerateFullSession(options));
    return kExitOk;
  }
  const auto loaded = LoadRules(flags.rules_files, {});
  if (!loaded) return Report(loaded.error());
  if (explain) {
    fmt::print("{}", json ? ExplainSessionJson(options.profile, *loaded->rules)
                          : ExplainSession(options.profile, *loaded->rules));
    return kExitOk;
  }
  fmt::print("{}", GenerateSession(options, *loaded->rules));
  return kExitOk;
}

}  // namespace gyrfalcon
