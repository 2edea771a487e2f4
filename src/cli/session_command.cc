#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/arguments.h"
#include "cli/session_flags.h"
#include "runsc/policy_check.h"
#include "runsc/sent_points.h"
#include "runsc/session.h"
#include "wire/listener.h"

namespace gyrfalcon {
namespace {

struct GenerateFlags {
  SessionFlags session;
  std::string socket;
  bool socket_given = false;
  std::string on_failure = "open";
  std::string policy;
  std::string runsc;
  bool all = false;
  bool literal = false;
  bool yes = false;
  bool explain = false;
  bool json = false;
};

void AddFlags(CLI::App& app, GenerateFlags& flags) {
  CLI::Option* profile = AddSessionFlags(app, flags.session);
  CLI::Option* all =
      app.add_flag("--all", flags.all, "Every point and field, not only what the rules need")
          ->excludes(profile);
  CLI::Option* policy =
      app.add_option("--policy", flags.policy,
                     "A list of system calls in TOML: only these, and of them what rules need")
          ->excludes(all);
  CLI::Option* literal =
      app.add_flag("--literal", flags.literal,
                   "All points of all names of the policy, needed or not; says what it costs and "
                   "asks first")
          ->needs(policy);
  app.add_flag("--yes", flags.yes, "Do not ask")->needs(literal);
  app.add_option("--runsc", flags.runsc, "Only what this runsc knows (`runsc trace metadata`)");
  app.add_option("--socket", flags.socket, "Where gyrfalcon listens");
  app.add_option("--on-failure", flags.on_failure,
                 "What a sandbox does when nobody answers: `open` starts unwatched, `closed` does "
                 "not start")
      ->check(CLI::IsMember({"open", "closed"}));
  CLI::Option* explain =
      app.add_flag("--explain", flags.explain,
                   "Instead of the session config: each point and field, and why it is asked for")
          ->excludes(all);
  app.add_flag("--json", flags.json, "The explanation as JSON")->needs(explain);
}

Result<std::string> SocketFor(const GenerateFlags& flags, const Config& config) {
  std::string path;
  if (flags.socket_given) {
    // runsc connects from its own folder: a relative endpoint would be another file.
    path = flags.socket.empty() ? "" : std::filesystem::absolute(flags.socket).string();
  } else {
    // The session config that the daemon reads may be the one to be made.
    const auto of_daemon = SocketPathOf(config);
    path = of_daemon ? *of_daemon : DefaultSocketPath();
  }
  if (const auto valid = CheckSocketPath(path); !valid) {
    Error error = valid.error();
    if (flags.socket_given) error = {"--socket: " + error.message, Fault::kUsage};
    return std::unexpected(std::move(error));
  }
  return path;
}

// nullopt: go on; else the exit code.
std::optional<int> AskWhetherLiteral(const GenerateFlags& flags, const std::string& cost) {
  fmt::print(stderr, "{}", cost);
  if (flags.yes) return std::nullopt;
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0) {
    return Report(
        {"--literal asks before it makes such a session, and there is no terminal to ask "
         "on: add --yes if that is what you want",
         Fault::kUsage});
  }
  fmt::print(stderr, "Make it? [y/N] ");
  const int answer = std::getchar();
  if (answer == 'y' || answer == 'Y') return std::nullopt;
  fmt::print(stderr, "no session was made\n");
  return kExitNotWell;
}

// A field that many points lack is one part of the sentence.
std::string LostFields(const std::map<std::string, std::vector<std::string>>& fields) {
  constexpr size_t kShown = 3;
  std::vector<std::string> out;
  for (const auto& [field, points] : fields) {
    out.push_back(fmt::format(
        "{} of {}", field,
        points.size() > kShown ? fmt::format("{} points", points.size()) : Join(points, " and ")));
  }
  return Join(out, ", ");
}

// Takes away what that runsc does not know, and says so on standard error.
Result<void> KeepKnown(const std::string& runsc, std::vector<AskedPoint>& points) {
  const auto known = AskRunsc(runsc);
  if (!known) return std::unexpected(known.error());
  std::vector<std::string> lost;
  std::map<std::string, std::vector<std::string>> lost_fields;
  std::erase_if(points, [&](const AskedPoint& point) {
    const bool unknown = !known->contains(point.name);
    if (unknown) lost.push_back(point.name);
    return unknown;
  });
  for (AskedPoint& point : points) {
    const SentPoint& there = known->find(point.name)->second;
    std::erase_if(point.fields, [&](const AskedField& field) {
      const bool unknown = !(field.optional ? there.optional : there.context).contains(field.name);
      if (unknown) lost_fields[std::string(field.name)].push_back(point.name);
      return unknown;
    });
  }
  const auto warn = [&runsc](std::string_view what, const std::string& which) {
    if (which.empty()) return;
    fmt::print(stderr, "warning: {} does not know these {}, and the session is without: {}\n",
               runsc, what, which);
  };
  warn("points", Join(lost, ", "));
  warn("fields", LostFields(lost_fields));
  return {};
}

// nullopt: go on; else the exit code.
std::optional<int> ChoosePoints(const GenerateFlags& flags, const RuleSet& rules,
                                std::vector<AskedPoint>& points) {
  const SessionProfile profile = flags.session.Profile();
  if (flags.policy.empty()) {
    points = PointsFor(rules, profile);
    return std::nullopt;
  }
  const auto policy = LoadPolicy(flags.policy);
  if (!policy) return Report(policy.error());
  points = PointsFor(*policy, rules, profile, flags.literal);
  if (!flags.literal || flags.explain) return std::nullopt;
  const auto needed = PointsFor(*policy, rules, profile, false);
  return AskWhetherLiteral(flags, LiteralCost(*policy, needed, points));
}

}  // namespace

int GenerateSessionCommand(std::vector<std::string> args) {
  const auto app = MakeApp("session generate");
  GenerateFlags flags;
  AddFlags(*app, flags);
  if (const auto code = Parse(*app, std::move(args))) return *code;
  flags.socket_given = app->count("--socket") != 0;

  const auto config = ApplySessionFlags(flags.session);
  if (!config) return Report(config.error());
  const auto socket = SocketFor(flags, *config);
  if (!socket) return Report(socket.error());
  SessionOptions options;
  options.socket_path = *socket;
  options.on_failure = flags.on_failure == "closed" ? OnFailure::kClosed : OnFailure::kOpen;
  options.profile = flags.session.Profile();

  std::vector<AskedPoint> points;
  if (flags.all) {
    points = FullPoints();
  } else {
    const auto rules = LoadSessionRules(*config);
    if (!rules) return Report(rules.error());
    if (const auto code = ChoosePoints(flags, **rules, points)) return *code;
  }
  if (!flags.runsc.empty()) {
    if (const auto kept = KeepKnown(flags.runsc, points); !kept) return Report(kept.error());
  }
  if (flags.explain) {
    fmt::print("{}",
               flags.json ? ExplainSessionJson(options.profile, points) : ExplainSession(points));
  } else {
    fmt::print("{}", GenerateSession(options, points));
  }
  return kExitOk;
}

}  // namespace gyrfalcon
