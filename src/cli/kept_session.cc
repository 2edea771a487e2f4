#include "cli/kept_session.h"

#include <filesystem>

#include "cli/attach_session.h"
#include "cli/file.h"
#include "cli/install_session.h"
#include "runsc/policy.h"
#include "runsc/policy_check.h"
#include "runsc/session.h"

namespace gyrfalcon {
namespace {

constexpr size_t kSessionBytesMax = size_t{4} << 20;

// What was chosen is kept; a file that can't be read has it still, and is not written over.
Result<OnFailure> OnFailureOf(const std::string& session_file) {
  std::error_code error;
  if (!std::filesystem::exists(session_file, error) && !error) return OnFailure::kOpen;
  const auto text = ReadWholeFile(session_file, kSessionBytesMax);
  if (!text) return std::unexpected(text.error());
  const auto session = ParseSessionConfig(session_file, *text);
  if (!session) return std::unexpected(session.error());
  return session->on_failure;
}

KeptSession Kept(const SessionOptions& options, std::vector<AskedPoint> asked,
                 std::vector<std::string> warnings) {
  return {.text = GenerateSession(options, asked),
          .warnings = std::move(warnings),
          .points = asked.size(),
          .options = options,
          .asked = std::move(asked)};
}

Result<NodeSession> AskToFit(const KeptSession& session, const std::string& runsc) {
  if (CheckSessionTaken(runsc, session.text)) {
    return NodeSession{.text = session.text, .points = session.points};
  }
  return MakeNodeSession(session.options, session.asked, {runsc});
}

// Of a runsc that answers (CheckSessionTaken); otherwise it could not be asked.
bool IsRefusal(const Error& error) {
  return error.message.contains("does not take the session config");
}

}  // namespace

std::optional<KeptSessionWish> KeptSessionWishOf(const Config& config,
                                                 const std::string& socket_path) {
  if (config.visibility_policy.empty() && config.runsc_toml.empty()) return std::nullopt;
  KeptSessionWish wish{
      .policy_file = config.visibility_policy,
      .session_file = config.session_file,
      .socket_path = AbsolutePath(socket_path),
      .profile = ParseSessionProfile(config.session_profile).value_or(SessionProfile::kStandard)};
  // A policy may be laid over a file that an administrator has made; the other is ours alone.
  if (!config.on_failure.empty() || config.visibility_policy.empty()) {
    wish.on_failure = config.on_failure == "closed" ? OnFailure::kClosed : OnFailure::kOpen;
  }
  return wish;
}

Result<KeptSession> MakeKeptSession(const KeptSessionWish& wish, const RuleSet& rules) {
  SessionOptions options{.socket_path = wish.socket_path, .profile = wish.profile};
  const Result<OnFailure> on_failure =
      wish.on_failure ? *wish.on_failure : OnFailureOf(wish.session_file);
  if (!on_failure) return std::unexpected(on_failure.error());
  options.on_failure = *on_failure;
  if (wish.policy_file.empty()) return Kept(options, PointsFor(rules, options.profile), {});
  const auto text = ReadWholeFile(wish.policy_file, kPolicyBytesMax);
  if (!text) return std::unexpected(text.error());
  auto policy = ReadPolicy(wish.policy_file, *text);
  if (!policy) return std::unexpected(policy.error());
  return Kept(options, PointsFor(*policy, rules, options.profile, false), Warnings(*policy));
}

Result<KeptSession> FitToRunsc(KeptSession session, const std::string& runsc) {
  if (!IsProgramThere(runsc)) return session;
  const auto fitted = AskToFit(session, runsc);
  if (fitted) {
    session.text = fitted->text;
    session.points = fitted->points;
  } else if (IsRefusal(fitted.error())) {
    return std::unexpected(fitted.error());
  } else {
    session.warnings.push_back("it is not known whether runsc takes the session config: " +
                               fitted.error().message);
  }
  return session;
}

Result<bool> WriteKeptSession(const std::string& session_file, const KeptSession& session) {
  std::error_code unknown;
  const auto there = ReadWholeFile(session_file, kSessionBytesMax);
  if (!there && std::filesystem::exists(session_file, unknown)) {
    return std::unexpected(there.error());
  }
  if (there && *there == session.text) return false;
  const std::string before = session_file + ".bak";
  std::error_code error;
  if (there && !std::filesystem::exists(before, error)) {
    if (const auto kept = ReplaceFile(before, *there, session_file); !kept) {
      return std::unexpected(kept.error());
    }
  }
  const auto written = ReplaceFile(session_file, session.text);
  if (!written) return std::unexpected(written.error());
  return true;
}

Result<bool> RestoreKeptSession(const std::string& session_file, const std::string& text) {
  std::error_code error;
  if (std::filesystem::exists(session_file, error) || error) return false;
  const auto written = ReplaceFile(session_file, text);
  if (!written) return std::unexpected(written.error());
  return true;
}

}  // namespace gyrfalcon
