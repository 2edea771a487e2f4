// gVisor's vocabulary as tables: which messages there are, which fields each has on the wire, and
// which trace points send them. decode, `dump`, `points` and the session generator read these rows.
// Facts from gVisor's pkg/sentry/seccheck (points/*.proto, metadata*.go).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "points/event_types.h"
#include "points/syscalls.h"

namespace gyrfalcon {

// The message types of gVisor's common.proto, as they stand in the wire header.
enum class MessageType : uint16_t {
  kUnknown = 0,
  kContainerStart,
  kSentryClone,
  kSentryExec,
  kSentryExitNotifyParent,
  kSentryTaskExit,
  kRaw,
  kOpen,
  kClose,
  kRead,
  kConnect,
  kExecve,
  kSocket,
  kChdir,
  kSetid,
  kSetresid,
  kPrlimit64,
  kPipe,
  kFcntl,
  kDup,
  kSignalfd,
  kChroot,
  kEventfd,
  kClone,
  kBind,
  kAccept,
  kTimerfdCreate,
  kTimerfdSetTime,
  kTimerfdGetTime,
  kFork,
  kInotifyInit,
  kInotifyAddWatch,
  kInotifyRmWatch,
  kSocketPair,
  kWrite,
  kSentryMmap,
  kMmap,
  kListen,
  kPtrace,
  kCount,
};
inline constexpr size_t kMessageTypeCount = static_cast<size_t>(MessageType::kCount);

// Where a decoded field is kept in an Event. Fields of the same name in different messages share
// one.
enum class Slot : uint8_t {
  kStartId,
  kCwd,
  kArgv,
  kEnv,
  kTerminal,
  kCreatedThreadId,
  kCreatedThreadGroupId,
  kCreatedThreadStartTimeNs,
  kFlags,
  kBinaryPath,
  kBinaryMode,
  kBinaryUid,
  kBinaryGid,
  kBinarySha256,
  kBinaryOverlayfsUpper,
  kBinaryIno,
  kBinaryCtime,
  kStdin,
  kStdout,
  kStderr,
  kBinaryOverlayfsLower,
  kBinarySha1,
  kExecfn,
  kBinarySize,
  kBinaryNlink,
  kBinaryInMemfd,
  kPipeInputProc,
  kPipeOutputProc,
  kExitStatus,
  kSysno,
  kArg1,
  kArg2,
  kArg3,
  kArg4,
  kArg5,
  kArg6,
  kFd,
  kFdPath,
  kPathname,
  kMode,
  kByteCount,
  kHasOffset,
  kOffset,
  kAddress,
  kEnvv,
  kDomain,
  kType,
  kProtocol,
  kId,
  kRid,
  kEid,
  kSid,
  kPid,
  kResource,
  kNewLimit,
  kOldLimit,
  kReader,
  kWriter,
  kCmd,
  kArg,
  kOldFd,
  kNewFd,
  kSigset,
  kVal,
  kStack,
  kNewTid,
  kTls,
  kClockId,
  kNewValue,
  kOldValue,
  kCurValue,
  kMask,
  kWd,
  kSocket1,
  kSocket2,
  kMappedPath,
  kMappedIno,
  kMappedMode,
  kMappedUid,
  kMappedGid,
  kIsInitialMmap,
  kMappedCtime,
  kOverlayfsUpper,
  kOverlayfsLower,
  kAddr,
  kLength,
  kProt,
  kBacklog,
  kSocketFamily,
  kSocketType,
  kRequest,
  kCount,
  kNone = 0xff,
};
inline constexpr size_t kSlotCount = static_cast<size_t>(Slot::kCount);

enum class WireKind : uint8_t {
  kInt32,
  kInt64,
  kUint32,
  kUint64,
  kBool,
  kText,  // any bytes: gVisor promises UTF-8, we don't rely on it
  kBytes,
  kTexts,    // repeated string, may be empty
  kMessage,  // a nested message, decoded on demand
  kContext,  // context_data
  kExit,     // result and errorno; only exit messages have it
};

struct MessageSpec;

struct FieldSpec {
  uint8_t number;  // protobuf field number
  WireKind kind;
  Slot slot;              // kNone for fields of nested messages
  std::string_view name;  // as in the .proto
  const MessageSpec* nested;
};

// Field numbers are small: gVisor's largest is 22.
inline constexpr size_t kFieldNumberMax = 31;

struct MessageSpec {
  static constexpr uint8_t kNoField = 0xff;

  std::string_view name;  // the protobuf message's
  std::span<const FieldSpec> fields;
  // Indexes into fields, or kNoField.
  std::array<uint8_t, kFieldNumberMax + 1> index_by_number;
  // By the one byte that a tag of a small number has: of fields that are of its wire type.
  std::array<uint8_t, 256> index_by_tag;

  const FieldSpec* Find(uint32_t number) const {
    return number > kFieldNumberMax ? nullptr : At(index_by_number[number]);
  }
  // nullptr: a longer tag, another wire type or no such field.
  const FieldSpec* FindByTag(uint8_t tag) const { return At(index_by_tag[tag]); }

 private:
  const FieldSpec* At(uint8_t index) const {
    return index == kNoField ? nullptr : fields.data() + index;
  }
};

// The message of a type; nullptr for types that this program does not know (newer gVisor).
const MessageSpec* FindMessage(uint16_t type);

const MessageSpec& FdInfoSpec();
const MessageSpec& TimespecSpec();
const MessageSpec& RlimitSpec();

// One trace point family: "syscall/openat" stands for its /enter and its /exit.
struct PointDef {
  MessageType message;
  std::string_view name;  // without /enter and /exit
  int16_t sysno_x86_64;  // -1: the architecture has no such system call, or the point is no syscall
  int16_t sysno_aarch64;
  std::string_view event_type;  // evt.type of what it tells; empty: never an event for the rules
  std::string_view optional_fields;  // as gVisor names them, separated by |

  bool is_syscall() const { return sysno_x86_64 >= 0 || sysno_aarch64 >= 0; }
};

std::span<const PointDef> Points();  // without the raw ones, syscall/sysno/N

// A point and the event type it stands for. `point` is nullptr for raw messages.
struct PointRef {
  const PointDef* point = nullptr;
  std::optional<EventType> event_type;
};

// Which point sent a message; no point and no event type where the number means nothing on this
// machine.
PointRef ResolvePoint(MessageType message, uint64_t sysno, Arch arch);

// As a session config names the point that sent a message, side included: "syscall/open/exit",
// "sentry/execve", "syscall/sysno/87/enter". `message` is one that FindMessage knows.
std::string SentPointName(MessageType message, uint64_t sysno, bool is_exit, Arch arch);

// The optional field of its point that a message's field belongs to ("binary_info" for
// binary_mode);
// "" for fields that always come.
std::string_view OptionalFieldOf(MessageType message, std::string_view field);

// All context fields that a point can be asked for, as gVisor names them.
std::span<const std::string_view> ContextFields(const PointDef& point);
// The same for raw points.
std::span<const std::string_view> AllContextFields();

// Whether a schematised point exists for this syscall, so that its raw message is only a tripwire.
const PointDef* SchematisedPoint(uint64_t sysno, Arch arch);

}  // namespace gyrfalcon
