#include "points/schema.h"

#include <algorithm>
#include <array>

namespace gyrfalcon {
namespace {

consteval MessageSpec MakeSpec(std::string_view name, std::span<const FieldSpec> fields) {
  MessageSpec spec{name, fields, {}, {}};
  spec.index_by_number.fill(MessageSpec::kNoField);
  spec.index_by_tag.fill(MessageSpec::kNoField);
  constexpr size_t kShortTagsEnd = 128;  // beyond, the byte says that another follows
  for (size_t i = 0; i < fields.size(); ++i) {
    spec.index_by_number[fields[i].number] = static_cast<uint8_t>(i);
    const size_t wire_type = fields[i].kind <= WireKind::kBool ? 0 : 2;
    const size_t tag = size_t{fields[i].number} << 3 | wire_type;
    if (tag < kShortTagsEnd) spec.index_by_tag[tag] = static_cast<uint8_t>(i);
  }
  return spec;
}

// clang-format off
constexpr FieldSpec kCredentialsFields[] = {
    {1, WireKind::kUint32, Slot::kNone, "real_uid", nullptr},
    {2, WireKind::kUint32, Slot::kNone, "effective_uid", nullptr},
    {3, WireKind::kUint32, Slot::kNone, "saved_uid", nullptr},
    {4, WireKind::kUint32, Slot::kNone, "real_gid", nullptr},
    {5, WireKind::kUint32, Slot::kNone, "effective_gid", nullptr},
    {6, WireKind::kUint32, Slot::kNone, "saved_gid", nullptr},
};
constexpr MessageSpec kCredentialsSpec = MakeSpec("Credentials", kCredentialsFields);

constexpr FieldSpec kContextFields[] = {
    {1, WireKind::kInt64, Slot::kNone, "time_ns", nullptr},
    {2, WireKind::kInt32, Slot::kNone, "thread_id", nullptr},
    {3, WireKind::kInt64, Slot::kNone, "thread_start_time_ns", nullptr},
    {4, WireKind::kInt32, Slot::kNone, "thread_group_id", nullptr},
    {5, WireKind::kInt64, Slot::kNone, "thread_group_start_time_ns", nullptr},
    {6, WireKind::kText, Slot::kNone, "container_id", nullptr},
    {7, WireKind::kMessage, Slot::kNone, "credentials", &kCredentialsSpec},
    {8, WireKind::kText, Slot::kNone, "cwd", nullptr},
    {9, WireKind::kText, Slot::kNone, "process_name", nullptr},
    {10, WireKind::kInt32, Slot::kNone, "parent_thread_group_id", nullptr},
    {11, WireKind::kBool, Slot::kNone, "is_exec_session", nullptr},
};
constexpr MessageSpec kContextSpec = MakeSpec("ContextData", kContextFields);

constexpr FieldSpec kExitFields[] = {
    {1, WireKind::kInt64, Slot::kNone, "result", nullptr},
    {2, WireKind::kInt64, Slot::kNone, "errorno", nullptr},
};
constexpr MessageSpec kExitSpec = MakeSpec("Exit", kExitFields);

constexpr FieldSpec kTimespecFields[] = {
    {1, WireKind::kInt64, Slot::kNone, "sec", nullptr},
    {2, WireKind::kInt64, Slot::kNone, "nsec", nullptr},
};
constexpr MessageSpec kTimespecSpec = MakeSpec("Timespec", kTimespecFields);

constexpr FieldSpec kSocketIpFields[] = {
    {1, WireKind::kUint32, Slot::kNone, "family", nullptr},
    {2, WireKind::kBytes, Slot::kNone, "ip", nullptr},
    {3, WireKind::kUint32, Slot::kNone, "port", nullptr},
};
constexpr MessageSpec kSocketIpSpec = MakeSpec("SocketIp", kSocketIpFields);

constexpr FieldSpec kSocketInfoFields[] = {
    {1, WireKind::kUint32, Slot::kNone, "family", nullptr},
    {2, WireKind::kMessage, Slot::kNone, "local", &kSocketIpSpec},
    {3, WireKind::kMessage, Slot::kNone, "remote", &kSocketIpSpec},
};
constexpr MessageSpec kSocketInfoSpec = MakeSpec("SocketInfo", kSocketInfoFields);

constexpr FieldSpec kFdInfoFields[] = {
    {1, WireKind::kUint32, Slot::kNone, "mode", nullptr},
    {2, WireKind::kUint64, Slot::kNone, "ino", nullptr},
    {3, WireKind::kText, Slot::kNone, "path", nullptr},
    {4, WireKind::kMessage, Slot::kNone, "socket", &kSocketInfoSpec},
};
constexpr MessageSpec kFdInfoSpec = MakeSpec("FdInfo", kFdInfoFields);

constexpr FieldSpec kStructRlimitFields[] = {
    {1, WireKind::kUint64, Slot::kNone, "cur", nullptr},
    {2, WireKind::kUint64, Slot::kNone, "max", nullptr},
};
constexpr MessageSpec kStructRlimitSpec = MakeSpec("StructRlimit", kStructRlimitFields);

constexpr FieldSpec kItimerSpecFields[] = {
    {1, WireKind::kMessage, Slot::kNone, "interval", &kTimespecSpec},
    {2, WireKind::kMessage, Slot::kNone, "value", &kTimespecSpec},
};
constexpr MessageSpec kItimerSpecSpec = MakeSpec("ItimerSpec", kItimerSpecFields);

constexpr FieldSpec kPipeProcInfoFields[] = {
    {1, WireKind::kMessage, Slot::kNone, "context_data", &kContextSpec},
};
constexpr MessageSpec kPipeProcInfoSpec = MakeSpec("PipeProcInfo", kPipeProcInfoFields);

constexpr FieldSpec kStartFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kText, Slot::kStartId, "id", nullptr},
    {3, WireKind::kText, Slot::kCwd, "cwd", nullptr},
    {4, WireKind::kTexts, Slot::kArgv, "args", nullptr},
    {5, WireKind::kTexts, Slot::kEnv, "env", nullptr},
    {6, WireKind::kBool, Slot::kTerminal, "terminal", nullptr},
};
constexpr FieldSpec kCloneInfoFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {3, WireKind::kInt32, Slot::kCreatedThreadId, "created_thread_id", nullptr},
    {4, WireKind::kInt32, Slot::kCreatedThreadGroupId, "created_thread_group_id", nullptr},
    {5, WireKind::kInt64, Slot::kCreatedThreadStartTimeNs, "created_thread_start_time_ns", nullptr},
    {6, WireKind::kUint64, Slot::kFlags, "flags", nullptr},
};
constexpr FieldSpec kExecveInfoFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kText, Slot::kBinaryPath, "binary_path", nullptr},
    {3, WireKind::kTexts, Slot::kArgv, "argv", nullptr},
    {4, WireKind::kTexts, Slot::kEnv, "env", nullptr},
    {5, WireKind::kUint32, Slot::kBinaryMode, "binary_mode", nullptr},
    {6, WireKind::kUint32, Slot::kBinaryUid, "binary_uid", nullptr},
    {7, WireKind::kUint32, Slot::kBinaryGid, "binary_gid", nullptr},
    {8, WireKind::kBytes, Slot::kBinarySha256, "binary_sha256", nullptr},
    {9, WireKind::kBool, Slot::kBinaryOverlayfsUpper, "binary_overlayfs_upper", nullptr},
    {10, WireKind::kUint64, Slot::kBinaryIno, "binary_ino", nullptr},
    {11, WireKind::kMessage, Slot::kBinaryCtime, "binary_ctime", &kTimespecSpec},
    {12, WireKind::kMessage, Slot::kStdin, "stdin", &kFdInfoSpec},
    {13, WireKind::kMessage, Slot::kStdout, "stdout", &kFdInfoSpec},
    {14, WireKind::kMessage, Slot::kStderr, "stderr", &kFdInfoSpec},
    {15, WireKind::kBool, Slot::kBinaryOverlayfsLower, "binary_overlayfs_lower", nullptr},
    {16, WireKind::kBytes, Slot::kBinarySha1, "binary_sha1", nullptr},
    {17, WireKind::kText, Slot::kExecfn, "execfn", nullptr},
    {18, WireKind::kInt64, Slot::kBinarySize, "binary_size", nullptr},
    {19, WireKind::kUint32, Slot::kBinaryNlink, "binary_nlink", nullptr},
    {20, WireKind::kBool, Slot::kBinaryInMemfd, "binary_in_memfd", nullptr},
    {21, WireKind::kMessage, Slot::kPipeInputProc, "pipe_input_proc", &kPipeProcInfoSpec},
    {22, WireKind::kMessage, Slot::kPipeOutputProc, "pipe_output_proc", &kPipeProcInfoSpec},
};
constexpr FieldSpec kExitNotifyParentInfoFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kInt32, Slot::kExitStatus, "exit_status", nullptr},
};
constexpr FieldSpec kTaskExitFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kInt32, Slot::kExitStatus, "exit_status", nullptr},
};
constexpr FieldSpec kSyscallFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {4, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {5, WireKind::kUint64, Slot::kArg1, "arg1", nullptr},
    {6, WireKind::kUint64, Slot::kArg2, "arg2", nullptr},
    {7, WireKind::kUint64, Slot::kArg3, "arg3", nullptr},
    {8, WireKind::kUint64, Slot::kArg4, "arg4", nullptr},
    {9, WireKind::kUint64, Slot::kArg5, "arg5", nullptr},
    {10, WireKind::kUint64, Slot::kArg6, "arg6", nullptr},
};
constexpr FieldSpec kOpenFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt64, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kText, Slot::kPathname, "pathname", nullptr},
    {7, WireKind::kUint32, Slot::kFlags, "flags", nullptr},
    {8, WireKind::kUint32, Slot::kMode, "mode", nullptr},
};
constexpr FieldSpec kCloseFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt64, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
};
constexpr FieldSpec kReadFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt64, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kUint64, Slot::kByteCount, "count", nullptr},
    {7, WireKind::kBool, Slot::kHasOffset, "has_offset", nullptr},
    {8, WireKind::kInt64, Slot::kOffset, "offset", nullptr},
    {9, WireKind::kUint32, Slot::kFlags, "flags", nullptr},
};
constexpr FieldSpec kConnectFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt64, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kBytes, Slot::kAddress, "address", nullptr},
};
constexpr FieldSpec kExecveFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt64, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kText, Slot::kPathname, "pathname", nullptr},
    {7, WireKind::kTexts, Slot::kArgv, "argv", nullptr},
    {8, WireKind::kTexts, Slot::kEnvv, "envv", nullptr},
    {9, WireKind::kUint32, Slot::kFlags, "flags", nullptr},
};
constexpr FieldSpec kSocketFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kDomain, "domain", nullptr},
    {5, WireKind::kInt32, Slot::kType, "type", nullptr},
    {6, WireKind::kInt32, Slot::kProtocol, "protocol", nullptr},
};
constexpr FieldSpec kChdirFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt64, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kText, Slot::kPathname, "pathname", nullptr},
};
constexpr FieldSpec kSetidFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kUint32, Slot::kId, "id", nullptr},
};
constexpr FieldSpec kSetresidFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kUint32, Slot::kRid, "rid", nullptr},
    {5, WireKind::kUint32, Slot::kEid, "eid", nullptr},
    {6, WireKind::kUint32, Slot::kSid, "sid", nullptr},
};
constexpr FieldSpec kPrlimitFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kPid, "pid", nullptr},
    {5, WireKind::kInt64, Slot::kResource, "resource", nullptr},
    {6, WireKind::kMessage, Slot::kNewLimit, "new_limit", &kStructRlimitSpec},
    {7, WireKind::kMessage, Slot::kOldLimit, "old_limit", &kStructRlimitSpec},
};
constexpr FieldSpec kPipeFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kUint32, Slot::kFlags, "flags", nullptr},
    {5, WireKind::kInt32, Slot::kReader, "reader", nullptr},
    {6, WireKind::kInt32, Slot::kWriter, "writer", nullptr},
};
constexpr FieldSpec kFcntlFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kInt32, Slot::kCmd, "cmd", nullptr},
    {7, WireKind::kInt64, Slot::kArg, "args", nullptr},
};
constexpr FieldSpec kDupFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kOldFd, "old_fd", nullptr},
    {5, WireKind::kInt32, Slot::kNewFd, "new_fd", nullptr},
    {6, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {7, WireKind::kUint32, Slot::kFlags, "flags", nullptr},
};
constexpr FieldSpec kSignalfdFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kUint64, Slot::kSigset, "sigset", nullptr},
    {7, WireKind::kInt32, Slot::kFlags, "flags", nullptr},
};
constexpr FieldSpec kChrootFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kText, Slot::kPathname, "pathname", nullptr},
};
constexpr FieldSpec kEventfdFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kVal, "val", nullptr},
    {5, WireKind::kUint32, Slot::kFlags, "flags", nullptr},
};
constexpr FieldSpec kCloneFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kUint64, Slot::kFlags, "flags", nullptr},
    {5, WireKind::kUint64, Slot::kStack, "stack", nullptr},
    {6, WireKind::kUint64, Slot::kNewTid, "new_tid", nullptr},
    {7, WireKind::kUint64, Slot::kTls, "tls", nullptr},
};
constexpr FieldSpec kBindFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kBytes, Slot::kAddress, "address", nullptr},
};
constexpr FieldSpec kAcceptFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kBytes, Slot::kAddress, "address", nullptr},
    {7, WireKind::kInt32, Slot::kFlags, "flags", nullptr},
};
constexpr FieldSpec kTimerfdCreateFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kClockId, "clock_id", nullptr},
    {5, WireKind::kInt32, Slot::kFlags, "flags", nullptr},
};
constexpr FieldSpec kTimerfdSetTimeFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kInt32, Slot::kFlags, "flags", nullptr},
    {7, WireKind::kMessage, Slot::kNewValue, "new_value", &kItimerSpecSpec},
    {8, WireKind::kMessage, Slot::kOldValue, "old_value", &kItimerSpecSpec},
};
constexpr FieldSpec kTimerfdGetTimeFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kMessage, Slot::kCurValue, "cur_value", &kItimerSpecSpec},
};
constexpr FieldSpec kForkFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
};
constexpr FieldSpec kInotifyInitFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kFlags, "flags", nullptr},
};
constexpr FieldSpec kInotifyAddWatchFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kText, Slot::kPathname, "pathname", nullptr},
    {7, WireKind::kUint32, Slot::kMask, "mask", nullptr},
};
constexpr FieldSpec kInotifyRmWatchFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kInt32, Slot::kWd, "wd", nullptr},
};
constexpr FieldSpec kSocketPairFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kDomain, "domain", nullptr},
    {5, WireKind::kInt32, Slot::kType, "type", nullptr},
    {6, WireKind::kInt32, Slot::kProtocol, "protocol", nullptr},
    {7, WireKind::kInt32, Slot::kSocket1, "socket1", nullptr},
    {8, WireKind::kInt32, Slot::kSocket2, "socket2", nullptr},
};
constexpr FieldSpec kWriteFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt64, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kUint64, Slot::kByteCount, "count", nullptr},
    {7, WireKind::kBool, Slot::kHasOffset, "has_offset", nullptr},
    {8, WireKind::kInt64, Slot::kOffset, "offset", nullptr},
    {9, WireKind::kUint32, Slot::kFlags, "flags", nullptr},
};
constexpr FieldSpec kMmapInfoFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kText, Slot::kMappedPath, "mapped_path", nullptr},
    {3, WireKind::kUint64, Slot::kMappedIno, "mapped_ino", nullptr},
    {4, WireKind::kUint32, Slot::kMappedMode, "mapped_mode", nullptr},
    {5, WireKind::kUint32, Slot::kMappedUid, "mapped_uid", nullptr},
    {6, WireKind::kUint32, Slot::kMappedGid, "mapped_gid", nullptr},
    {7, WireKind::kBool, Slot::kIsInitialMmap, "is_initial_mmap", nullptr},
    {8, WireKind::kMessage, Slot::kMappedCtime, "mapped_ctime", &kTimespecSpec},
    {9, WireKind::kBool, Slot::kOverlayfsUpper, "overlayfs_upper", nullptr},
    {10, WireKind::kBool, Slot::kOverlayfsLower, "overlayfs_lower", nullptr},
};
constexpr FieldSpec kMmapFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt64, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kUint64, Slot::kAddr, "addr", nullptr},
    {7, WireKind::kUint64, Slot::kLength, "length", nullptr},
    {8, WireKind::kUint32, Slot::kProt, "prot", nullptr},
    {9, WireKind::kUint32, Slot::kFlags, "flags", nullptr},
    {10, WireKind::kInt64, Slot::kOffset, "offset", nullptr},
};
constexpr FieldSpec kListenFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt32, Slot::kFd, "fd", nullptr},
    {5, WireKind::kText, Slot::kFdPath, "fd_path", nullptr},
    {6, WireKind::kInt32, Slot::kBacklog, "backlog", nullptr},
    {7, WireKind::kBytes, Slot::kAddress, "address", nullptr},
    {8, WireKind::kInt32, Slot::kSocketFamily, "socket_family", nullptr},
    {9, WireKind::kInt32, Slot::kSocketType, "socket_type", nullptr},
};
constexpr FieldSpec kPtraceFields[] = {
    {1, WireKind::kContext, Slot::kNone, "context_data", &kContextSpec},
    {2, WireKind::kExit, Slot::kNone, "exit", &kExitSpec},
    {3, WireKind::kUint64, Slot::kSysno, "sysno", nullptr},
    {4, WireKind::kInt64, Slot::kRequest, "request", nullptr},
    {5, WireKind::kInt32, Slot::kPid, "pid", nullptr},
};
constexpr MessageSpec kMessages[] = {
    MakeSpec("", {}),
    MakeSpec("Start", kStartFields),
    MakeSpec("CloneInfo", kCloneInfoFields),
    MakeSpec("ExecveInfo", kExecveInfoFields),
    MakeSpec("ExitNotifyParentInfo", kExitNotifyParentInfoFields),
    MakeSpec("TaskExit", kTaskExitFields),
    MakeSpec("Syscall", kSyscallFields),
    MakeSpec("Open", kOpenFields),
    MakeSpec("Close", kCloseFields),
    MakeSpec("Read", kReadFields),
    MakeSpec("Connect", kConnectFields),
    MakeSpec("Execve", kExecveFields),
    MakeSpec("Socket", kSocketFields),
    MakeSpec("Chdir", kChdirFields),
    MakeSpec("Setid", kSetidFields),
    MakeSpec("Setresid", kSetresidFields),
    MakeSpec("Prlimit", kPrlimitFields),
    MakeSpec("Pipe", kPipeFields),
    MakeSpec("Fcntl", kFcntlFields),
    MakeSpec("Dup", kDupFields),
    MakeSpec("Signalfd", kSignalfdFields),
    MakeSpec("Chroot", kChrootFields),
    MakeSpec("Eventfd", kEventfdFields),
    MakeSpec("Clone", kCloneFields),
    MakeSpec("Bind", kBindFields),
    MakeSpec("Accept", kAcceptFields),
    MakeSpec("TimerfdCreate", kTimerfdCreateFields),
    MakeSpec("TimerfdSetTime", kTimerfdSetTimeFields),
    MakeSpec("TimerfdGetTime", kTimerfdGetTimeFields),
    MakeSpec("Fork", kForkFields),
    MakeSpec("InotifyInit", kInotifyInitFields),
    MakeSpec("InotifyAddWatch", kInotifyAddWatchFields),
    MakeSpec("InotifyRmWatch", kInotifyRmWatchFields),
    MakeSpec("SocketPair", kSocketPairFields),
    MakeSpec("Write", kWriteFields),
    MakeSpec("MmapInfo", kMmapInfoFields),
    MakeSpec("Mmap", kMmapFields),
    MakeSpec("Listen", kListenFields),
    MakeSpec("Ptrace", kPtraceFields),
};

