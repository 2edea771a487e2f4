// The commands of the program, a row each. main looks them up; each one parses its own flags.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gyrfalcon {

// Exit codes, as docs/operating.md has them.
inline constexpr int kExitOk = 0;
inline constexpr int kExitNotWell = 1;      // the thing asked about is not well
inline constexpr int kExitUsage = 2;        // the command line is wrong
inline constexpr int kExitEnvironment = 3;  // socket, permission, file

int ExitCodeOf(Fault fault);
// Says the error on stderr, as `gyrfalcon: …`, and gives its exit code.
int Report(const Error& error);

// `args` without the program and the command.
using CommandFunction = int (*)(std::vector<std::string> args);

struct Command {
  std::string_view name;  // "session generate"
  CommandFunction run;
  std::string_view help;     // one line
  std::string_view example;  // a whole command line
};

std::span<const Command> Commands();

int RunDaemon(std::vector<std::string> args);
int Replay(std::vector<std::string> args);
int RecordCaptures(std::vector<std::string> args);
int DumpCaptures(std::vector<std::string> args);
int CheckRules(std::vector<std::string> args);
int CoverRules(std::vector<std::string> args);
int ExplainRuleCommand(std::vector<std::string> args);
int GenerateSessionCommand(std::vector<std::string> args);
int CheckPolicyCommand(std::vector<std::string> args);
int SuggestPolicyCommand(std::vector<std::string> args);
int DiffPoliciesCommand(std::vector<std::string> args);
int ListSandboxSessions(std::vector<std::string> args);
int AttachSandboxes(std::vector<std::string> args);
int DetachSandboxes(std::vector<std::string> args);
int ShowFields(std::vector<std::string> args);
int ShowPoints(std::vector<std::string> args);
int Bench(std::vector<std::string> args);
int ShowAlerts(std::vector<std::string> args);
int InstallInDocker(std::vector<std::string> args);
int InstallInContainerd(std::vector<std::string> args);
int InstallInSystemd(std::vector<std::string> args);
int ShowStatus(std::vector<std::string> args);
int RunDoctor(std::vector<std::string> args);

}  // namespace gyrfalcon
