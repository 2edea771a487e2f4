#include "fields/event_args.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/text.h"
#include "fields/flag_names.h"
#include "fields/time_text.h"
#include "fields/user_names.h"
#include "points/schema.h"
#include "state/sockaddr.h"

namespace gyrfalcon {
namespace {

struct ArgName {
  std::string_view name;
  FieldType raw_type;
  std::string_view falco_type;
  PrintFormat print;
};

// Every argument name in Falco's event table, with the type that the first event of the table has
// for it; a rule may name any of them.
// clang-format off
constexpr ArgName kArgNames[] = {
    {"ID", FieldType::kUint, "SYSCALLID", PrintFormat::kPlain},
    {"action", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"addr", FieldType::kOpaque, "SOCKADDR", PrintFormat::kPlain},
    {"arg", FieldType::kUint, "UINT64", PrintFormat::kHex},
    {"arg2", FieldType::kOpaque, "DYN", PrintFormat::kPlain},
    {"arg2_int", FieldType::kInt, "INT64", PrintFormat::kPlain},
    {"arg2_str", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"arg3", FieldType::kOpaque, "DYN", PrintFormat::kPlain},
    {"arg4", FieldType::kOpaque, "DYN", PrintFormat::kPlain},
    {"arg5", FieldType::kOpaque, "DYN", PrintFormat::kPlain},
    {"args", FieldType::kBytes, "BYTEBUF", PrintFormat::kPlain},
    {"argument", FieldType::kUint, "UINT64", PrintFormat::kHex},
    {"argv", FieldType::kBytes, "CHARBUFARRAY", PrintFormat::kPlain},
    {"aux", FieldType::kInt, "INT32", PrintFormat::kPlain},
    {"backlog", FieldType::kInt, "INT32", PrintFormat::kPlain},
    {"cap_effective", FieldType::kUint, "UINT64", PrintFormat::kHex},
    {"cap_inheritable", FieldType::kUint, "UINT64", PrintFormat::kHex},
    {"cap_permitted", FieldType::kUint, "UINT64", PrintFormat::kHex},
    {"cgroups", FieldType::kBytes, "BYTEBUF", PrintFormat::kPlain},
    {"clockid", FieldType::kUint, "UINT8", PrintFormat::kPlain},
    {"cmd", FieldType::kUint, "ENUMFLAGS8", PrintFormat::kPlain},
    {"comm", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"container_id", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"core", FieldType::kUint, "UINT8", PrintFormat::kPlain},
    {"cpu", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"cpu_sys", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"cpu_usr", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"cq_entries", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"creat_flags", FieldType::kUint, "FLAGS16", PrintFormat::kHex},
    {"cur", FieldType::kInt, "INT64", PrintFormat::kPlain},
    {"cwd", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"data", FieldType::kBytes, "BYTEBUF", PrintFormat::kPlain},
    {"desc", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"description", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"dev", FieldType::kUint, "UINT32", PrintFormat::kHex},
    {"dir", FieldType::kText, "FSPATH", PrintFormat::kPlain},
    {"dirfd", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"domain", FieldType::kUint, "ENUMFLAGS32", PrintFormat::kPlain},
    {"dpid", FieldType::kInt, "PID", PrintFormat::kPlain},
    {"dqb_bhardlimit", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"dqb_bsoftlimit", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"dqb_btime", FieldType::kUint, "RELTIME", PrintFormat::kPlain},
    {"dqb_curspace", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"dqb_ihardlimit", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"dqb_isoftlimit", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"dqb_itime", FieldType::kUint, "RELTIME", PrintFormat::kPlain},
    {"dqi_bgrace", FieldType::kUint, "RELTIME", PrintFormat::kPlain},
    {"dqi_flags", FieldType::kUint, "FLAGS8", PrintFormat::kPlain},
    {"dqi_igrace", FieldType::kUint, "RELTIME", PrintFormat::kPlain},
    {"egid", FieldType::kOpaque, "GID", PrintFormat::kPlain},
    {"entries", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"env", FieldType::kBytes, "BYTEBUF", PrintFormat::kPlain},
    {"error", FieldType::kUint, "FLAGS32", PrintFormat::kHex},
    {"euid", FieldType::kOpaque, "UID", PrintFormat::kPlain},
    {"event_data", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"event_type", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"exe", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"exe_ino", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"exe_ino_ctime", FieldType::kUint, "ABSTIME", PrintFormat::kPlain},
    {"exe_ino_mtime", FieldType::kUint, "ABSTIME", PrintFormat::kPlain},
    {"exe_ino_num", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"exepath", FieldType::kText, "FSPATH", PrintFormat::kPlain},
    {"fd", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"fd1", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"fd2", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"fd_in", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"fd_out", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"fd_type", FieldType::kUint, "FLAGS8", PrintFormat::kPlain},
    {"fdin", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"fdlimit", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"fdout", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"fds", FieldType::kOpaque, "FDLIST", PrintFormat::kPlain},
    {"features", FieldType::kUint, "FLAGS32", PrintFormat::kHex},
    {"filename", FieldType::kText, "FSPATH", PrintFormat::kPlain},
    {"first", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"flags", FieldType::kUint, "FLAGS32", PrintFormat::kHex},
    {"gid", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"home", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"how", FieldType::kUint, "ENUMFLAGS8", PrintFormat::kHex},
    {"id", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"image", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"img", FieldType::kBytes, "BYTEBUF", PrintFormat::kPlain},
    {"in_fd", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"initval", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"ino", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"ino_num", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"interval", FieldType::kUint, "RELTIME", PrintFormat::kPlain},
    {"ip", FieldType::kUint, "UINT64", PrintFormat::kHex},
    {"json", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"key", FieldType::kInt, "INT32", PrintFormat::kHex},
    {"last", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"len", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"length", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"level", FieldType::kUint, "ENUMFLAGS8", PrintFormat::kPlain},
    {"linkdirfd", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"linkpath", FieldType::kText, "FSPATH", PrintFormat::kPlain},
    {"local_ip", FieldType::kOpaque, "IPV4ADDR", PrintFormat::kHex},
    {"local_port", FieldType::kUint, "PORT", PrintFormat::kHex},
    {"loginuid", FieldType::kOpaque, "UID", PrintFormat::kPlain},
    {"mask", FieldType::kUint, "UINT32", PrintFormat::kHex},
    {"max", FieldType::kInt, "INT64", PrintFormat::kPlain},
    {"maxevents", FieldType::kInt, "ERRNO", PrintFormat::kPlain},
    {"min_complete", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"mnt_id", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"mode", FieldType::kUint, "UINT32", PrintFormat::kOctal},
    {"mountfd", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"msgcontrol", FieldType::kBytes, "BYTEBUF", PrintFormat::kPlain},
    {"name", FieldType::kText, "FSPATH", PrintFormat::kPlain},
    {"nativeID", FieldType::kUint, "UINT16", PrintFormat::kPlain},
    {"newcur", FieldType::kInt, "INT64", PrintFormat::kPlain},
    {"newdir", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"newdirfd", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"newfd", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"newmax", FieldType::kInt, "INT64", PrintFormat::kPlain},
    {"newpath", FieldType::kText, "FSPATH", PrintFormat::kPlain},
    {"next", FieldType::kInt, "PID", PrintFormat::kPlain},
    {"nr_args", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"nsems", FieldType::kInt, "INT32", PrintFormat::kPlain},
    {"nsops", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"nstype", FieldType::kUint, "FLAGS32", PrintFormat::kHex},
    {"offin", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"offout", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"offset", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"oldcur", FieldType::kInt, "INT64", PrintFormat::kPlain},
    {"olddir", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"olddirfd", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"oldfd", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"oldmax", FieldType::kInt, "INT64", PrintFormat::kPlain},
    {"oldpath", FieldType::kText, "FSPATH", PrintFormat::kPlain},
    {"op", FieldType::kUint, "FLAGS16", PrintFormat::kHex},
    {"opcode", FieldType::kUint, "ENUMFLAGS16", PrintFormat::kPlain},
    {"operation", FieldType::kUint, "FLAGS32", PrintFormat::kHex},
    {"option", FieldType::kUint, "ENUMFLAGS32", PrintFormat::kPlain},
    {"optlen", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"optname", FieldType::kUint, "ENUMFLAGS8", PrintFormat::kPlain},
    {"out_fd", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"path", FieldType::kText, "FSPATH", PrintFormat::kPlain},
    {"pathname", FieldType::kText, "FSRELPATH", PrintFormat::kPlain},
    {"peer", FieldType::kUint, "UINT64", PrintFormat::kHex},
    {"pgft_maj", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"pgft_min", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"pgid", FieldType::kInt, "PID", PrintFormat::kPlain},
    {"pgoffset", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"pid", FieldType::kInt, "PID", PrintFormat::kPlain},
    {"pid_fd", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"pidns_init_start_ts", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"plugin_id", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"pos", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"ppid", FieldType::kInt, "PID32", PrintFormat::kPlain},
    {"prot", FieldType::kUint, "FLAGS32", PrintFormat::kHex},
    {"proto", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"ptid", FieldType::kInt, "PID", PrintFormat::kPlain},
    {"queuelen", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"queuemax", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"queuepct", FieldType::kUint, "UINT8", PrintFormat::kPlain},
    {"quota_fmt", FieldType::kUint, "FLAGS8", PrintFormat::kPlain},
    {"quota_fmt_out", FieldType::kUint, "FLAGS8", PrintFormat::kPlain},
    {"quotafilepath", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"ratio", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"reaper_tid", FieldType::kInt, "PID", PrintFormat::kPlain},
    {"remote_ip", FieldType::kOpaque, "IPV4ADDR", PrintFormat::kHex},
    {"remote_port", FieldType::kUint, "PORT", PrintFormat::kHex},
    {"request", FieldType::kUint, "UINT64", PrintFormat::kHex},
    {"res", FieldType::kInt, "ERRNO", PrintFormat::kPlain},
    {"res_or_fd", FieldType::kOpaque, "DYN", PrintFormat::kPlain},
    {"resolve", FieldType::kUint, "FLAGS32", PrintFormat::kHex},
    {"resource", FieldType::kUint, "ENUMFLAGS8", PrintFormat::kPlain},
    {"ret", FieldType::kInt, "ERRNO", PrintFormat::kPlain},
    {"rgid", FieldType::kOpaque, "GID", PrintFormat::kPlain},
    {"root", FieldType::kText, "FSPATH", PrintFormat::kPlain},
    {"ruid", FieldType::kOpaque, "UID", PrintFormat::kPlain},
    {"scope", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"sem_flg_0", FieldType::kUint, "FLAGS16", PrintFormat::kHex},
    {"sem_flg_1", FieldType::kUint, "FLAGS16", PrintFormat::kHex},
    {"sem_num_0", FieldType::kUint, "UINT16", PrintFormat::kPlain},
    {"sem_num_1", FieldType::kUint, "UINT16", PrintFormat::kPlain},
    {"sem_op_0", FieldType::kInt, "INT16", PrintFormat::kPlain},
    {"sem_op_1", FieldType::kInt, "INT16", PrintFormat::kPlain},
    {"semflg", FieldType::kUint, "FLAGS32", PrintFormat::kHex},
    {"semid", FieldType::kInt, "INT32", PrintFormat::kPlain},
    {"semnum", FieldType::kInt, "INT32", PrintFormat::kPlain},
    {"sgid", FieldType::kOpaque, "GID", PrintFormat::kPlain},
    {"shell", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"sid", FieldType::kInt, "PID32", PrintFormat::kPlain},
    {"sig", FieldType::kUint, "SIGTYPE", PrintFormat::kPlain},
    {"sigmask", FieldType::kOpaque, "SIGSET", PrintFormat::kPlain},
    {"size", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"sk_pointer", FieldType::kUint, "UINT64", PrintFormat::kPlain},
    {"sk_proto", FieldType::kUint, "UINT16", PrintFormat::kPlain},
    {"sk_type", FieldType::kUint, "UINT16", PrintFormat::kPlain},
    {"source", FieldType::kUint, "UINT64", PrintFormat::kHex},
    {"special", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"spid", FieldType::kInt, "PID", PrintFormat::kPlain},
    {"sq_entries", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"sq_thread_cpu", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"sq_thread_idle", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"start_time", FieldType::kUint, "ABSTIME", PrintFormat::kPlain},
    {"status", FieldType::kInt, "ERRNO", PrintFormat::kPlain},
    {"suid", FieldType::kOpaque, "UID", PrintFormat::kPlain},
    {"sun_path", FieldType::kText, "FSPATH", PrintFormat::kPlain},
    {"tags", FieldType::kBytes, "CHARBUFARRAY", PrintFormat::kPlain},
    {"target", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"target_fd", FieldType::kInt, "FD", PrintFormat::kPlain},
    {"tid", FieldType::kInt, "PID", PrintFormat::kPlain},
    {"timeout", FieldType::kInt, "INT64", PrintFormat::kPlain},
    {"to_submit", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"trusted_exepath", FieldType::kText, "FSPATH", PrintFormat::kPlain},
    {"tty", FieldType::kInt, "INT32", PrintFormat::kPlain},
    {"tuple", FieldType::kOpaque, "SOCKTUPLE", PrintFormat::kPlain},
    {"type", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"uargs", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"uid", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"val", FieldType::kOpaque, "DYN", PrintFormat::kPlain},
    {"value_bytebuf", FieldType::kBytes, "BYTEBUF", PrintFormat::kPlain},
    {"value_charbuf", FieldType::kText, "CHARBUF", PrintFormat::kPlain},
    {"vm_rss", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"vm_size", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"vm_swap", FieldType::kUint, "UINT32", PrintFormat::kPlain},
    {"vpgid", FieldType::kInt, "PID", PrintFormat::kPlain},
    {"vpid", FieldType::kInt, "PID", PrintFormat::kPlain},
    {"vtgid", FieldType::kInt, "PID32", PrintFormat::kPlain},
    {"vtid", FieldType::kInt, "PID", PrintFormat::kPlain},
    {"whence", FieldType::kUint, "ENUMFLAGS8", PrintFormat::kPlain},
};
// clang-format on
static_assert(std::ranges::adjacent_find(kArgNames, std::ranges::greater_equal{}, &ArgName::name) ==
                  std::end(kArgNames),
              "kArgNames must be strictly sorted: lookup is a binary search");

// Where an argument's value comes from, and how Falco shows it.
enum class Kind : uint8_t {
  kUntold,  // gVisor does not tell it; it keeps the place of the next ones
  kReturn,  // the return value; resolved: the errno's name when negative
  kReturnFd,
  kReturnPid,
  kFd,
  kSigned,
  kUnsigned,
  kHex,
  kOctal,
  kNames,  // a number with names: `vocabulary`
  kMode,   // the same, in octal
  kText,
  kPath,     // resolved: the absolute path where the program passed another
  kOpened,   // the same for the path of an open, whose directory state knows
  kUid,      // resolved: the user's name
  kGid,      // resolved: the group's name
  kSignal,   // resolved: SIGKILL
  kPid,      // resolved: the process's name, of the own one and its ancestors
  kAddress,  // of bind and connect
  kTuple,    // fd.name of a connection
  kSysno,
  kLowWord,    // the lower half, in hexadecimal
  kSoftLimit,  // of a struct rlimit; -1 where there is none
  kHardLimit,
  kSocketFlags,  // the flags in socket's type
  kExitCode,
  kExitSignal,
  kExitCore,
  // Of the image that an exec put in place, or of the message when the exec failed.
  kExecExe,
  kExecArgs,
  kExecEnv,
  kExecPath,
  kExecFileName,
  kExecFlags,
  kExecInode,
  kExecChangeTime,
  kExecName,
  // Of the process.
  kName,
  kCwd,
  kTid,
  kTgid,
  kParentTgid,
  kGroupId,
  kFdLimit,
  kTerminal,
  kLoginUid,
  kEffectiveUid,
  kEffectiveGid,
  kCgroups,
  kContainerStart,
};

struct ArgDef {
  std::string_view name;
  Kind kind;
  Slot slot = Slot::kNone;
  Vocabulary vocabulary = Vocabulary::kCount;
};

using enum Kind;
using enum Vocabulary;

// Falco's arguments of each event type, in Falco's order (evt.arg[N] counts them).
// clang-format off
constexpr ArgDef kOpenArgs[] = {{"fd", kReturnFd}, {"name", kOpened, Slot::kPathname},
    {"flags", kNames, Slot::kFlags, kOpenFlags}, {"mode", kOctal, Slot::kMode}, {"dev", kUntold}, {"ino", kUntold}};
constexpr ArgDef kOpenatArgs[] = {{"fd", kReturnFd}, {"dirfd", kFd, Slot::kFd}, {"name", kOpened, Slot::kPathname},
    {"flags", kNames, Slot::kFlags, kOpenFlags}, {"mode", kOctal, Slot::kMode}, {"dev", kUntold}, {"ino", kUntold}};
constexpr ArgDef kCreatArgs[] = {{"fd", kReturnFd}, {"name", kOpened, Slot::kPathname}, {"mode", kOctal, Slot::kMode},
    {"dev", kUntold}, {"ino", kUntold}, {"creat_flags", kUntold}};
constexpr ArgDef kFdArgs[] = {{"res", kReturn}, {"fd", kFd, Slot::kFd}};
constexpr ArgDef kReadArgs[] = {{"res", kReturn}, {"data", kUntold}, {"fd", kFd, Slot::kFd},
    {"size", kUnsigned, Slot::kByteCount}};
constexpr ArgDef kPreadArgs[] = {{"res", kReturn}, {"data", kUntold}, {"fd", kFd, Slot::kFd},
    {"size", kUnsigned, Slot::kByteCount}, {"pos", kUnsigned, Slot::kOffset}};
constexpr ArgDef kReadvArgs[] = {{"res", kReturn}, {"size", kUnsigned, Slot::kByteCount}, {"data", kUntold},
    {"fd", kFd, Slot::kFd}};
constexpr ArgDef kPreadvArgs[] = {{"res", kReturn}, {"size", kUnsigned, Slot::kByteCount}, {"data", kUntold},
    {"fd", kFd, Slot::kFd}, {"pos", kUnsigned, Slot::kOffset}};
constexpr ArgDef kConnectArgs[] = {{"res", kReturn}, {"tuple", kTuple}, {"fd", kFd, Slot::kFd},
    {"addr", kAddress, Slot::kAddress}};
constexpr ArgDef kExecveArgs[] = {{"res", kReturn}, {"exe", kExecExe}, {"args", kExecArgs}, {"tid", kTid},
    {"pid", kTgid}, {"ptid", kParentTgid}, {"cwd", kCwd}, {"fdlimit", kFdLimit}, {"pgft_maj", kUntold},
    {"pgft_min", kUntold}, {"vm_size", kUntold}, {"vm_rss", kUntold}, {"vm_swap", kUntold}, {"comm", kExecName},
    {"cgroups", kCgroups}, {"env", kExecEnv}, {"tty", kTerminal}, {"vpgid", kGroupId}, {"loginuid", kLoginUid},
    {"flags", kExecFlags}, {"cap_inheritable", kUntold}, {"cap_permitted", kUntold}, {"cap_effective", kUntold},
    {"exe_ino", kExecInode}, {"exe_ino_ctime", kExecChangeTime}, {"exe_ino_mtime", kUntold}, {"uid", kEffectiveUid},
    {"trusted_exepath", kExecPath}, {"pgid", kGroupId}, {"gid", kEffectiveGid}, {"filename", kExecFileName}};
constexpr ArgDef kCloneArgs[] = {{"res", kReturnPid}, {"exe", kExecExe}, {"args", kExecArgs}, {"tid", kTid},
    {"pid", kTgid}, {"ptid", kParentTgid}, {"cwd", kCwd}, {"fdlimit", kFdLimit}, {"pgft_maj", kUntold},
    {"pgft_min", kUntold}, {"vm_size", kUntold}, {"vm_rss", kUntold}, {"vm_swap", kUntold}, {"comm", kName},
    {"cgroups", kCgroups}, {"flags", kNames, Slot::kFlags, kCloneFlags}, {"uid", kEffectiveUid},
    {"gid", kEffectiveGid}, {"vtid", kTid}, {"vpid", kTgid}, {"pidns_init_start_ts", kContainerStart}};
constexpr ArgDef kSocketArgs[] = {{"fd", kReturnFd}, {"domain", kNames, Slot::kDomain, kSocketDomains},
    {"type", kUnsigned, Slot::kType}, {"proto", kUnsigned, Slot::kProtocol},
    {"flags", kSocketFlags, Slot::kType, kFdFlags}};
constexpr ArgDef kChdirArgs[] = {{"res", kReturn}, {"path", kText, Slot::kPathname}};
constexpr ArgDef kSetuidArgs[] = {{"res", kReturn}, {"uid", kUid, Slot::kId}};
constexpr ArgDef kSetgidArgs[] = {{"res", kReturn}, {"gid", kGid, Slot::kId}};
constexpr ArgDef kSetsidArgs[] = {{"res", kReturnPid}};
constexpr ArgDef kSetresuidArgs[] = {{"res", kReturn}, {"ruid", kUid, Slot::kRid}, {"euid", kUid, Slot::kEid},
    {"suid", kUid, Slot::kSid}};
constexpr ArgDef kSetresgidArgs[] = {{"res", kReturn}, {"rgid", kGid, Slot::kRid}, {"egid", kGid, Slot::kEid},
    {"sgid", kGid, Slot::kSid}};
constexpr ArgDef kPrlimitArgs[] = {{"res", kReturn}, {"newcur", kSoftLimit, Slot::kNewLimit},
    {"newmax", kHardLimit, Slot::kNewLimit}, {"oldcur", kSoftLimit, Slot::kOldLimit},
    {"oldmax", kHardLimit, Slot::kOldLimit}, {"pid", kSigned, Slot::kPid},
    {"resource", kNames, Slot::kResource, kResources}};
constexpr ArgDef kPipeArgs[] = {{"res", kReturn}, {"fd1", kFd, Slot::kReader}, {"fd2", kFd, Slot::kWriter},
    {"ino", kUntold}};
constexpr ArgDef kPipe2Args[] = {{"res", kReturn}, {"fd1", kFd, Slot::kReader}, {"fd2", kFd, Slot::kWriter},
    {"ino", kUntold}, {"flags", kNames, Slot::kFlags, kFdFlags}};
constexpr ArgDef kFcntlArgs[] = {{"res", kReturnFd}, {"fd", kFd, Slot::kFd},
    {"cmd", kNames, Slot::kCmd, kFcntlCommands}, {"arg", kHex, Slot::kArg}};
constexpr ArgDef kDupArgs[] = {{"res", kReturnFd}, {"oldfd", kFd, Slot::kOldFd}};
constexpr ArgDef kDup2Args[] = {{"res", kReturnFd}, {"oldfd", kFd, Slot::kOldFd}, {"newfd", kFd, Slot::kNewFd}};
constexpr ArgDef kDup3Args[] = {{"res", kReturnFd}, {"oldfd", kFd, Slot::kOldFd}, {"newfd", kFd, Slot::kNewFd},
    {"flags", kNames, Slot::kFlags, kFdFlags}};
constexpr ArgDef kSignalfdArgs[] = {{"res", kReturnFd}, {"fd", kFd, Slot::kFd}, {"mask", kLowWord, Slot::kSigset},
    {"flags", kHex, Slot::kFlags}};
constexpr ArgDef kSignalfd4Args[] = {{"res", kReturnFd}, {"flags", kNames, Slot::kFlags, kFdFlags},
    {"fd", kFd, Slot::kFd}, {"mask", kLowWord, Slot::kSigset}};
constexpr ArgDef kChrootArgs[] = {{"res", kReturn}, {"path", kPath, Slot::kPathname}};
constexpr ArgDef kEventfdArgs[] = {{"res", kReturnFd}, {"initval", kUnsigned, Slot::kVal}, {"flags", kHex, Slot::kFlags}};
constexpr ArgDef kEventfd2Args[] = {{"res", kReturnFd}, {"flags", kNames, Slot::kFlags, kFdFlags},
    {"initval", kUnsigned, Slot::kVal}};
constexpr ArgDef kBindArgs[] = {{"res", kReturn}, {"addr", kAddress, Slot::kAddress}, {"fd", kFd, Slot::kFd}};
constexpr ArgDef kAcceptArgs[] = {{"fd", kReturnFd}, {"tuple", kTuple}, {"queuepct", kUntold}, {"queuelen", kUntold},
    {"queuemax", kUntold}};
constexpr ArgDef kAccept4Args[] = {{"fd", kReturnFd}, {"tuple", kTuple}, {"queuepct", kUntold}, {"queuelen", kUntold},
    {"queuemax", kUntold}, {"flags", kHex, Slot::kFlags}};
constexpr ArgDef kTimerfdArgs[] = {{"res", kReturnFd}, {"clockid", kUnsigned, Slot::kClockId},
    {"flags", kHex, Slot::kFlags}};
constexpr ArgDef kInotifyArgs[] = {{"res", kReturnFd}, {"flags", kHex, Slot::kFlags}};
constexpr ArgDef kInotify1Args[] = {{"res", kReturnFd}, {"flags", kNames, Slot::kFlags, kFdFlags}};
constexpr ArgDef kSocketPairArgs[] = {{"res", kReturn}, {"fd1", kFd, Slot::kSocket1}, {"fd2", kFd, Slot::kSocket2},
    {"source", kUntold}, {"peer", kUntold}, {"domain", kNames, Slot::kDomain, kSocketDomains},
    {"type", kUnsigned, Slot::kType}, {"proto", kUnsigned, Slot::kProtocol}};
constexpr ArgDef kMmapArgs[] = {{"res", kReturn}, {"vm_size", kUntold}, {"vm_rss", kUntold}, {"vm_swap", kUntold},
    {"addr", kHex, Slot::kAddr}, {"length", kUnsigned, Slot::kLength}, {"prot", kNames, Slot::kProt, kProtection},
    {"flags", kNames, Slot::kFlags, kMapFlags}, {"fd", kFd, Slot::kFd}, {"offset", kUnsigned, Slot::kOffset}};
constexpr ArgDef kListenArgs[] = {{"res", kReturn}, {"fd", kFd, Slot::kFd}, {"backlog", kSigned, Slot::kBacklog}};
constexpr ArgDef kPtraceArgs[] = {{"res", kReturn}, {"addr", kUntold}, {"data", kUntold},
    {"request", kNames, Slot::kRequest, kPtraceRequests}, {"pid", kPid, Slot::kPid}};
constexpr ArgDef kProcexitArgs[] = {{"status", kSigned, Slot::kExitStatus}, {"ret", kExitCode}, {"sig", kExitSignal},
    {"core", kExitCore}, {"reaper_tid", kUntold}};
constexpr ArgDef kGenericArgs[] = {{"ID", kUntold}, {"nativeID", kSysno}};

// Raw messages have registers only: what points into memory is untold.
constexpr ArgDef kResOnlyArgs[] = {{"res", kReturn}};
constexpr ArgDef kRawPathArgs[] = {{"res", kReturn}, {"path", kUntold}};
constexpr ArgDef kRawRenameArgs[] = {{"res", kReturn}, {"oldpath", kUntold}, {"newpath", kUntold}};
constexpr ArgDef kRawSymlinkArgs[] = {{"res", kReturn}, {"target", kUntold}, {"linkpath", kUntold}};
constexpr ArgDef kRawKillArgs[] = {{"res", kReturn}, {"pid", kPid, Slot::kArg1}, {"sig", kSignal, Slot::kArg2}};
constexpr ArgDef kRawTkillArgs[] = {{"res", kReturn}, {"tid", kPid, Slot::kArg1}, {"sig", kSignal, Slot::kArg2}};
constexpr ArgDef kRawTgkillArgs[] = {{"res", kReturn}, {"pid", kPid, Slot::kArg1}, {"tid", kPid, Slot::kArg2},
    {"sig", kSignal, Slot::kArg3}};
constexpr ArgDef kRawSetnsArgs[] = {{"res", kReturn}, {"fd", kFd, Slot::kArg1},
    {"nstype", kNames, Slot::kArg2, kCloneFlags}};
constexpr ArgDef kRawUnshareArgs[] = {{"res", kReturn}, {"flags", kNames, Slot::kArg1, kCloneFlags}};
constexpr ArgDef kRawBpfArgs[] = {{"fd", kReturnFd}, {"cmd", kNames, Slot::kArg1, kBpfCommands}};
constexpr ArgDef kRawMprotectArgs[] = {{"res", kReturn}, {"addr", kHex, Slot::kArg1}, {"length", kUnsigned, Slot::kArg2},
    {"prot", kNames, Slot::kArg3, kProtection}};
constexpr ArgDef kRawMemfdArgs[] = {{"fd", kReturnFd}, {"name", kUntold}, {"flags", kNames, Slot::kArg2, kMemfdFlags}};
constexpr ArgDef kRawFchmodArgs[] = {{"res", kReturn}, {"fd", kFd, Slot::kArg1}, {"mode", kMode, Slot::kArg2, kModeBits}};
constexpr ArgDef kRawChmodArgs[] = {{"res", kReturn}, {"filename", kUntold}, {"mode", kMode, Slot::kArg2, kModeBits}};
constexpr ArgDef kRawFchmodatArgs[] = {{"res", kReturn}, {"dirfd", kFd, Slot::kArg1}, {"filename", kUntold},
    {"mode", kMode, Slot::kArg3, kModeBits}};
constexpr ArgDef kRawFchownArgs[] = {{"res", kReturn}, {"fd", kFd, Slot::kArg1}, {"uid", kUnsigned, Slot::kArg2},
    {"gid", kUnsigned, Slot::kArg3}};
constexpr ArgDef kRawChownArgs[] = {{"res", kReturn}, {"path", kUntold}, {"uid", kUnsigned, Slot::kArg2},
    {"gid", kUnsigned, Slot::kArg3}};
constexpr ArgDef kRawFchownatArgs[] = {{"res", kReturn}, {"dirfd", kFd, Slot::kArg1}, {"pathname", kUntold},
    {"uid", kUnsigned, Slot::kArg3}, {"gid", kUnsigned, Slot::kArg4}, {"flags", kNames, Slot::kArg5, kChownAtFlags}};
constexpr ArgDef kRawSeccompArgs[] = {{"res", kReturn}, {"op", kUnsigned, Slot::kArg1}, {"flags", kHex, Slot::kArg2}};
constexpr ArgDef kRawSetpgidArgs[] = {{"res", kReturn}, {"pid", kPid, Slot::kArg1}, {"pgid", kPid, Slot::kArg2}};
constexpr ArgDef kRawLseekArgs[] = {{"res", kReturn}, {"fd", kFd, Slot::kArg1}, {"offset", kUnsigned, Slot::kArg2},
    {"whence", kNames, Slot::kArg3, kWhences}};
constexpr ArgDef kRawFlockArgs[] = {{"res", kReturn}, {"fd", kFd, Slot::kArg1},
    {"operation", kNames, Slot::kArg2, kLockOperations}};
constexpr ArgDef kRawMunmapArgs[] = {{"res", kReturn}, {"vm_size", kUntold}, {"vm_rss", kUntold}, {"vm_swap", kUntold},
    {"addr", kHex, Slot::kArg1}, {"length", kUnsigned, Slot::kArg2}};
constexpr ArgDef kRawSendfileArgs[] = {{"res", kReturn}, {"offset", kUntold}, {"out_fd", kFd, Slot::kArg1},
    {"in_fd", kFd, Slot::kArg2}, {"size", kUnsigned, Slot::kArg4}};
constexpr ArgDef kRawSpliceArgs[] = {{"res", kReturn}, {"fd_in", kFd, Slot::kArg1}, {"fd_out", kFd, Slot::kArg3},
    {"size", kUnsigned, Slot::kArg5}, {"flags", kNames, Slot::kArg6, kSpliceFlags}};
constexpr ArgDef kRawPrctlArgs[] = {{"res", kReturn}, {"option", kNames, Slot::kArg1, kPrctlOptions},
    {"arg2_str", kUntold}, {"arg2_int", kSigned, Slot::kArg2}};
constexpr ArgDef kRawUmount2Args[] = {{"res", kReturn}, {"name", kUntold}, {"flags", kNames, Slot::kArg2, kUmountFlags}};
constexpr ArgDef kRawMountArgs[] = {{"res", kReturn}, {"dev", kUntold}, {"dir", kUntold}, {"type", kUntold},
    {"flags", kNames, Slot::kArg4, kMountFlags}};
constexpr ArgDef kRawShutdownArgs[] = {{"res", kReturn}, {"fd", kFd, Slot::kArg1},
    {"how", kNames, Slot::kArg2, kShutdownWays}};
constexpr ArgDef kRawUnlinkatArgs[] = {{"res", kReturn}, {"dirfd", kFd, Slot::kArg1}, {"name", kUntold},
    {"flags", kNames, Slot::kArg3, kUnlinkFlags}};
constexpr ArgDef kRawMkdirArgs[] = {{"res", kReturn}, {"path", kUntold}, {"mode", kHex, Slot::kArg2}};
constexpr ArgDef kRawMkdiratArgs[] = {{"res", kReturn}, {"dirfd", kFd, Slot::kArg1}, {"path", kUntold},
    {"mode", kHex, Slot::kArg3}};
constexpr ArgDef kRawMknodArgs[] = {{"res", kReturn}, {"path", kUntold}, {"mode", kMode, Slot::kArg2, kMknodModes},
    {"dev", kUnsigned, Slot::kArg3}};
constexpr ArgDef kRawMknodatArgs[] = {{"res", kReturn}, {"dirfd", kFd, Slot::kArg1}, {"path", kUntold},
    {"mode", kMode, Slot::kArg3, kMknodModes}, {"dev", kUnsigned, Slot::kArg4}};
constexpr ArgDef kRawRenameatArgs[] = {{"res", kReturn}, {"olddirfd", kFd, Slot::kArg1}, {"oldpath", kUntold},
    {"newdirfd", kFd, Slot::kArg3}, {"newpath", kUntold}};
constexpr ArgDef kRawRenameat2Args[] = {{"res", kReturn}, {"olddirfd", kFd, Slot::kArg1}, {"oldpath", kUntold},
    {"newdirfd", kFd, Slot::kArg3}, {"newpath", kUntold}, {"flags", kNames, Slot::kArg5, kRenameFlags}};
constexpr ArgDef kRawLinkatArgs[] = {{"res", kReturn}, {"olddir", kFd, Slot::kArg1}, {"oldpath", kUntold},
    {"newdir", kFd, Slot::kArg3}, {"newpath", kUntold}, {"flags", kNames, Slot::kArg5, kLinkFlags}};
constexpr ArgDef kRawSymlinkatArgs[] = {{"res", kReturn}, {"target", kUntold}, {"linkdirfd", kFd, Slot::kArg2},
    {"linkpath", kUntold}};
constexpr ArgDef kRawAccessArgs[] = {{"res", kReturn}, {"name", kUntold}, {"mode", kNames, Slot::kArg2, kAccessModes}};
constexpr ArgDef kRawInitModuleArgs[] = {{"res", kReturn}, {"img", kUntold}, {"length", kUnsigned, Slot::kArg2},
    {"uargs", kUntold}};
constexpr ArgDef kRawFinitModuleArgs[] = {{"res", kReturn}, {"fd", kFd, Slot::kArg1}, {"uargs", kUntold},
    {"flags", kNames, Slot::kArg3, kFinitFlags}};
constexpr ArgDef kRawMlockArgs[] = {{"res", kReturn}, {"addr", kHex, Slot::kArg1}, {"len", kUnsigned, Slot::kArg2}};
constexpr ArgDef kRawMlock2Args[] = {{"res", kReturn}, {"addr", kHex, Slot::kArg1}, {"len", kUnsigned, Slot::kArg2},
    {"flags", kNames, Slot::kArg3, kMlock2Flags}};
constexpr ArgDef kRawMlockallArgs[] = {{"res", kReturn}, {"flags", kNames, Slot::kArg1, kMlockallFlags}};
constexpr ArgDef kRawCloseRangeArgs[] = {{"res", kReturn}, {"first", kUnsigned, Slot::kArg1},
    {"last", kUnsigned, Slot::kArg2}, {"flags", kNames, Slot::kArg3, kCloseRangeFlags}};
constexpr ArgDef kRawPidfdOpenArgs[] = {{"fd", kReturnFd}, {"pid", kPid, Slot::kArg1}, {"flags", kHex, Slot::kArg2}};
constexpr ArgDef kRawPidfdGetfdArgs[] = {{"fd", kReturnFd}, {"pid_fd", kFd, Slot::kArg1},
    {"target_fd", kFd, Slot::kArg2}, {"flags", kHex, Slot::kArg3}};
constexpr ArgDef kRawCopyRangeArgs[] = {{"res", kReturn}, {"fdout", kFd, Slot::kArg3}, {"offout", kUntold},
    {"fdin", kFd, Slot::kArg1}, {"offin", kUntold}, {"len", kUnsigned, Slot::kArg5}};
constexpr ArgDef kRawEpollCreateArgs[] = {{"res", kReturn}, {"size", kSigned, Slot::kArg1}};
constexpr ArgDef kRawSetrlimitArgs[] = {{"res", kReturn}, {"cur", kUntold}, {"max", kUntold},
    {"resource", kNames, Slot::kArg1, kResources}};
constexpr ArgDef kRawSetreuidArgs[] = {{"res", kReturn}, {"ruid", kUid, Slot::kArg1}, {"euid", kUid, Slot::kArg2}};
constexpr ArgDef kRawSetregidArgs[] = {{"res", kReturn}, {"rgid", kGid, Slot::kArg1}, {"egid", kGid, Slot::kArg2}};
constexpr ArgDef kRawPtraceArgs[] = {{"res", kReturn}, {"addr", kUntold}, {"data", kUntold},
    {"request", kNames, Slot::kArg1, kPtraceRequests}, {"pid", kPid, Slot::kArg2}};
constexpr ArgDef kRawSendtoArgs[] = {{"res", kReturn}, {"data", kUntold}, {"fd", kFd, Slot::kArg1},
    {"size", kUnsigned, Slot::kArg3}, {"tuple", kUntold}};
constexpr ArgDef kRawRecvfromArgs[] = {{"res", kReturn}, {"data", kUntold}, {"tuple", kUntold},
    {"fd", kFd, Slot::kArg1}, {"size", kUnsigned, Slot::kArg3}};

struct TypeArgs {
  std::string_view event_type;
  std::span<const ArgDef> args;
};

constexpr TypeArgs kSchematised[] = {
    {"open", kOpenArgs}, {"openat", kOpenatArgs}, {"creat", kCreatArgs}, {"close", kFdArgs}, {"read", kReadArgs},
    {"pread", kPreadArgs}, {"readv", kReadvArgs}, {"preadv", kPreadvArgs}, {"write", kReadArgs},
    {"pwrite", kPreadArgs}, {"writev", kReadArgs}, {"pwritev", kPreadArgs}, {"connect", kConnectArgs},
    {"execve", kExecveArgs}, {"execveat", std::span(kExecveArgs).first(std::size(kExecveArgs) - 1)},
    {"clone", kCloneArgs}, {"fork", kCloneArgs}, {"vfork", kCloneArgs}, {"socket", kSocketArgs},
    {"chdir", kChdirArgs}, {"fchdir", kFdArgs}, {"setuid", kSetuidArgs}, {"setgid", kSetgidArgs},
    {"setsid", kSetsidArgs}, {"setresuid", kSetresuidArgs}, {"setresgid", kSetresgidArgs}, {"prlimit", kPrlimitArgs},
    {"pipe", kPipeArgs}, {"pipe2", kPipe2Args}, {"fcntl", kFcntlArgs}, {"dup", kDupArgs}, {"dup2", kDup2Args},
    {"dup3", kDup3Args}, {"signalfd", kSignalfdArgs}, {"signalfd4", kSignalfd4Args}, {"chroot", kChrootArgs},
    {"eventfd", kEventfdArgs}, {"eventfd2", kEventfd2Args}, {"bind", kBindArgs}, {"accept", kAcceptArgs},
    {"accept4", kAccept4Args}, {"timerfd_create", kTimerfdArgs}, {"inotify_init", kInotifyArgs},
    {"inotify_init1", kInotify1Args}, {"socketpair", kSocketPairArgs}, {"mmap", kMmapArgs}, {"listen", kListenArgs},
    {"ptrace", kPtraceArgs}, {"procexit", kProcexitArgs}};

constexpr TypeArgs kRawTypes[] = {
    {"kill", kRawKillArgs}, {"tkill", kRawTkillArgs}, {"tgkill", kRawTgkillArgs}, {"setns", kRawSetnsArgs},
    {"unshare", kRawUnshareArgs}, {"bpf", kRawBpfArgs}, {"mprotect", kRawMprotectArgs},
    {"memfd_create", kRawMemfdArgs}, {"fchmod", kRawFchmodArgs}, {"chmod", kRawChmodArgs},
    {"fchmodat", kRawFchmodatArgs}, {"fchown", kRawFchownArgs}, {"chown", kRawChownArgs}, {"lchown", kRawChownArgs},
    {"fchownat", kRawFchownatArgs}, {"seccomp", kRawSeccompArgs}, {"setpgid", kRawSetpgidArgs},
    {"lseek", kRawLseekArgs}, {"flock", kRawFlockArgs}, {"munmap", kRawMunmapArgs}, {"sendfile", kRawSendfileArgs},
    {"splice", kRawSpliceArgs}, {"prctl", kRawPrctlArgs}, {"umount2", kRawUmount2Args}, {"mount", kRawMountArgs},
    {"shutdown", kRawShutdownArgs}, {"unlinkat", kRawUnlinkatArgs}, {"mkdir", kRawMkdirArgs},
    {"mkdirat", kRawMkdiratArgs}, {"mknod", kRawMknodArgs}, {"mknodat", kRawMknodatArgs},
    {"renameat", kRawRenameatArgs}, {"renameat2", kRawRenameat2Args}, {"linkat", kRawLinkatArgs},
    {"symlinkat", kRawSymlinkatArgs}, {"access", kRawAccessArgs}, {"init_module", kRawInitModuleArgs},
    {"finit_module", kRawFinitModuleArgs}, {"mlock", kRawMlockArgs}, {"munlock", kRawMlockArgs},
    {"mlock2", kRawMlock2Args}, {"mlockall", kRawMlockallArgs}, {"munlockall", kResOnlyArgs},
    {"close_range", kRawCloseRangeArgs}, {"pidfd_open", kRawPidfdOpenArgs}, {"pidfd_getfd", kRawPidfdGetfdArgs},
    {"copy_file_range", kRawCopyRangeArgs}, {"epoll_create", kRawEpollCreateArgs}, {"setrlimit", kRawSetrlimitArgs},
    {"getrlimit", kRawSetrlimitArgs}, {"setreuid", kRawSetreuidArgs}, {"setregid", kRawSetregidArgs},
    {"ptrace", kRawPtraceArgs}, {"sendto", kRawSendtoArgs}, {"recvfrom", kRawRecvfromArgs},
    {"unlink", kRawPathArgs}, {"rmdir", kRawPathArgs}, {"stat", kRawPathArgs}, {"getcwd", kRawPathArgs},
    {"rename", kRawRenameArgs}, {"link", kRawRenameArgs}, {"symlink", kRawSymlinkArgs}, {"umount", kResOnlyArgs},
    {"select", kResOnlyArgs}, {"poll", kResOnlyArgs}, {"ppoll", kResOnlyArgs}, {"capset", kResOnlyArgs}};
// clang-format on

// The tables by event type, with the numbers of the names; built once.
class ArgIndex {
 public:
  struct Arg {
    int32_t name_id;
    const ArgDef* def;
  };