constexpr PointDef kPoints[] = {
    {MessageType::kContainerStart, "container/start", -1, -1, "execve", "env"},
    {MessageType::kSentryClone, "sentry/clone", -1, -1, "clone", ""},
    {MessageType::kSentryExec, "sentry/execve", -1, -1, "execve", "binary_info|binary_sha256|binary_sha1|fd_info|pipe_proc_info"},
    {MessageType::kSentryExitNotifyParent, "sentry/exit_notify_parent", -1, -1, "", ""},
    {MessageType::kSentryTaskExit, "sentry/task_exit", -1, -1, "procexit", ""},
    {MessageType::kOpen, "syscall/open", 2, -1, "open", ""},
    {MessageType::kOpen, "syscall/openat", 257, 56, "openat", "fd_path"},
    {MessageType::kOpen, "syscall/creat", 85, -1, "creat", "fd_path"},
    {MessageType::kClose, "syscall/close", 3, 57, "close", "fd_path"},
    {MessageType::kRead, "syscall/read", 0, 63, "read", "fd_path"},
    {MessageType::kRead, "syscall/pread64", 17, 67, "pread", "fd_path"},
    {MessageType::kRead, "syscall/readv", 19, 65, "readv", "fd_path"},
    {MessageType::kRead, "syscall/preadv", 295, 69, "preadv", "fd_path"},
    {MessageType::kRead, "syscall/preadv2", 327, 286, "preadv2", "fd_path"},
    {MessageType::kConnect, "syscall/connect", 42, 203, "connect", "fd_path"},
    {MessageType::kExecve, "syscall/execve", 59, 221, "execve", "envv"},
    {MessageType::kExecve, "syscall/execveat", 322, 281, "execveat", "fd_path|envv"},
    {MessageType::kSocket, "syscall/socket", 41, 198, "socket", ""},
    {MessageType::kChdir, "syscall/chdir", 80, 49, "chdir", ""},
    {MessageType::kChdir, "syscall/fchdir", 81, 50, "fchdir", "fd_path"},
    {MessageType::kSetid, "syscall/setuid", 105, 146, "setuid", ""},
    {MessageType::kSetid, "syscall/setgid", 106, 144, "setgid", ""},
    {MessageType::kSetid, "syscall/setsid", 112, 157, "setsid", ""},
    {MessageType::kSetresid, "syscall/setresuid", 117, 147, "setresuid", ""},
    {MessageType::kSetresid, "syscall/setresgid", 119, 149, "setresgid", ""},
    {MessageType::kPrlimit64, "syscall/prlimit64", 302, 261, "prlimit", ""},
    {MessageType::kPipe, "syscall/pipe", 22, -1, "pipe", ""},
    {MessageType::kPipe, "syscall/pipe2", 293, 59, "pipe2", ""},
    {MessageType::kFcntl, "syscall/fcntl", 72, 25, "fcntl", "fd_path"},
    {MessageType::kDup, "syscall/dup", 32, 23, "dup", "fd_path"},
    {MessageType::kDup, "syscall/dup2", 33, -1, "dup2", "fd_path"},
    {MessageType::kDup, "syscall/dup3", 292, 24, "dup3", "fd_path"},
    {MessageType::kSignalfd, "syscall/signalfd", 282, -1, "signalfd", "fd_path"},
    {MessageType::kSignalfd, "syscall/signalfd4", 289, 74, "signalfd4", "fd_path"},
    {MessageType::kChroot, "syscall/chroot", 161, 51, "chroot", ""},
    {MessageType::kEventfd, "syscall/eventfd", 284, -1, "eventfd", ""},
    {MessageType::kEventfd, "syscall/eventfd2", 290, 19, "eventfd2", ""},
    {MessageType::kClone, "syscall/clone", 56, 220, "clone", ""},
    {MessageType::kBind, "syscall/bind", 49, 200, "bind", "fd_path"},
    {MessageType::kAccept, "syscall/accept", 43, 202, "accept", "fd_path"},
    {MessageType::kAccept, "syscall/accept4", 288, 242, "accept4", "fd_path"},
    {MessageType::kTimerfdCreate, "syscall/timerfd_create", 283, 85, "timerfd_create", ""},
    {MessageType::kTimerfdSetTime, "syscall/timerfd_settime", 286, 86, "timerfd_settime", "fd_path"},
    {MessageType::kTimerfdGetTime, "syscall/timerfd_gettime", 287, 87, "timerfd_gettime", "fd_path"},
    {MessageType::kFork, "syscall/fork", 57, -1, "fork", ""},
    {MessageType::kFork, "syscall/vfork", 58, -1, "vfork", ""},
    {MessageType::kInotifyInit, "syscall/inotify_init", 253, -1, "inotify_init", ""},
    {MessageType::kInotifyInit, "syscall/inotify_init1", 294, 26, "inotify_init1", ""},
    {MessageType::kInotifyAddWatch, "syscall/inotify_add_watch", 254, 27, "inotify_add_watch", "fd_path"},
    {MessageType::kInotifyRmWatch, "syscall/inotify_rm_watch", 255, 28, "inotify_rm_watch", "fd_path"},
    {MessageType::kSocketPair, "syscall/socketpair", 53, 199, "socketpair", ""},
    {MessageType::kWrite, "syscall/write", 1, 64, "write", "fd_path"},
    {MessageType::kWrite, "syscall/pwrite64", 18, 68, "pwrite", "fd_path"},
    {MessageType::kWrite, "syscall/writev", 20, 66, "writev", "fd_path"},
    {MessageType::kWrite, "syscall/pwritev", 296, 70, "pwritev", "fd_path"},
    {MessageType::kWrite, "syscall/pwritev2", 328, 287, "pwritev2", "fd_path"},
    {MessageType::kSentryMmap, "sentry/mmap", -1, -1, "map_file", ""},
    {MessageType::kMmap, "syscall/mmap", 9, 222, "mmap", "fd_path"},
    {MessageType::kListen, "syscall/listen", 50, 201, "listen", "fd_path"},
    {MessageType::kPtrace, "syscall/ptrace", 101, 117, "ptrace", ""},
};
// clang-format on

