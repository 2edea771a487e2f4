#include "runsc/fact_supply.h"

namespace gyrfalcon {
namespace {

constexpr std::string_view kSetsid = "syscall/setsid/exit";
constexpr std::string_view kOpens = "syscall/open/exit syscall/openat/exit syscall/creat/exit";
constexpr std::string_view kOpenEnters =
    "syscall/open/enter syscall/openat/enter syscall/creat/enter";
// Calls that make descriptors, or say what one is.
constexpr std::string_view kFdCalls =
    "syscall/open/exit syscall/openat/exit syscall/creat/exit syscall/socket/exit "
    "syscall/socketpair/exit syscall/connect/exit syscall/accept/exit syscall/accept4/exit "
    "syscall/dup/exit syscall/dup2/exit syscall/dup3/exit syscall/fcntl/exit syscall/pipe/exit "
    "syscall/pipe2/exit";
constexpr std::string_view kServerCalls = "syscall/bind/exit syscall/listen/exit";
constexpr std::string_view kAnonymousFds =
    "syscall/eventfd/exit syscall/eventfd2/exit syscall/signalfd/exit syscall/signalfd4/exit "
    "syscall/timerfd_create/exit syscall/inotify_init/exit syscall/inotify_init1/exit";
constexpr std::string_view kClose = "syscall/close/exit";
constexpr std::string_view kExecExits = "syscall/execve/exit syscall/execveat/exit";
constexpr std::string_view kExecEnters = "syscall/execve/enter syscall/execveat/enter";
// What every program soon does.
constexpr std::string_view kFirstSigns = "syscall/openat/enter syscall/openat/exit";
constexpr std::string_view kSetIds =
    "syscall/setuid/exit syscall/setgid/exit syscall/setresuid/exit syscall/setresgid/exit";
constexpr std::string_view kExec = "sentry/execve";
constexpr std::string_view kStart = "container/start";

using enum Where;
using enum Need;

constexpr SupplyRow kRows[] = {
    // process_name is in every message already.
    {Fact::kEnvironment, kPoints, kStart, {}, "env"},
    {Fact::kEnvironment, kState, kExec},
    {Fact::kEnvironment, kIfAsked, kExecExits, {}, "envv", {}, kExtra},
    {Fact::kBinaryInfo, kPoints, kExec, {}, "binary_info"},
    {Fact::kSha256, kPoints, kExec, {}, "binary_sha256"},
    {Fact::kSha1, kPoints, kExec, {}, "binary_sha1"},
    {Fact::kPipePeers, kPoints, kExec, {}, "pipe_proc_info"},
    {Fact::kCredentials, kOwn, {}, "credentials"},
    {Fact::kCredentials, kState, kSetIds, {}, {}, {}, kInstead},
    {Fact::kFolder, kOwn, {}, "cwd", "fd_path", {}, kExtra},
    {Fact::kFolder,
     kIfAsked,
     "container/start syscall/open/enter syscall/openat/enter syscall/creat/enter",
     "cwd",
     {},
     {},
     kAny},
    {Fact::kFolder, kState, kFirstSigns, "cwd", {}, "execve", kAny},
    {Fact::kFolder, kPoints, "syscall/chdir/exit", {}, {}, {}, kDetail},
    {Fact::kFolder, kPoints, "syscall/fchdir/exit", {}, "fd_path", {}, kDetail},
    {Fact::kFolder, kPoints, "sentry/clone sentry/execve", "cwd", {}, {}, kInstead},
    {Fact::kTerminal, kPoints, kExec, {}, "fd_info"},
    {Fact::kTerminal, kState, kStart},  // it says whether the container has one
    {Fact::kTerminal, kPoints, kSetsid, {}, {}, {}, kDetail},
    {Fact::kSession, kPoints, kSetsid},
    {Fact::kFdLimit, kPoints, "syscall/prlimit64/exit"},
    {Fact::kFds, kOwn, {}, {}, "fd_path", {}, kInstead},
    {Fact::kFds, kPoints, kFdCalls, {}, "fd_path"},
    {Fact::kFds, kPoints, kServerCalls, {}, "fd_path", {}, kExtra},
    {Fact::kFds, kPoints, kOpens, "cwd", {}, {}, kExtra},
    // The enter: at a close's exit its file is gone.
    {Fact::kFds, kPoints, "syscall/close/enter", {}, "fd_path", "close"},
    {Fact::kFds, kPoints, kExec, {}, "fd_info", {}, kExtra},
    {Fact::kStandardFds, kPoints, kExec, {}, "fd_info"},
    {Fact::kStandardFds, kPoints, kFdCalls, {}, "fd_path"},
    {Fact::kStandardFds, kPoints, kServerCalls, {}, "fd_path", {}, kExtra},
    {Fact::kStandardFds, kPoints, kAnonymousFds, {}, {}, {}, kExtra},
    {Fact::kStandardFds, kPoints, kClose, {}, {}, {}, kDetail},
    {Fact::kFdTable, kPoints, kFdCalls, {}, "fd_path"},
    {Fact::kFdTable, kPoints, kServerCalls, {}, "fd_path", {}, kExtra},
    {Fact::kFdTable, kPoints, kAnonymousFds, {}, {}, {}, kDetail},
    {Fact::kFdTable, kPoints, kClose, {}, {}, {}, kDetail},
    {Fact::kFdTable, kPoints, kExec, {}, "fd_info", {}, kExtra},
    {Fact::kFdOrigin, kPoints, kFdCalls, {}, "fd_path"},
    {Fact::kFdOrigin, kPoints, kServerCalls, {}, "fd_path", {}, kExtra},
    {Fact::kFdOrigin, kPoints, kAnonymousFds, {}, {}, {}, kDetail},
    {Fact::kFdOrigin, kPoints, kClose, {}, {}, {}, kDetail},
    {Fact::kWritten, kPoints, kOpens, {}, "fd_path"},
    {Fact::kLayers, kPoints, "sentry/mmap"},
    {Fact::kTruePath, kPoints, "syscall/close/enter", {}, "fd_path"},
    {Fact::kTruePath, kPoints, kOpenEnters, {}, {}, {}, kDetail},
    {Fact::kTruePath, kPoints, "syscall/connect/enter", {}, {}, {}, kExtra},
    {Fact::kProgram, kState, kExec},
    {Fact::kProgram, kState, kStart, {}, {}, {}, kDetail},
    {Fact::kProgram, kState, kExecExits, {}, {}, {}, kInstead},
    // The path as passed: 2022's runsc tell it nowhere else, newer ones not with execveat.
    {Fact::kProgram, kState, kExecEnters, "thread_id", {}, {}, kDetail},
    // Without a thread's id a message is nobody's.
    {Fact::kProgram, kState, kExec, "thread_id", {}, {}, kDetail},
    {Fact::kProgram, kStateOwn, {}, "thread_id", {}, {}, kDetail},
    // The first program of an exec session is told by what it does.
    {Fact::kProgram, kState, kFirstSigns, "process_name", {}, "execve", kAny},
    {Fact::kParents, kState, "sentry/clone"},
    {Fact::kParents,
     kState,
     "syscall/clone/exit syscall/fork/exit syscall/vfork/exit sentry/exit_notify_parent",
     {},
     {},
     {},
     kInstead},
    {Fact::kParents, kStateOwn, {}, "parent_thread_group_id", {}, {}, kInstead},
    {Fact::kContainer, kStateOwn, {}, "container_id"},
    {Fact::kExecSession, kStateOwn, {}, "is_exec_session"},
    {Fact::kThread, kStateOwn, {}, "thread_id"},
    {Fact::kStartTimes, kStateOwn, {}, "thread_group_start_time"},
    // Its own id, which what it starts inherits.
    {Fact::kContainer, kState, kStart, {}, {}, {}, kInstead},
};

}  // namespace

std::span<const SupplyRow> FactSupply() {
  return kRows;
}

}  // namespace gyrfalcon
