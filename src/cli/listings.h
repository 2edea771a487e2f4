// What the flags print that ask about the program itself: --list, --list-events,
// --list-syscall-events, -i, --rule-schema, --version, --support. The shapes are Falco's. Each
// gives the exit code.
#pragma once

#include <string>
#include <vector>

#include "cli/config.h"

namespace gyrfalcon {

struct ListingOptions {
  bool names_only = false;  // -N
  bool markdown = false;    // --markdown
  bool verbose = false;     // -v: with types
};

// --list[=SOURCE]: the fields, by class. A source that has none is a usage error.
int ListFields(const std::string& source, const ListingOptions& options);

// --list-events, or only those of system calls. `<` before each: rules see what has happened.
// In markdown the first column says whether gVisor tells of it.
int ListEvents(bool syscalls_only, const ListingOptions& options);

// -i: the system calls that no trace point of gVisor tells.
int ListIgnoredSyscalls();

int PrintRuleSchema();

// --version; as text or JSON.
int PrintVersion(bool json);

// What --version prints as JSON.
std::string VersionsText();
std::string_view ProgramVersion();

// --support: version, machine, command line, config and rules files as one JSON object.
int PrintSupport(const std::vector<std::string>& args, const std::string& config_file,
                 const Config& config);

}  // namespace gyrfalcon