static_assert(std::size(kMessages) == kMessageTypeCount);

constexpr std::array<std::string_view, 11> kContextFieldNames = {"time",
                                                                 "thread_id",
                                                                 "task_start_time",
                                                                 "group_id",
                                                                 "thread_group_start_time",
                                                                 "container_id",
                                                                 "credentials",
                                                                 "cwd",
                                                                 "process_name",
                                                                 "parent_thread_group_id",
                                                                 "is_exec_session"};
constexpr std::array<std::string_view, 9> kExitNotifyContextFieldNames = {"time",
                                                                          "thread_id",
                                                                          "task_start_time",
                                                                          "group_id",
                                                                          "thread_group_start_time",
                                                                          "container_id",
                                                                          "credentials",
                                                                          "process_name",
                                                                          "parent_thread_group_id"};

int16_t Sysno(const PointDef& point, Arch arch) {
  return arch == Arch::kX86_64 ? point.sysno_x86_64 : point.sysno_aarch64;
}

const PointDef* FindBySysno(uint64_t sysno, Arch arch) {
  const auto found = std::ranges::find_if(kPoints, [&](const PointDef& point) {
    return Sysno(point, arch) >= 0 && static_cast<uint64_t>(Sysno(point, arch)) == sysno;
  });
  return found == std::end(kPoints) ? nullptr : &*found;
}

