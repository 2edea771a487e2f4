// The session config that the daemon attaches untraced sandboxes with.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "cli/config.h"
#include "rules/rule_set.h"

namespace gyrfalcon {

struct AttachSession {
  std::string file;                 // "": sandboxes are not attached
  std::optional<std::string> text;  // what the file is to hold; nullopt: it is not ours to write
  std::string trouble;              // why it is not what one would expect; for the log
};

// Where one lies that is made for the daemon that listens at the socket.
std::string AttachSessionFile(const std::string& socket_path);

// That of engine.gvisor.config where its endpoint is the socket that we listen at. Else one that is
// made for the rules, in the socket's folder, which nobody else may write.
AttachSession MakeAttachSession(const Config& config, const std::string& socket_path,
                                const RuleSet& rules);

// Whether there is such a program: a path, or a name that is looked for in PATH.
bool IsProgramThere(const std::string& program);

}  // namespace gyrfalcon
