// Where a field's value comes from, in terms of what gVisor has to be asked for: one row for each
// field of the catalogue. The session generator asks for no more than these facts need
// (runsc/session_points.h), and coverage says what a session without them does to a rule.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "fields/field.h"
#include "points/event_types.h"

namespace gyrfalcon {

// Something that is known of a process, a descriptor or a call only if some message tells it.
enum class Fact : uint8_t {
  kName,         // a process's name: it may rename itself at any time
  kEnvironment,  // of a container's first program, and of an exec that failed; others' always come
  kBinaryInfo,   // of the program's file: mode, owner, inode, layer of the overlay
  kSha256,       // of the program's file: the sandbox reads all of it
  kSha1,         // the same
  kPipePeers,    // who is at the other end of the pipes that a program was started with
  kCredentials,  // user and group ids
  kFolder,       // the working directory; what relative paths are relative to
  kTerminal,     // the controlling terminal
  kSession,      // session and process group
  kFdLimit,      // RLIMIT_NOFILE
  kFile,         // what the event's own descriptor refers to; kFolder or kFds, by the event's type
  kFds,          // what a descriptor refers to that an earlier call gave
  kStandardFds,  // what a program's standard input, output and error are
  kFdTable,      // all descriptors, and that none was closed
  kFdOrigin,     // how the process came by a descriptor: by none of the calls that give one
  kWritten,      // that a file was opened for writing before it was run
  kLayers,       // that files of the container lie in the overlay's lower layer
  kTruePath,     // the open file's own path, and whether the path changed during the call
  kProgram,      // which program a process runs, with its arguments
  kParents,      // who started a process
  kContainer,    // whose a message is
  kExecSession,  // that a process came by `docker exec` and its like
  kThread,       // which thread acts
  kStartTimes,   // when processes began
  kCount,
};
static_assert(static_cast<unsigned>(Fact::kCount) <= 32);

using FactSet = uint32_t;

constexpr FactSet Bit(Fact fact) {
  return FactSet{1} << static_cast<unsigned>(fact);
}

// For people: "user and group ids".
std::string_view Describe(Fact fact);

// A row of the table. What a field shows of the message that is its event, of the thread's ids, of
// the program as its exec told it, or of the host, needs nothing: its row has no facts.
struct FieldFacts {
  std::string_view names;  // of fields that need the same, separated by blanks
  FactSet facts;
};
std::span<const FieldFacts> FieldFactsTable();

// What a field needs where the event is of that type. Never has kFile.
FactSet FactsOf(const BoundField& field, EventType type);

// The row's facts alone; nullopt: the field has no row, which only fields may be that are never
// there.
std::optional<FactSet> FindFacts(std::string_view field);

}  // namespace gyrfalcon