// Built once: what every number and every message stands for.
struct PointIndex {
  static constexpr uint64_t kSysnoEnd = 512;  // beyond every number either architecture has
  // By Arch; without a point: no schematised one.
  std::array<std::array<PointRef, kSysnoEnd>, 2> by_sysno;
  std::array<PointRef, kMessageTypeCount> by_message;  // those that are no system calls

  // Out of line: who asks only looks whether it is there.
  [[gnu::noinline]] PointIndex() {
    for (const Arch arch : {Arch::kX86_64, Arch::kAarch64}) {
      for (uint64_t sysno = 0; sysno < kSysnoEnd; ++sysno) {
        const PointDef* point = FindBySysno(sysno, arch);
        by_sysno[static_cast<size_t>(arch)][sysno] = {
            .point = point,
            .event_type =
                FindEventType(point != nullptr ? point->event_type : SyscallName(arch, sysno))};
      }
    }
    for (const PointDef& point : kPoints) {
      if (point.is_syscall()) continue;
      by_message[static_cast<size_t>(point.message)] = {&point, FindEventType(point.event_type)};
    }
  }
};

const PointIndex& Index() {
  static const PointIndex index;
  return index;
}

const PointRef& FindSyscall(uint64_t sysno, Arch arch) {
  static constexpr PointRef kUnknown;
  const auto& syscalls = Index().by_sysno[static_cast<size_t>(arch)];
  return sysno < syscalls.size() ? syscalls[sysno] : kUnknown;
}

}  // namespace

