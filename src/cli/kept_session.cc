#include "cli/kept_session.h"

#include <filesystem>

#include "cli/file.h"
#include "runsc/policy.h"
#include "runsc/session.h"

namespace gyrfalcon {
namespace {

constexpr size_t kSessionBytesMax = size_t{4} << 20;

OnFailure OnFailureOf(const std::string& session_file) {
  const auto text = ReadWholeFile(session_file, kSessionBytesMax);
  if (!text) return OnFailure::kOpen;
  const auto session = ParseSessionConfig(session_file, *text);
  return session ? session->on_failure : OnFailure::kOpen;
}

}  // namespace

Result<KeptSession> MakeKeptSession(const std::string& policy_file, const std::string& session_file,
                                    const std::string& socket_path, const RuleSet& rules) {
  const auto text = ReadWholeFile(policy_file, kPolicyBytesMax);
  if (!text) return std::unexpected(text.error());
  auto policy = ReadPolicy(policy_file, *text);
  if (!policy) return std::unexpected(policy.error());
  SessionOptions options;
  options.socket_path = socket_path;
  options.on_failure = OnFailureOf(session_file);
  const auto points = PointsFor(*policy, rules, options.profile, false);
  return KeptSession{.text = GenerateSession(options, points),
                     .warnings = std::move(policy->warnings),
                     .points = points.size()};
}

Result<bool> WriteKeptSession(const std::string& session_file, const KeptSession& session) {
  const auto there = ReadWholeFile(session_file, kSessionBytesMax);
  if (there && *there == session.text) return false;
  const std::string before = session_file + ".bak";
  std::error_code error;
  if (there && !std::filesystem::exists(before, error)) {
    if (const auto kept = ReplaceFile(before, *there); !kept) return std::unexpected(kept.error());
  }
  const auto written = ReplaceFile(session_file, session.text);
  if (!written) return std::unexpected(written.error());
  return true;
}

}  // namespace gyrfalcon