  ArgIndex() {
    const std::vector<Arg> generic = Number(kGenericArgs);
    for (size_t i = 0; i < kEventTypeCount; ++i) {
      // Falco has a code of its own for the others; gVisor's own events have no arguments.
      if (EventTypes()[i].falco_codes == 0) by_type_[0][i] = by_type_[1][i] = generic;
    }
    Fill(kSchematised, by_type_[0]);
    Fill(kRawTypes, by_type_[1]);
  }

  const std::vector<Arg>& Of(const Happening& happening) const {
    const bool raw = happening.event != nullptr && happening.event->type() == MessageType::kRaw;
    return Of(happening.type, raw);
  }
  const std::vector<Arg>& Of(EventType type, bool raw) const {
    return by_type_[raw ? 1 : 0][type.index];
  }

 private:
  using ByType = std::array<std::vector<Arg>, kEventTypeCount>;

  static std::vector<Arg> Number(std::span<const ArgDef> args) {
    std::vector<Arg> numbered;
    for (const ArgDef& def : args) numbered.push_back({*FindArgName(def.name), &def});
    return numbered;
  }

  static void Fill(std::span<const TypeArgs> types, ByType& by_type) {
    for (const TypeArgs& type : types) {
      if (const auto found = FindEventType(type.event_type)) {
        by_type[found->index] = Number(type.args);
      }
    }
  }

