#include "cli/attach_session.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "base/folder.h"
#include "base/text.h"
#include "cli/file.h"
#include "cli/kept_session.h"
#include "engine/sandbox_sessions.h"
#include "runsc/session.h"

namespace gyrfalcon {
namespace {

constexpr size_t kSessionBytesMax = size_t{4} << 20;

// "": its events come to the socket.
std::string WhyNot(const std::string& session_file, const std::string& socket_path) {
  const auto text = ReadWholeFile(session_file, kSessionBytesMax);
  if (!text) return text.error().message;
  const auto session = ParseSessionConfig(session_file, *text);
  if (!session) return session.error().message;
  if (CanonicalPath(session->endpoint) == CanonicalPath(socket_path)) return "";
  return fmt::format("{}: its endpoint {} is not the socket {}", session_file, session->endpoint,
                     socket_path);
}

}  // namespace

std::string AttachSessionFile(const std::string& socket_path) {
  return Beside(socket_path, "attach.json");
}

AttachSession MakeAttachSession(const Config& config, const std::string& socket_path,
                                const RuleSet& rules) {
  AttachSession session;
  if (!config.attach || config.runsc_path.empty()) return session;
  const std::string socket = AbsolutePath(socket_path);
  if (!config.session_file.empty()) {
    session.file = AbsolutePath(config.session_file);
    if (KeptSessionWishOf(config, socket)) return session;  // it is kept so
    session.trouble = WhyNot(session.file, socket);
    if (session.trouble.empty()) return session;
  }
  SessionOptions options;
  options.socket_path = socket;
  session.file = AttachSessionFile(socket);
  session.text = GenerateSession(options, rules);
  return session;
}

bool IsProgramThere(const std::string& program) {
  if (program.contains('/')) return IsProgram(program);
  const char* path = std::getenv("PATH");
  if (program.empty() || path == nullptr) return false;
  return std::ranges::any_of(Split(path, ':'), [&program](std::string_view folder) {
    return IsProgram(std::string(folder) + '/' + program);
  });
}

}  // namespace gyrfalcon
