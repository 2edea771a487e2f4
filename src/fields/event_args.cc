#include "fields/event_args.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "fields/flag_names.h"
#include "fields/user_names.h"
#include "points/schema.h"

namespace gyrfalcon {
namespace {

struct ArgName {
  std::string_view name;
  FieldType raw_type;
};

// Every argument name in Falco's event table; a rule may name any of them.
// clang-format off
constexpr ArgName kArgNames[] = {
    {"ID", FieldType::kUint},
    {"action", FieldType::kUint},
    {"addr", FieldType::kUint},
    {"arg", FieldType::kUint},
    {"arg2", FieldType::kOpaque},
    {"arg2_int", FieldType::kInt},
    {"arg2_str", FieldType::kText},
    {"arg3", FieldType::kOpaque},
    {"arg4", FieldType::kOpaque},
    {"arg5", FieldType::kOpaque},
    {"args", FieldType::kBytes},
    {"argument", FieldType::kUint},
    {"argv", FieldType::kBytes},
    {"aux", FieldType::kInt},
    {"backlog", FieldType::kInt},
    {"cap_effective", FieldType::kUint},
    {"cap_inheritable", FieldType::kUint},
    {"cap_permitted", FieldType::kUint},
    {"cgroups", FieldType::kBytes},
    {"clockid", FieldType::kUint},
    {"cmd", FieldType::kUint},
    {"comm", FieldType::kText},
    {"container_id", FieldType::kText},
    {"core", FieldType::kUint},
    {"cpu", FieldType::kUint},
    {"cpu_sys", FieldType::kUint},
    {"cpu_usr", FieldType::kUint},
    {"cq_entries", FieldType::kUint},
    {"creat_flags", FieldType::kUint},
    {"cur", FieldType::kInt},
    {"cwd", FieldType::kText},
    {"data", FieldType::kBytes},
    {"desc", FieldType::kText},
    {"description", FieldType::kText},
    {"dev", FieldType::kUint},
    {"dir", FieldType::kText},
    {"dirfd", FieldType::kInt},
    {"domain", FieldType::kUint},
    {"dpid", FieldType::kInt},
    {"dqb_bhardlimit", FieldType::kUint},
    {"dqb_bsoftlimit", FieldType::kUint},
    {"dqb_btime", FieldType::kInt},
    {"dqb_curspace", FieldType::kUint},
    {"dqb_ihardlimit", FieldType::kUint},
    {"dqb_isoftlimit", FieldType::kUint},
    {"dqb_itime", FieldType::kInt},
    {"dqi_bgrace", FieldType::kInt},
    {"dqi_flags", FieldType::kUint},
    {"dqi_igrace", FieldType::kInt},
    {"egid", FieldType::kOpaque},
    {"entries", FieldType::kUint},
    {"env", FieldType::kBytes},
    {"error", FieldType::kUint},
    {"euid", FieldType::kOpaque},
    {"event_data", FieldType::kUint},
    {"event_type", FieldType::kUint},
    {"exe", FieldType::kText},
    {"exe_ino", FieldType::kUint},
    {"exe_ino_ctime", FieldType::kInt},
    {"exe_ino_mtime", FieldType::kInt},
    {"exe_ino_num", FieldType::kUint},
    {"exepath", FieldType::kText},
    {"fd", FieldType::kInt},
    {"fd1", FieldType::kInt},
    {"fd2", FieldType::kInt},
    {"fd_in", FieldType::kInt},
    {"fd_out", FieldType::kInt},
    {"fd_type", FieldType::kUint},
    {"fdin", FieldType::kInt},
    {"fdlimit", FieldType::kInt},
    {"fdout", FieldType::kInt},
    {"fds", FieldType::kOpaque},
    {"features", FieldType::kUint},
    {"filename", FieldType::kText},
    {"first", FieldType::kUint},
    {"flags", FieldType::kUint},
    {"gid", FieldType::kUint},
    {"home", FieldType::kText},
    {"how", FieldType::kUint},
    {"id", FieldType::kUint},
    {"image", FieldType::kText},
    {"img", FieldType::kBytes},
    {"in_fd", FieldType::kInt},
    {"initval", FieldType::kUint},
    {"ino", FieldType::kUint},
    {"ino_num", FieldType::kUint},
    {"interval", FieldType::kInt},
    {"ip", FieldType::kUint},
    {"json", FieldType::kText},
    {"key", FieldType::kInt},
    {"last", FieldType::kUint},
    {"len", FieldType::kUint},
    {"length", FieldType::kUint},
    {"level", FieldType::kUint},
    {"linkdirfd", FieldType::kInt},
    {"linkpath", FieldType::kText},
    {"local_ip", FieldType::kOpaque},
    {"local_port", FieldType::kUint},
    {"loginuid", FieldType::kOpaque},
    {"mask", FieldType::kUint},
    {"max", FieldType::kInt},
    {"maxevents", FieldType::kInt},
    {"min_complete", FieldType::kUint},
    {"mnt_id", FieldType::kUint},
    {"mode", FieldType::kUint},
    {"mountfd", FieldType::kInt},
    {"msgcontrol", FieldType::kBytes},
    {"name", FieldType::kText},
    {"nativeID", FieldType::kUint},
    {"newcur", FieldType::kInt},
    {"newdir", FieldType::kInt},
    {"newdirfd", FieldType::kInt},
    {"newfd", FieldType::kInt},
    {"newmax", FieldType::kInt},
    {"newpath", FieldType::kText},
    {"next", FieldType::kInt},
    {"nr_args", FieldType::kUint},
    {"nsems", FieldType::kInt},
    {"nsops", FieldType::kUint},
    {"nstype", FieldType::kUint},
    {"offin", FieldType::kUint},
    {"offout", FieldType::kUint},
    {"offset", FieldType::kUint},
    {"oldcur", FieldType::kInt},
    {"olddir", FieldType::kInt},
    {"olddirfd", FieldType::kInt},
    {"oldfd", FieldType::kInt},
    {"oldmax", FieldType::kInt},
    {"oldpath", FieldType::kText},
    {"op", FieldType::kUint},
    {"opcode", FieldType::kUint},
    {"operation", FieldType::kUint},
    {"option", FieldType::kUint},
    {"optlen", FieldType::kUint},
    {"optname", FieldType::kUint},
    {"out_fd", FieldType::kInt},
    {"path", FieldType::kText},
    {"pathname", FieldType::kText},
    {"peer", FieldType::kUint},
    {"pgft_maj", FieldType::kUint},
    {"pgft_min", FieldType::kUint},
    {"pgid", FieldType::kInt},
    {"pgoffset", FieldType::kUint},
    {"pid", FieldType::kInt},
    {"pid_fd", FieldType::kInt},
    {"pidns_init_start_ts", FieldType::kUint},
    {"plugin_id", FieldType::kUint},
    {"pos", FieldType::kUint},
    {"ppid", FieldType::kInt},
    {"prot", FieldType::kUint},
    {"proto", FieldType::kUint},
    {"ptid", FieldType::kInt},
    {"queuelen", FieldType::kUint},
    {"queuemax", FieldType::kUint},
    {"queuepct", FieldType::kUint},
    {"quota_fmt", FieldType::kUint},
    {"quota_fmt_out", FieldType::kUint},
    {"quotafilepath", FieldType::kText},
    {"ratio", FieldType::kUint},
    {"reaper_tid", FieldType::kInt},
    {"remote_ip", FieldType::kOpaque},
    {"remote_port", FieldType::kUint},
    {"request", FieldType::kUint},
    {"res", FieldType::kInt},
    {"res_or_fd", FieldType::kOpaque},
    {"resolve", FieldType::kUint},
    {"resource", FieldType::kUint},
    {"ret", FieldType::kInt},
    {"rgid", FieldType::kOpaque},
    {"root", FieldType::kText},
    {"ruid", FieldType::kOpaque},
    {"scope", FieldType::kText},
    {"sem_flg_0", FieldType::kUint},
    {"sem_flg_1", FieldType::kUint},
    {"sem_num_0", FieldType::kUint},
    {"sem_num_1", FieldType::kUint},
    {"sem_op_0", FieldType::kInt},
    {"sem_op_1", FieldType::kInt},
    {"semflg", FieldType::kUint},
    {"semid", FieldType::kInt},
    {"semnum", FieldType::kInt},
    {"sgid", FieldType::kOpaque},
    {"shell", FieldType::kText},
    {"sid", FieldType::kInt},
    {"sig", FieldType::kUint},
    {"sigmask", FieldType::kOpaque},
    {"size", FieldType::kUint},
    {"sk_pointer", FieldType::kUint},
    {"sk_proto", FieldType::kUint},
    {"sk_type", FieldType::kUint},
    {"source", FieldType::kUint},
    {"special", FieldType::kText},
    {"spid", FieldType::kInt},
    {"sq_entries", FieldType::kUint},
    {"sq_thread_cpu", FieldType::kUint},
    {"sq_thread_idle", FieldType::kUint},
    {"start_time", FieldType::kInt},
    {"status", FieldType::kInt},
    {"suid", FieldType::kOpaque},
    {"sun_path", FieldType::kText},
    {"tags", FieldType::kBytes},
    {"target", FieldType::kText},
    {"target_fd", FieldType::kInt},
    {"tid", FieldType::kInt},
    {"timeout", FieldType::kInt},
    {"to_submit", FieldType::kUint},
    {"trusted_exepath", FieldType::kText},
    {"tty", FieldType::kUint},
    {"tuple", FieldType::kOpaque},
    {"type", FieldType::kUint},
    {"uargs", FieldType::kText},
    {"uid", FieldType::kUint},
    {"val", FieldType::kOpaque},
    {"value_bytebuf", FieldType::kBytes},
    {"value_charbuf", FieldType::kText},
    {"vm_rss", FieldType::kUint},
    {"vm_size", FieldType::kUint},
    {"vm_swap", FieldType::kUint},
    {"vpgid", FieldType::kInt},
    {"vpid", FieldType::kInt},
    {"vtgid", FieldType::kInt},
    {"vtid", FieldType::kInt},
    {"whence", FieldType::kUint},
};
// clang-format on
static_assert(std::ranges::adjacent_find(kArgNames, std::ranges::greater_equal{}, &ArgName::name) ==
                  std::end(kArgNames),
              "kArgNames must be strictly sorted: lookup is a binary search");

enum class Source : uint8_t {
  kReturn,  // the return value; resolved: the errno's name when negative
  kNewFd,   // the return value as an fd
  kFd,      // an fd in `slot`
  kSigned,  // a number in `slot`
  kUnsigned,
  kText,
  kOpenFlags,
  kOpenMode,
  kDomain,
  kPtrace,
  kProtection,
  kUid,
  kGid,
  kPid,  // a process id; resolved: the process's name, which state knows for the own one only
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
  kProcessName,
  kProcessCwd,
  kProcessTid,
  kProcessTgid,
  kProcessParentTgid,
  kEffectiveUid,
  kEffectiveGid,
};

struct ArgRow {
  MessageType message;
  std::string_view event_type;  // only this one of the message's; empty: all
  std::string_view name;
  Source source;
  Slot slot = Slot::kNone;
};

using enum MessageType;

constexpr ArgRow kRows[] = {
    {kOpen, "", "fd", Source::kNewFd},
    {kOpen, "openat", "dirfd", Source::kFd, Slot::kFd},
    {kOpen, "", "name", Source::kText, Slot::kPathname},
    {kOpen, "", "flags", Source::kOpenFlags, Slot::kFlags},
    {kOpen, "", "mode", Source::kOpenMode, Slot::kMode},
    {kClose, "", "res", Source::kReturn},
    {kClose, "", "fd", Source::kFd, Slot::kFd},
    {kRead, "", "res", Source::kReturn},
    {kRead, "", "fd", Source::kFd, Slot::kFd},
    {kRead, "", "size", Source::kUnsigned, Slot::kByteCount},
    {kRead, "", "pos", Source::kUnsigned, Slot::kOffset},
    {kWrite, "", "res", Source::kReturn},
    {kWrite, "", "fd", Source::kFd, Slot::kFd},
    {kWrite, "", "size", Source::kUnsigned, Slot::kByteCount},
    {kWrite, "", "pos", Source::kUnsigned, Slot::kOffset},
    {kConnect, "", "res", Source::kReturn},
    {kConnect, "", "fd", Source::kFd, Slot::kFd},
    {kSentryExec, "", "res", Source::kReturn},
    {kSentryExec, "", "exe", Source::kExecExe},
    {kSentryExec, "", "args", Source::kExecArgs},
    {kSentryExec, "", "tid", Source::kProcessTid},
    {kSentryExec, "", "pid", Source::kProcessTgid},
    {kSentryExec, "", "ptid", Source::kProcessParentTgid},
    {kSentryExec, "", "cwd", Source::kProcessCwd},
    {kSentryExec, "", "comm", Source::kProcessName},
    {kSentryExec, "", "env", Source::kExecEnv},
    {kSentryExec, "", "flags", Source::kExecFlags},
    {kSentryExec, "", "uid", Source::kEffectiveUid},
    {kSentryExec, "", "gid", Source::kEffectiveGid},
    {kSentryExec, "", "trusted_exepath", Source::kExecPath},
    {kSentryExec, "", "filename", Source::kExecFileName},
    {kSocket, "", "fd", Source::kNewFd},
    {kSocket, "", "domain", Source::kDomain, Slot::kDomain},
    {kSocket, "", "type", Source::kUnsigned, Slot::kType},
    {kSocket, "", "proto", Source::kUnsigned, Slot::kProtocol},
    {kChdir, "", "res", Source::kReturn},
    {kChdir, "chdir", "path", Source::kText, Slot::kPathname},
    {kChdir, "fchdir", "fd", Source::kFd, Slot::kFd},
    {kSetid, "", "res", Source::kReturn},
    {kSetid, "setuid", "uid", Source::kUid, Slot::kId},
    {kSetid, "setgid", "gid", Source::kGid, Slot::kId},
    {kSetresid, "", "res", Source::kReturn},
    {kSetresid, "setresuid", "ruid", Source::kUid, Slot::kRid},
    {kSetresid, "setresuid", "euid", Source::kUid, Slot::kEid},
    {kSetresid, "setresuid", "suid", Source::kUid, Slot::kSid},
    {kSetresid, "setresgid", "rgid", Source::kGid, Slot::kRid},
    {kSetresid, "setresgid", "egid", Source::kGid, Slot::kEid},
    {kSetresid, "setresgid", "sgid", Source::kGid, Slot::kSid},
    {kPrlimit64, "", "res", Source::kReturn},
    {kPrlimit64, "", "pid", Source::kSigned, Slot::kPid},
    {kPrlimit64, "", "resource", Source::kUnsigned, Slot::kResource},
    {kPipe, "", "res", Source::kReturn},
    {kPipe, "", "fd1", Source::kFd, Slot::kReader},
    {kPipe, "", "fd2", Source::kFd, Slot::kWriter},
    {kFcntl, "", "res", Source::kReturn},
    {kFcntl, "", "fd", Source::kFd, Slot::kFd},
    {kFcntl, "", "cmd", Source::kUnsigned, Slot::kCmd},
    {kFcntl, "", "arg", Source::kUnsigned, Slot::kArg},
    {kDup, "", "res", Source::kNewFd},
    {kDup, "", "oldfd", Source::kFd, Slot::kOldFd},
    {kDup, "dup2", "newfd", Source::kFd, Slot::kNewFd},
    {kDup, "dup3", "newfd", Source::kFd, Slot::kNewFd},
    {kDup, "dup3", "flags", Source::kOpenFlags, Slot::kFlags},
    {kSignalfd, "", "res", Source::kNewFd},
    {kSignalfd, "", "fd", Source::kFd, Slot::kFd},
    {kSignalfd, "", "mask", Source::kUnsigned, Slot::kSigset},
    {kSignalfd, "", "flags", Source::kUnsigned, Slot::kFlags},
    {kChroot, "", "res", Source::kReturn},
    {kChroot, "", "path", Source::kText, Slot::kPathname},
    {kEventfd, "", "res", Source::kNewFd},
    {kEventfd, "", "initval", Source::kUnsigned, Slot::kVal},
    {kEventfd, "", "flags", Source::kUnsigned, Slot::kFlags},
    {kClone, "", "res", Source::kReturn},
    {kClone, "", "flags", Source::kUnsigned, Slot::kFlags},
    {kClone, "", "exe", Source::kExecExe},
    {kClone, "", "args", Source::kExecArgs},
    {kClone, "", "comm", Source::kProcessName},
    {kClone, "", "cwd", Source::kProcessCwd},
    {kClone, "", "tid", Source::kProcessTid},
    {kClone, "", "pid", Source::kProcessTgid},
    {kClone, "", "ptid", Source::kProcessParentTgid},
    {kClone, "", "uid", Source::kEffectiveUid},
    {kClone, "", "gid", Source::kEffectiveGid},
    {kFork, "", "res", Source::kReturn},
    {kFork, "", "exe", Source::kExecExe},
    {kFork, "", "args", Source::kExecArgs},
    {kFork, "", "comm", Source::kProcessName},
    {kFork, "", "cwd", Source::kProcessCwd},
    {kBind, "", "res", Source::kReturn},
    {kBind, "", "fd", Source::kFd, Slot::kFd},
    {kAccept, "", "fd", Source::kNewFd},
    {kAccept, "accept4", "flags", Source::kSigned, Slot::kFlags},
    {kTimerfdCreate, "", "res", Source::kNewFd},
    {kTimerfdCreate, "", "clockid", Source::kUnsigned, Slot::kClockId},
    {kTimerfdCreate, "", "flags", Source::kUnsigned, Slot::kFlags},
    {kInotifyInit, "", "res", Source::kNewFd},
    {kInotifyInit, "", "flags", Source::kUnsigned, Slot::kFlags},
    {kSocketPair, "", "res", Source::kReturn},
    {kSocketPair, "", "fd1", Source::kFd, Slot::kSocket1},
    {kSocketPair, "", "fd2", Source::kFd, Slot::kSocket2},
    {kSocketPair, "", "domain", Source::kDomain, Slot::kDomain},
    {kSocketPair, "", "type", Source::kUnsigned, Slot::kType},
    {kSocketPair, "", "proto", Source::kUnsigned, Slot::kProtocol},
    {kMmap, "", "res", Source::kReturn},
    {kMmap, "", "addr", Source::kUnsigned, Slot::kAddr},
    {kMmap, "", "length", Source::kUnsigned, Slot::kLength},
    {kMmap, "", "prot", Source::kProtection, Slot::kProt},
    {kMmap, "", "flags", Source::kUnsigned, Slot::kFlags},
    {kMmap, "", "fd", Source::kFd, Slot::kFd},
    {kMmap, "", "offset", Source::kUnsigned, Slot::kOffset},
    {kListen, "", "res", Source::kReturn},
    {kListen, "", "fd", Source::kFd, Slot::kFd},
    {kListen, "", "backlog", Source::kSigned, Slot::kBacklog},
    {kPtrace, "", "res", Source::kReturn},
    {kPtrace, "", "request", Source::kPtrace, Slot::kRequest},
    {kPtrace, "", "pid", Source::kPid, Slot::kPid},
    {kSentryTaskExit, "", "status", Source::kSigned, Slot::kExitStatus},
    {kSentryTaskExit, "", "ret", Source::kExitCode},
    {kSentryTaskExit, "", "sig", Source::kExitSignal},
    {kSentryTaskExit, "", "core", Source::kExitCore},
    // Raw messages have registers only; these arguments are numbers.
    {kRaw, "chmod", "res", Source::kReturn},
    {kRaw, "chmod", "mode", Source::kOpenMode, Slot::kArg2},
    {kRaw, "fchmod", "res", Source::kReturn},
    {kRaw, "fchmod", "fd", Source::kFd, Slot::kArg1},
    {kRaw, "fchmod", "mode", Source::kOpenMode, Slot::kArg2},
    {kRaw, "fchmodat", "res", Source::kReturn},
    {kRaw, "fchmodat", "dirfd", Source::kFd, Slot::kArg1},
    {kRaw, "fchmodat", "mode", Source::kOpenMode, Slot::kArg3},
    {kRaw, "kill", "res", Source::kReturn},
    {kRaw, "kill", "pid", Source::kPid, Slot::kArg1},
    {kRaw, "kill", "sig", Source::kUnsigned, Slot::kArg2},
    {kRaw, "unshare", "res", Source::kReturn},
    {kRaw, "unshare", "flags", Source::kUnsigned, Slot::kArg1},
    {kRaw, "setns", "res", Source::kReturn},
    {kRaw, "setns", "fd", Source::kFd, Slot::kArg1},
    {kRaw, "setns", "nstype", Source::kUnsigned, Slot::kArg2},
    {kRaw, "bpf", "fd", Source::kReturn},
    {kRaw, "bpf", "cmd", Source::kSigned, Slot::kArg1},
    {kRaw, "mprotect", "res", Source::kReturn},
    {kRaw, "mprotect", "addr", Source::kUnsigned, Slot::kArg1},
    {kRaw, "mprotect", "length", Source::kUnsigned, Slot::kArg2},
    {kRaw, "mprotect", "prot", Source::kProtection, Slot::kArg3},
    {kRaw, "ptrace", "res", Source::kReturn},
    {kRaw, "ptrace", "request", Source::kPtrace, Slot::kArg1},
    {kRaw, "ptrace", "pid", Source::kPid, Slot::kArg2},
};

struct BoundArg {
  int32_t name_id;
  bool raw;  // for messages of the raw point, else for the others
  Source source;
  Slot slot;
};

// The rows by event type, built once.
class ArgIndex {
 public:
  ArgIndex() {
    for (const ArgRow& row : kRows) {
      const int32_t name_id = *FindArgName(row.name);
      const bool raw = row.message == kRaw;
      const auto add = [&](std::string_view type_name) {
        const std::optional<EventType> type = FindEventType(type_name);
        if (type) by_type_[type->index].push_back({name_id, raw, row.source, row.slot});
      };
      if (raw) {
        add(row.event_type);
      } else if (row.message == kSentryExec) {
        add("execve");
        add("execveat");
      } else {
        for (const PointDef& point : Points()) {
          if (point.message != row.message) continue;
          if (row.event_type.empty() || row.event_type == point.event_type) add(point.event_type);
        }
      }
    }
  }