  std::array<ByType, 2> by_type_;  // [1]: of raw messages
};

const ArgIndex& Index() {
  static const ArgIndex index;
  return index;
}

// What Falco knows of an argument: the value, its text, and what the text means where that says
// more.
struct Rendered {
  Value raw;  // missing: the argument has no value
  std::string text;
  std::string resolved;  // empty: nothing more to say
};

Rendered Number(int64_t value) {
  return {Value::Int(value), std::to_string(value), {}};
}

Rendered Unsigned(uint64_t value) {
  return {Value::Uint(value), std::to_string(value), {}};
}

Rendered Formatted(uint64_t value, PrintFormat format) {
  Rendered out{Value::Uint(value), {}, {}};
  if (format == PrintFormat::kOctal && value != 0) out.text = '0';
  AppendPrinted(out.raw, format, out.text);
  return out;
}

Rendered Named(uint64_t kernel_number, Vocabulary vocabulary, PrintFormat format) {
  const uint32_t number = FalcoNumber(vocabulary, kernel_number);
  Rendered out = Formatted(number, format);
  AppendNames(vocabulary, number, out.resolved);
  return out;
}

Rendered Text(std::string_view text) {
  return {Value::Text(text), std::string(text), {}};
}

Rendered TextIfAny(std::string_view text) {
  return text.empty() ? Rendered{} : Text(text);
}

Rendered ReturnValue(int64_t value) {
  Rendered out = Number(value);
  out.resolved = ErrnoOfReturn(value);
  return out;
}

// Falco's letter for the transport, behind that of the type.
std::string_view TransportLetter(const File& file) {
  if (!file.is_ip_socket()) return {};
  switch (file.transport) {
    case Transport::kTcp:
      return "t";
    case Transport::kUdp:
      return "u";
    case Transport::kIcmp:
      return "i";
    case Transport::kRaw:
      return "r";
    case Transport::kUnknown:
      return {};
  }
  return {};
}

Rendered Fd(int64_t fd, const Happening& happening) {
  Rendered out = Number(fd);
  if (fd == AT_FDCWD) {
    out.resolved = "AT_FDCWD";
  } else if (fd < 0) {
    out.resolved = ErrnoOfReturn(fd);
  } else if (const File* file = happening.process->fds->Find(fd); file != nullptr) {
    out.resolved = "<";
    out.resolved += gyrfalcon::Describe(file->type).type_char;
    out.resolved += TransportLetter(*file);
    out.resolved += '>';
    out.resolved += file->name;
  }
  return out;
}

Rendered Path(std::string_view path, std::string_view directory) {
  Rendered out = Text(path);
  if (!path.empty() && !path.starts_with('/') && directory.starts_with('/')) {
    NormalizePath(directory, path, out.resolved);
  }
  return out;
}

Rendered Opened(const Event& event, Slot slot, const Happening& happening) {
  Rendered out = Text(event.text(slot));
  const bool relative = !out.text.empty() && !out.text.starts_with('/');
  if (relative && happening.path.starts_with('/')) out.resolved = happening.path;
  return out;
}

using NameOf = Value (*)(const Happening& happening, uint32_t id, Scratch& scratch);

// An id and the container's name for it; one without a name is its number and no more.
Rendered UserOrGroup(uint32_t id, NameOf name_of, const Happening& happening, Scratch& scratch) {
  const std::string_view name = name_of(happening, id, scratch).text();
  Rendered out = Unsigned(id);
  if (id == UINT32_MAX) out.text = "-1";  // "unchanged", or no id
  if (name != out.text) out.resolved = name;
  return out;
}

Rendered Pid(int64_t pid, const Happening& happening) {
  Rendered out = Number(pid);
  if (pid == happening.tid && pid != 0) {
    out.resolved = happening.process->name.view();
    return out;
  }
  for (const Process* p = happening.process; p != nullptr && pid != 0; p = p->parent.get()) {
    if (p->tgid != pid) continue;
    out.resolved = p->name.view();
    break;
  }
  return out;
}

Rendered Signal(int64_t signal) {
  return {Value::Uint(static_cast<uint64_t>(signal)), std::to_string(signal), SignalName(signal)};
}

std::string AddressText(std::string_view raw) {
  const auto address = ParseSockaddr(raw);
  if (!address) return {};
  if (!address->endpoint) return std::string(address->unix_path);
  std::string text;
  address->endpoint->address.AppendTo(text);
  return text + ':' + std::to_string(address->endpoint->port);
}

// Falco keeps a list as its items with a NUL behind each, and shows a dot for what can't be
// printed.
Rendered NulSeparated(std::string items, Scratch& scratch) {
  Rendered out{Value::Text(scratch.Copy(items)), std::move(items), {}};
  for (char& c : out.text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '.';
  }
  if (out.text.empty()) out.text = "NULL";
  return out;
}

Rendered List(const TextVector& list, Scratch& scratch) {
  std::string items;
  for (size_t i = 0; i < list.size(); ++i) {
    items += list[i];
    items += '\0';
  }
  return NulSeparated(std::move(items), scratch);
}

Rendered List(const TextList& list, bool skip_first, Scratch& scratch) {
  std::string items;
  list.ForEach([&](std::string_view item) {
    if (std::exchange(skip_first, false)) return;
    items += item;
    items += '\0';
  });
  return NulSeparated(std::move(items), scratch);
}

Rendered Cgroups(const Happening& happening, Scratch& scratch) {
  if (happening.container == nullptr) return {};
  std::string text = "gvisor_container_id=/";
  text += happening.container->id;
  text += '\0';
  return NulSeparated(std::move(text), scratch);
}

uint64_t ExecFlags(const Process& process) {
  constexpr uint64_t kWritable = 1, kUpperLayer = 2, kFromMemfd = 4, kLowerLayer = 8;  // Falco's
  const Image& image = *process.image;
  return (MayWriteImage(process) ? kWritable : 0) | (image.in_upper_layer ? kUpperLayer : 0) |
         (image.in_memfd ? kFromMemfd : 0) | (image.in_lower_layer ? kLowerLayer : 0);
}

Rendered RenderExec(Kind kind, const Happening& happening, Scratch& scratch) {
  const Image& image = *happening.process->image;
  // A failed exec carries its own arguments; the process is still the caller.
  const Event* attempt =
      happening.event != nullptr && happening.event->type() == MessageType::kExecve
          ? happening.event
          : nullptr;
  switch (kind) {
    case kExecExe:
      return Text(attempt != nullptr ? attempt->list(Slot::kArgv).front()
                                     : std::string_view(image.exe));
    case kExecArgs:
      return attempt != nullptr ? List(attempt->list(Slot::kArgv), true, scratch)
                                : List(image.args, scratch);
    case kExecEnv:
      return attempt != nullptr ? List(attempt->list(Slot::kEnvv), false, scratch)
                                : List(image.env, scratch);
    case kExecPath:
      return attempt != nullptr ? Rendered{} : TextIfAny(image.exe_path);
    case kExecFileName:
      return TextIfAny(attempt != nullptr ? attempt->text(Slot::kPathname)
                                          : std::string_view(image.exec_name));
    case kExecName:
      return TextIfAny(attempt != nullptr
                           ? PathBasename(attempt->text(Slot::kPathname)).substr(0, 15)
                           : happening.process->name.view());
    case kExecFlags:
      return attempt != nullptr
                 ? Rendered{}
                 : Named(ExecFlags(*happening.process), kExeFlags, PrintFormat::kPlain);
    case kExecInode:
      return image.inode == 0 || attempt != nullptr ? Rendered{} : Unsigned(image.inode);
    default: {
      if (image.change_time_ns == 0 || attempt != nullptr) return {};
      return {Value::Uint(static_cast<uint64_t>(image.change_time_ns)),
              FormatTime(image.change_time_ns, TimeStyle::kDateTime),
              {}};
    }
  }
}

Rendered RenderProcess(Kind kind, const Happening& happening, Scratch& scratch) {
  const Process& process = *happening.process;
  switch (kind) {
    case kName:
      return TextIfAny(process.name.view());
    case kCwd:
      return TextIfAny(process.cwd);
    case kTid:
      return Pid(happening.tid, happening);
    case kTgid:
      return Pid(process.tgid, happening);
    case kParentTgid:
      return process.parent ? Pid(process.parent->tgid, happening) : Rendered{};
    case kGroupId:
      return process.group_id == 0 ? Rendered{} : Pid(process.group_id, happening);
    case kFdLimit:
      return process.fd_limit < 0 ? Rendered{} : Number(process.fd_limit);
    case kTerminal:
      return Unsigned(process.tty);
    case kLoginUid:
      return UserOrGroup(UINT32_MAX, UserName, happening, scratch);
    case kEffectiveUid:
      return UserOrGroup(process.credentials.effective_uid, UserName, happening, scratch);
    case kEffectiveGid:
      return UserOrGroup(process.credentials.effective_gid, GroupName, happening, scratch);
    case kCgroups:
      return Cgroups(happening, scratch);
    default: {
      const Container* container = happening.container;
      if (container == nullptr || container->start_time_ns == 0) return {};
      return Unsigned(static_cast<uint64_t>(container->start_time_ns));
    }
  }
}

Rendered RenderExit(Kind kind, int64_t status) {
  constexpr int64_t kSignalMask = 0x7f;
  constexpr int64_t kCoreBit = 0x80;
  switch (kind) {
    case kExitCode:
      return Number((status >> 8) & 0xff);
    case kExitSignal:
      return Signal(status & kSignalMask);
    default:
      return Unsigned((status & kCoreBit) != 0 ? 1 : 0);
  }
}

Rendered RenderLimit(const ArgDef& arg, const Event& event) {
  if (!event.has(arg.slot)) return Number(-1);
  const Rlimit limit = DecodeRlimit(event.text(arg.slot));
  return Number(static_cast<int64_t>(arg.kind == kSoftLimit ? limit.current : limit.maximum));
}

Rendered RenderNumber(const ArgDef& arg, int64_t number, const Happening& happening) {
  const auto bits = static_cast<uint64_t>(number);
  switch (arg.kind) {
    case kFd:
      // Registers of raw messages are 64 bits wide, an fd has 32.
      return Fd(static_cast<int32_t>(number), happening);
    case kUnsigned:
      return Unsigned(bits);
    case kHex:
      return Formatted(bits, PrintFormat::kHex);
    case kLowWord:
      return Formatted(bits & UINT32_MAX, PrintFormat::kHex);
    case kOctal:
      return Formatted(bits, PrintFormat::kOctal);
    case kNames:
      return Named(bits, arg.vocabulary, PrintFormat::kPlain);
    case kMode:
      return Named(bits, arg.vocabulary, PrintFormat::kOctal);
    case kSocketFlags:
      return Named(bits & (SOCK_CLOEXEC | SOCK_NONBLOCK), arg.vocabulary, PrintFormat::kPlain);
    case kSignal:
      return Signal(static_cast<int32_t>(number));
    case kPid:
      return Pid(static_cast<int32_t>(number), happening);
    default:
      return Number(number);
  }
}

Rendered RenderMessage(const ArgDef& arg, const Event& event, const Happening& happening,
                       Scratch& scratch) {
  switch (arg.kind) {
    case kText:
      return Text(event.text(arg.slot));
    case kPath:
      return Path(event.text(arg.slot), happening.process->cwd);
    case kOpened:
      return Opened(event, arg.slot, happening);
    case kAddress: {
      const std::string text = AddressText(event.text(arg.slot));
      return text.empty() ? Rendered{} : Text(scratch.Copy(text));
    }
    case kSoftLimit:
    case kHardLimit:
      return RenderLimit(arg, event);
    case kUid:
    case kGid:
      return UserOrGroup(static_cast<uint32_t>(event.number(arg.slot)),
                         arg.kind == kUid ? UserName : GroupName, happening, scratch);
    case kSysno:
      return Unsigned(event.sysno());
    case kExitCode:
    case kExitSignal:
    case kExitCore:
      return RenderExit(arg.kind, event.number(Slot::kExitStatus));
    default:
      return RenderNumber(arg, event.number(arg.slot), happening);
  }
}
Rendered Render(const ArgDef& arg, const Happening& happening, Scratch& scratch) {
  switch (arg.kind) {
    case kUntold:
      return {};
    case kReturn:
      return ReturnValue(happening.return_value);
    case kReturnFd:
      return Fd(happening.return_value, happening);
    case kReturnPid:
      return happening.return_value < 0 ? ReturnValue(happening.return_value)
                                        : Pid(happening.return_value, happening);
    case kTuple:
      return happening.file == nullptr ? Rendered{} : TextIfAny(happening.file->name);
    default:
      break;
  }
  if (arg.kind >= kName) return RenderProcess(arg.kind, happening, scratch);
  if (arg.kind >= kExecExe) return RenderExec(arg.kind, happening, scratch);
  return happening.event == nullptr ? Rendered{}
                                    : RenderMessage(arg, *happening.event, happening, scratch);
}

Value Shown(const Rendered& rendered, bool resolved, Scratch& scratch) {
  if (!resolved || rendered.raw.missing()) return rendered.raw;
  return Value::Text(scratch.Copy(rendered.resolved.empty() ? rendered.text : rendered.resolved));
}

}  // namespace

std::optional<int32_t> FindArgName(std::string_view name) {
  const auto found = std::ranges::lower_bound(kArgNames, name, {}, &ArgName::name);
  if (found == std::end(kArgNames) || found->name != name) return std::nullopt;
  return static_cast<int32_t>(found - std::begin(kArgNames));
}

ArgTelling TellingOf(int32_t name_id, EventType type, bool raw) {
  for (const ArgIndex::Arg& arg : Index().Of(type, raw)) {
    if (arg.name_id == name_id) {
      return arg.def->kind == kUntold ? ArgTelling::kUntold : ArgTelling::kTold;
    }
  }
  return ArgTelling::kNone;
}

bool MayWriteImage(const Process& process) {
  const Image& image = *process.image;
  const Credentials& who = process.credentials;
  if (!image.has_binary_info) return false;
  if (who.effective_uid == 0) return true;
  if (who.effective_uid == image.owner_uid) return (image.mode & S_IWUSR) != 0;
  if (who.effective_gid == image.owner_gid) return (image.mode & S_IWGRP) != 0;
  return (image.mode & S_IWOTH) != 0;
}

RawArg DescribeRawArg(int32_t name_id) {
  const ArgName& row = kArgNames[name_id];
  return {row.raw_type, row.falco_type, row.print};
}

Value ExtractArg(int32_t name_id, bool resolved, const Happening& happening, Scratch& scratch) {
  for (const ArgIndex::Arg& arg : Index().Of(happening)) {
    if (arg.name_id != name_id) continue;
    return Shown(Render(*arg.def, happening, scratch), resolved, scratch);
  }
  return {};
}

Value ExtractArgAt(uint64_t index, const Happening& happening, Scratch& scratch) {
  const std::vector<ArgIndex::Arg>& args = Index().Of(happening);
  if (index >= args.size()) return {};
  return Shown(Render(*args[index].def, happening, scratch), true, scratch);
}

Value ExtractAllArgs(const Happening& happening, Scratch& scratch) {
  std::string text;
  for (const ArgIndex::Arg& arg : Index().Of(happening)) {
    if (arg.def->kind == kSysno) continue;  // of a generic event Falco shows none
    const Rendered rendered = Render(*arg.def, happening, scratch);
    if (rendered.raw.missing()) continue;
    if (!text.empty()) text += ' ';
    text += arg.def->name;
    text += '=';
    text += rendered.text;
    if (rendered.resolved.empty()) continue;
    text += '(';
    text += rendered.resolved;
    text += ')';
  }
  return Value::Text(scratch.Copy(text));
}

}  // namespace gyrfalcon