const MessageSpec* FindMessage(uint16_t type) {
  return type > 0 && type < kMessageTypeCount ? &kMessages[type] : nullptr;
}

const MessageSpec& FdInfoSpec() {
  return kFdInfoSpec;
}
const MessageSpec& TimespecSpec() {
  return kTimespecSpec;
}
const MessageSpec& RlimitSpec() {
  return kStructRlimitSpec;
}

std::span<const PointDef> Points() {
  return kPoints;
}

PointRef ResolvePoint(MessageType message, uint64_t sysno, Arch arch) {
  const PointRef& syscall = FindSyscall(sysno, arch);
  if (message == MessageType::kRaw) return {nullptr, syscall.event_type};
  if (syscall.point != nullptr && syscall.point->message == message) return syscall;
  return Index().by_message[static_cast<size_t>(message)];
}

std::string SentPointName(MessageType message, uint64_t sysno, bool is_exit, Arch arch) {
  const PointDef* point = ResolvePoint(message, sysno, arch).point;
  std::string name =
      point == nullptr ? "syscall/sysno/" + std::to_string(sysno) : std::string(point->name);
  if (point == nullptr || point->is_syscall()) name += is_exit ? "/exit" : "/enter";
  return name;
}

std::string_view OptionalFieldOf(MessageType message, std::string_view field) {
  if (field == "fd_path" || field == "envv" || field == "binary_sha256" || field == "binary_sha1") {
    return field;
  }
  if (message == MessageType::kContainerStart) return field == "env" ? field : "";
  if (message != MessageType::kSentryExec) return {};
  if (field.starts_with("std")) return "fd_info";
  if (field.starts_with("pipe_")) return "pipe_proc_info";
  return field.starts_with("binary_") && field != "binary_path" ? "binary_info" : "";
}

std::span<const std::string_view> ContextFields(const PointDef& point) {
  if (point.message == MessageType::kSentryExitNotifyParent) return kExitNotifyContextFieldNames;
  return kContextFieldNames;
}

std::span<const std::string_view> AllContextFields() {
  return kContextFieldNames;
}

const PointDef* SchematisedPoint(uint64_t sysno, Arch arch) {
  return FindSyscall(sysno, arch).point;
}

}  // namespace gyrfalcon