  const std::vector<BoundArg>& Of(EventType type) const { return by_type_[type.index]; }

 private:
  std::array<std::vector<BoundArg>, kEventTypeCount> by_type_;
};

const ArgIndex& Index() {
  static const ArgIndex index;
  return index;
}

bool IsRaw(const Happening& happening) {
  return happening.event != nullptr && happening.event->type() == kRaw;
}

// Text for people is built in a std::string first: only alerts and rules on such an argument need
// it.
Value Built(const std::string& text, Scratch& scratch) {
  return Value::Text(scratch.Copy(text));
}

Value FdValue(int64_t fd, bool resolved, const Happening& happening, Scratch& scratch) {
  if (!resolved) return Value::Int(fd);
  std::string text = std::to_string(fd);
  if (fd < 0) {
    const std::string_view name = ErrnoOfReturn(fd);
    return fd == -100 ? Value::Text("AT_FDCWD")
                      : (name.empty() ? Built(text, scratch) : Value::Text(name));
  }
  if (const File* file = happening.process->fds->Find(fd); file != nullptr) {
    text = "<";
    text += gyrfalcon::Describe(file->type).type_char;
    text += '>';
    text += file->name;
  }
  return Built(text, scratch);
}

Value ReturnValue(int64_t value, bool resolved, Scratch& scratch) {
  if (!resolved) return Value::Int(value);
  const std::string_view name = value < 0 ? ErrnoOfReturn(value) : std::string_view{};
  return name.empty() ? Built(std::to_string(value), scratch) : Value::Text(name);
}

Value Number(int64_t value, bool is_signed, bool resolved, Scratch& scratch) {
  if (!resolved) return is_signed ? Value::Int(value) : Value::Uint(static_cast<uint64_t>(value));
  return Built(is_signed ? std::to_string(value) : std::to_string(static_cast<uint64_t>(value)),
               scratch);
}

Value OctalMode(uint64_t mode, bool resolved, Scratch& scratch) {
  if (!resolved) return Value::Uint(mode);
  std::string text = "0";
  AppendPrinted(Value::Uint(mode), PrintFormat::kOctal, text);
  return Built(text, scratch);
}

Value ExecFlags(const Image& image, bool resolved, Scratch& scratch) {
  constexpr struct {
    bool Image::* set;
    uint32_t bit;  // Falco's PPM_EXE_*
    std::string_view name;
  } kFlags[] = {{&Image::in_upper_layer, 2, "EXE_UPPER_LAYER"},
                {&Image::in_memfd, 4, "EXE_FROM_MEMFD"},
                {&Image::in_lower_layer, 8, "EXE_LOWER_LAYER"}};
  uint64_t bits = 0;
  std::string text;
  for (const auto& flag : kFlags) {
    if (!(image.*flag.set)) continue;
    bits |= flag.bit;
    if (!text.empty()) text += '|';
    text += flag.name;
  }
  if (!resolved) return Value::Uint(bits);
  return Built(text.empty() ? "0" : text, scratch);
}

Value JoinedList(const TextList& list, bool skip_first, Scratch& scratch) {
  std::string text;
  list.ForEach([&](std::string_view item) {
    if (std::exchange(skip_first, false)) return;
    if (!text.empty()) text += ' ';
    text += item;
  });
  return Built(text, scratch);
}

Value UserId(uint32_t uid, bool resolved, const Happening& happening, Scratch& scratch) {
  return resolved ? UserName(happening, uid, scratch) : Value::Uint(uid);
}

Value GroupId(uint32_t gid, bool resolved, const Happening& happening, Scratch& scratch) {
  return resolved ? GroupName(happening, gid, scratch) : Value::Uint(gid);
}

Value ExtractExec(const BoundArg& arg, bool resolved, const Happening& happening,
                  Scratch& scratch) {
  const Process& process = *happening.process;
  const Image& image = *process.image;
  // A failed exec carries its own arguments; the process is still the caller.
  const Event* attempt =
      happening.event != nullptr && happening.event->type() == kExecve ? happening.event : nullptr;
  switch (arg.source) {
    case Source::kExecExe:
      return Value::Text(attempt != nullptr ? attempt->list(Slot::kArgv).front()
                                            : std::string_view(image.exe));
    case Source::kExecArgs:
      return attempt != nullptr ? JoinedList(attempt->list(Slot::kArgv), true, scratch)
                                : Value::Text(image.args.joined());
    case Source::kExecEnv:
      return attempt != nullptr ? JoinedList(attempt->list(Slot::kEnvv), false, scratch)
                                : Value::Text(image.env.joined());
    case Source::kExecPath:
      return image.exe_path.empty() || attempt != nullptr ? Value() : Value::Text(image.exe_path);
    case Source::kExecFileName:
      if (attempt != nullptr) return Value::Text(attempt->text(Slot::kPathname));
      return image.exec_name.empty() ? Value() : Value::Text(image.exec_name);
    default:
      return ExecFlags(image, resolved, scratch);
  }
}

Value ExtractProcess(Source source, const Happening& happening) {
  const Process& process = *happening.process;
  switch (source) {
    case Source::kProcessName:
      return process.name.empty() ? Value() : Value::Text(process.name.view());
    case Source::kProcessCwd:
      return process.cwd.empty() ? Value() : Value::Text(process.cwd);
    case Source::kProcessTid:
      return Value::Int(happening.tid);
    case Source::kProcessTgid:
      return Value::Int(process.tgid);
    default:
      return process.parent ? Value::Int(process.parent->tgid) : Value();
  }
}

Value ExtractExit(Source source, int64_t status) {
  constexpr int64_t kSignalMask = 0x7f;
  constexpr int64_t kCoreBit = 0x80;
  switch (source) {
    case Source::kExitCode:
      return Value::Int((status >> 8) & 0xff);
    case Source::kExitSignal:
      return Value::Uint(static_cast<uint64_t>(status & kSignalMask));
    default:
      return Value::Uint((status & kCoreBit) != 0 ? 1 : 0);
  }
}

Value ExtractBits(const BoundArg& arg, bool resolved, const Event& event, Scratch& scratch) {
  const int64_t number = event.number(arg.slot);
  if (!resolved) return Value::Uint(static_cast<uint64_t>(number));
  std::string text;
  switch (arg.source) {
    case Source::kOpenFlags:
      AppendOpenFlags(static_cast<uint32_t>(number), text);
      break;
    case Source::kProtection:
      AppendProtection(static_cast<uint32_t>(number), text);
      break;
    case Source::kDomain:
      text = SocketDomainName(number);
      break;
    default:
      text = PtraceRequestName(number);
  }
  if (text.empty()) text = std::to_string(number);
  return Built(text, scratch);
}

Value Extract(const BoundArg& arg, bool resolved, const Happening& happening, Scratch& scratch) {
  const Process& process = *happening.process;
  switch (arg.source) {
    case Source::kReturn:
      return ReturnValue(happening.return_value, resolved, scratch);
    case Source::kNewFd:
      return FdValue(happening.return_value, resolved, happening, scratch);
    case Source::kExecExe:
    case Source::kExecArgs:
    case Source::kExecEnv:
    case Source::kExecPath:
    case Source::kExecFileName:
    case Source::kExecFlags:
      return ExtractExec(arg, resolved, happening, scratch);
    case Source::kProcessName:
    case Source::kProcessCwd:
    case Source::kProcessTid:
    case Source::kProcessTgid:
    case Source::kProcessParentTgid:
      return ExtractProcess(arg.source, happening);
    case Source::kEffectiveUid:
      return UserId(process.credentials.effective_uid, resolved, happening, scratch);
    case Source::kEffectiveGid:
      return GroupId(process.credentials.effective_gid, resolved, happening, scratch);
    default:
      break;
  }
  if (happening.event == nullptr) return {};
  const Event& event = *happening.event;
  switch (arg.source) {
    case Source::kFd:
      return FdValue(event.number(arg.slot), resolved, happening, scratch);
    case Source::kSigned:
    case Source::kPid:
      return Number(event.number(arg.slot), true, resolved, scratch);
    case Source::kUnsigned:
      return Number(event.number(arg.slot), false, resolved, scratch);
    case Source::kText:
      return Value::Text(event.text(arg.slot));
    case Source::kOpenMode:
      return OctalMode(static_cast<uint64_t>(event.number(arg.slot)), resolved, scratch);
    case Source::kUid:
      return UserId(static_cast<uint32_t>(event.number(arg.slot)), resolved, happening, scratch);
    case Source::kGid:
      return GroupId(static_cast<uint32_t>(event.number(arg.slot)), resolved, happening, scratch);
    case Source::kExitCode:
    case Source::kExitSignal:
    case Source::kExitCore:
      return ExtractExit(arg.source, event.number(Slot::kExitStatus));
    default:
      return ExtractBits(arg, resolved, event, scratch);
  }
}

}  // namespace

std::optional<int32_t> FindArgName(std::string_view name) {
  const auto found = std::ranges::lower_bound(kArgNames, name, {}, &ArgName::name);
  if (found == std::end(kArgNames) || found->name != name) return std::nullopt;
  return static_cast<int32_t>(found - std::begin(kArgNames));
}

FieldType RawArgType(int32_t name_id) {
  return kArgNames[name_id].raw_type;
}

Value ExtractArg(int32_t name_id, bool resolved, const Happening& happening, Scratch& scratch) {
  for (const BoundArg& arg : Index().Of(happening.type)) {
    if (arg.name_id == name_id && arg.raw == IsRaw(happening)) {
      return Extract(arg, resolved, happening, scratch);
    }
  }
  return {};
}

Value ExtractAllArgs(const Happening& happening, Scratch& scratch) {
  std::string text;
  for (const BoundArg& arg : Index().Of(happening.type)) {
    if (arg.raw != IsRaw(happening)) continue;
    const Value plain = Extract(arg, false, happening, scratch);
    if (plain.missing()) continue;
    if (!text.empty()) text += ' ';
    text += kArgNames[arg.name_id].name;
    text += '=';
    const size_t begin = text.size();
    AppendPrinted(plain, PrintFormat::kPlain, text);
    // Falco's form: the plain value, then what it means where that says more.
    const Value resolved = Extract(arg, true, happening, scratch);
    if (resolved.kind() != ValueKind::kText) continue;
    if (std::string_view(text).substr(begin) == resolved.text()) continue;
    text += '(';
    text += resolved.text();
    text += ')';
  }
  return Built(text, scratch);
}

}  // namespace gyrfalcon
