#include <algorithm>
#include <array>

#include "base/text.h"
#include "fields/event_args.h"
#include "fields/rows.h"
#include "state/happening.h"

namespace gyrfalcon {
namespace {

// ---- of one process; the rows below ask them of the process itself, its parent and its ancestors

Value Name(const Process& p, const Happening&, Scratch&) {
  return p.name.empty() ? Value() : Value::Text(p.name.view());
}
Value Exe(const Process& p, const Happening&, Scratch&) {
  return p.image->exe.empty() && p.image->argc == 0 ? Value() : Value::Text(p.image->exe);
}
// As the kernel does, gVisor says of a file that is gone that it is deleted; the path is the same.
Value ExePath(const Process& p, const Happening&, Scratch&) {
  constexpr std::string_view kDeleted = " (deleted)";
  std::string_view path = p.image->exe_path;
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return path.empty() ? Value() : Value::Text(path);
}
Value Args(const Process& p, const Happening&, Scratch&) {
  return Value::Text(p.image->args.joined());
}
Value CommandLine(const Process& p, const Happening&, Scratch&) {
  return p.name.empty() ? Value() : Value::Text(p.CommandLine());
}
Value ExeLine(const Process& p, const Happening&, Scratch& scratch) {
  const std::string_view exe = p.image->exe;
  const std::string_view args = p.image->args.joined();
  const std::span<char> out = scratch.Chars(exe.size() + 1 + args.size());
  std::ranges::copy(exe, out.begin());
  out[exe.size()] = ' ';
  std::ranges::copy(args, out.begin() + static_cast<std::ptrdiff_t>(exe.size()) + 1);
  return Value::Text({out.data(), out.size()});
}
Value Env(const Process& p, const Happening&, Scratch&) {
  return Value::Text(p.image->env.joined());
}

Value Cwd(const Process& p, const Happening&, Scratch& scratch) {
  if (p.cwd.empty()) return {};
  if (p.cwd.ends_with('/')) return Value::Text(p.cwd);
  const std::span<char> out = scratch.Chars(p.cwd.size() + 1);
  std::ranges::copy(p.cwd, out.begin());
  out.back() = '/';
  return Value::Text({out.data(), out.size()});
}

// A container's init reports 1, whatever its id in the sandbox's root PID namespace.
Value Pid(const Process& p, const Happening&, Scratch&) {
  return Value::Int(p.tgid);
}
Value ContainerPid(const Process& p, const Happening&, Scratch&) {
  const bool is_init = p.container && p.container->init_tgid == p.tgid && p.tgid != 0;
  return Value::Int(is_init ? 1 : p.tgid);
}

// Falco's times have no sign: one that a forged clock makes negative is 0.
Value Nanoseconds(int64_t ns) {
  return Value::Uint(static_cast<uint64_t>(std::max<int64_t>(ns, 0)));
}

Value StartTime(const Process& p, const Happening&, Scratch&) {
  return p.start_time_ns == 0 ? Value() : Nanoseconds(p.start_time_ns);
}
Value Age(const Process& p, const Happening& h, Scratch&) {
  return p.start_time_ns == 0 ? Value() : Nanoseconds(Since(p.start_time_ns, h.time_ns));
}

using OfProcess = Value (*)(const Process&, const Happening&, Scratch&);

template <OfProcess get>
Value OfSelf(const BoundField&, const Happening& h, Scratch& s) {
  return get(*h.process, h, s);
}

template <OfProcess get>
Value OfParent(const BoundField&, const Happening& h, Scratch& s) {
  const Process* parent = h.process->parent.get();
  return parent == nullptr ? Value() : get(*parent, h, s);
}

// [N]: the N-th ancestor, 0 the process itself. Without an index: all ancestors from the parent on.
template <OfProcess get>
Value OfAncestor(const BoundField& field, const Happening& h, Scratch& s) {
  if (field.arg.index) {
    const Process* process = h.process;
    for (uint64_t i = 0; i < *field.arg.index && process != nullptr; ++i) {
      process = process->parent.get();
    }
    return process == nullptr ? Value() : get(*process, h, s);
  }
  size_t count = 0;
  for (const Process* p = h.process->parent.get(); p != nullptr; p = p->parent.get()) ++count;
  if (count == 0) return {};
  const std::span<Value> items = s.Values(count);
  size_t used = 0;
  for (const Process* p = h.process->parent.get(); p != nullptr; p = p->parent.get()) {
    if (const Value value = get(*p, h, s); !value.missing()) items[used++] = value;
  }
  return used == 0 ? Value() : Value::List(items.first(used));
}

template <OfProcess get>
Value OwnOrOfAncestor(const BoundField& field, const Happening& h, Scratch& s) {
  return field.has_arg ? OfAncestor<get>(field, h, s) : get(*h.process, h, s);
}

// Not a question to each ancestor, as the others are: one text of all.
Value AncestorArgs(const BoundField& field, const Happening& h, Scratch& s) {
  if (field.has_arg) return OfAncestor<Args>(field, h, s);
  std::string joined;
  for (const Process* p = h.process->parent.get(); p != nullptr; p = p->parent.get()) {
    const std::string_view args = p->image->args.joined();
    if (args.empty()) continue;
    if (!joined.empty()) joined += ' ';
    joined += args;
  }
  return h.process->parent ? Value::Text(s.Copy(joined)) : Value();
}

// ---- argument forms

Value ArgsOrOne(const BoundField& field, const Happening& h, Scratch&) {
  const TextVector& args = h.process->image->args;
  if (!field.arg.index) return Value::Text(args.joined());
  return Value::Text(*field.arg.index < args.size() ? args[*field.arg.index] : std::string_view{});
}

std::string_view FindEnv(const Process& process, std::string_view name) {
  const TextVector& env = process.image->env;
  for (size_t i = 0; i < env.size(); ++i) {
    const std::string_view entry = env[i];
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return TrimBlanks(entry.substr(name.size() + 1));
    }
  }
  return {};
}

Value EnvOrOne(const BoundField& field, const Happening& h, Scratch&) {
  if (!field.has_arg || field.arg.index) return Value::Text(h.process->image->env.joined());
  return Value::Text(FindEnv(*h.process, field.arg.text));
}

Value AncestorEnv(const BoundField& field, const Happening& h, Scratch& s) {
  if (!field.has_arg || field.arg.index) return OfAncestor<Env>(field, h, s);
  constexpr int kDeepest = 20;  // as Falco
  int depth = 0;
  for (const Process* p = h.process->parent.get(); p != nullptr && depth < kDeepest;
       p = p->parent.get(), ++depth) {
    if (const std::string_view value = FindEnv(*p, field.arg.text); !value.empty()) {
      return Value::Text(value);
    }
  }
  return Value::Text("");
}

Value OwnOrAncestorEnv(const BoundField& field, const Happening& h, Scratch& s) {
  return field.has_arg ? AncestorEnv(field, h, s) : Env(*h.process, h, s);
}

// ---- leaders of sessions and process groups

const Process* FindLeader(const Happening& h, int32_t id, int32_t ProcessFacts::* member) {
  if (id == 0) return nullptr;
  const Process* oldest = nullptr;
  for (const Process* p = h.process; p != nullptr; p = p->parent.get()) {
    if (p->tgid == id) return p;
    if (p->*member == id) oldest = p;
  }
  return oldest;
}

template <int32_t ProcessFacts::* member, OfProcess get>
Value OfLeader(const BoundField&, const Happening& h, Scratch& s) {
  const Process* leader = FindLeader(h, h.process->*member, member);
  if (leader == nullptr) return Value::Text("");
  const Value value = get(*leader, h, s);
  return value.missing() ? Value::Text("") : value;
}

template <int32_t ProcessFacts::* member>
Value IdOf(const BoundField&, const Happening& h, Scratch&) {
  const int32_t id = h.process->*member;
  return id == 0 ? Value() : Value::Int(id);
}

template <int32_t ProcessFacts::* member>
Value IsLeader(const BoundField&, const Happening& h, Scratch&) {
  const int32_t id = h.process->*member;
  return id == 0 ? Value() : Value::Bool(id == h.process->tgid);
}

// ---- the binary

template <bool Image::* flag>
Value ImageFlag(const BoundField&, const Happening& h, Scratch&) {
  return Value::Bool(h.process->image.get()->*flag);
}

Value IsExeWritable(const BoundField&, const Happening& h, Scratch&) {
  return Value::Bool(MayWriteImage(*h.process));
}

Value Change(const BoundField&, const Happening& h, Scratch&) {
  const int64_t changed_ns = h.process->image->change_time_ns;
  return changed_ns == 0 ? Value() : Nanoseconds(changed_ns);
}

template <int64_t fd>
Value StdType(const BoundField&, const Happening& h, Scratch&) {
  const File* file = h.process->fds->Find(fd);
  return file == nullptr ? Value() : Value::Text(Describe(file->type).name);
}

template <int64_t fd>
Value StdName(const BoundField&, const Happening& h, Scratch&) {
  const File* file = h.process->fds->Find(fd);
  return file == nullptr ? Value() : Value::Text(file->name);
}

Value LoginShell(const BoundField&, const Happening& h, Scratch&) {
  const Process* oldest = nullptr;
  for (const Process* p = h.process; p != nullptr; p = p->parent.get()) {
    if (p->name.view().ends_with("sh")) oldest = p;
  }
  return oldest == nullptr ? Value() : Value::Int(oldest->tgid);
}

Value Cgroups(const BoundField& field, const Happening& h, Scratch& scratch) {
  constexpr std::string_view kSubsystem = "gvisor_container_id";
  if (h.container == nullptr || (field.has_arg && field.arg.text != kSubsystem)) return {};
  std::string text = field.has_arg ? "/" : std::string(kSubsystem) + "=/";
  text += h.container->id;
  return Value::Text(scratch.Copy(text));
}

constexpr uint8_t kLine = kByAncestors | kBySelf;
constexpr uint8_t kAncestorFlags = kAnyAncestor | kNoRhs | kNoTransformer;

constexpr FieldDef LineField(std::string_view name, FieldType type, Extractor extract,
                             std::string_view help,
                             Availability availability = Availability::kYes) {
  return {.name = name,
          .type = type,
          .availability = availability,
          .level = Level::kProcess,
          .invalidated_by = kLine,
          .extract = extract,
          .help = help};
}

constexpr FieldDef AncestorField(std::string_view name, FieldType type, Extractor extract,
                                 std::string_view help, ArgForm arg = ArgForm::kIndexAllowed,
                                 Extractor extract_printed = nullptr) {
  return {.name = name,
          .type = type,
          .arg = arg,
          .flags = kAncestorFlags,
          .level = Level::kProcess,
          .invalidated_by = kLine,
          .extract = extract,
          .help = help,
          .extract_printed = extract_printed};
}

constexpr FieldDef TimeField(std::string_view name, Extractor extract, uint8_t invalidated_by,
                             std::string_view help, std::string_view falco_type = "RELTIME") {
  return {.name = name,
          .type = FieldType::kUint,
          .level = Level::kProcess,
          .invalidated_by = invalidated_by,
          .extract = extract,
          .help = help,
          .falco_type = falco_type};
}

using enum FieldType;

constexpr FieldDef kRows[] = {
    OwnField("proc.name", kText, OfSelf<Name>, "Name of the process, at most 15 bytes."),
    OwnField("proc.exe", kText, OfSelf<Exe>, "argv[0]."),
    OwnField("proc.exepath", kText, OfSelf<ExePath>, "Resolved path of the program's file."),
    {.name = "proc.args",
     .type = kText,
     .arg = ArgForm::kIndexAllowed,
     .level = Level::kProcess,
     .invalidated_by = kBySelf,
     .extract = ArgsOrOne,
     .help = "Arguments after argv[0], joined by blanks; [N] is one of them."},
    OwnField("proc.cmdline", kText, OfSelf<CommandLine>, "Name and arguments."),
    OwnField("proc.exeline", kText, OfSelf<ExeLine>, "argv[0] and arguments."),
    OwnField(
        "proc.cmdnargs", kUint,
        [](const BoundField&, const Happening& h, Scratch&) {
          return Value::Uint(h.process->image->args.size());
        },
        "Number of arguments after argv[0]."),
    OwnField(
        "proc.cmdlenargs", kUint,
        [](const BoundField&, const Happening& h, Scratch&) {
          const TextVector& args = h.process->image->args;
          return Value::Uint(args.empty() ? 0 : args.joined().size() - (args.size() - 1));
        },
        "Total length of the arguments after argv[0]."),
    {.name = "proc.env",
     .type = kText,
     .arg = ArgForm::kKeyAllowed,
     .level = Level::kProcess,
     .invalidated_by = kBySelf,
     .extract = EnvOrOne,
     .help = "The environment, or one variable: proc.env[HOME]."},
    {.name = "proc.cwd",
     .type = kText,
     .level = Level::kProcess,
     .invalidated_by = kByCwd,
     .extract = OfSelf<Cwd>,
     .help = "Working directory, with a trailing slash."},
    {.name = "proc.tty",
     .type = kUint,
     .availability = Availability::kPartial,
     .level = Level::kProcess,
     .invalidated_by = kBySelf,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Uint(h.process->tty); },
     .help = "Controlling terminal's number, 0 for none; a guess from what container/start and "
             "execve tell.",
     .falco_type = "UINT32"},
    OwnField("proc.pid", kInt, OfSelf<Pid>, "Process id in the sandbox's root PID namespace."),
    OwnField("proc.vpid", kInt, OfSelf<ContainerPid>,
             "proc.pid, but 1 for the container's first process."),
    LineField("proc.ppid", kInt, OfParent<Pid>, "The parent's proc.pid."),
    LineField("proc.pvpid", kInt, OfParent<ContainerPid>, "The parent's proc.vpid."),
    LineField("proc.pname", kText, OfParent<Name>, "The parent's proc.name."),
    LineField("proc.pexe", kText, OfParent<Exe>, "The parent's proc.exe."),
    LineField("proc.pexepath", kText, OfParent<ExePath>, "The parent's proc.exepath."),
    LineField("proc.pcmdline", kText, OfParent<CommandLine>, "The parent's proc.cmdline."),
    AncestorField("proc.aname", kText, OfAncestor<Name>,
                  "An ancestor's proc.name; [1] is the parent."),
    AncestorField("proc.aexe", kText, OfAncestor<Exe>, "An ancestor's proc.exe."),
    AncestorField("proc.aexepath", kText, OfAncestor<ExePath>, "An ancestor's proc.exepath."),
    AncestorField("proc.acmdline", kText, OfAncestor<CommandLine>, "An ancestor's proc.cmdline."),
    {.name = "proc.aargs",
     .type = kText,
     .arg = ArgForm::kIndexAllowed,
     .level = Level::kProcess,
     .invalidated_by = kLine,
     .extract = AncestorArgs,
     .help = "An ancestor's proc.args; without an index those of all, joined by blanks."},
    AncestorField("proc.apid", kInt, OfAncestor<Pid>,
                  "An ancestor's proc.pid; in an output without an index the own one.",
                  ArgForm::kIndexAllowed, OwnOrOfAncestor<Pid>),
    AncestorField("proc.aenv", kText, AncestorEnv,
                  "An ancestor's environment, or one variable of the nearest that has it; in an "
                  "output without an argument the own one.",
                  ArgForm::kKeyAllowed, OwnOrAncestorEnv),
    {.name = "proc.loginshellid",
     .type = kInt,
     .level = Level::kProcess,
     .invalidated_by = kLine,
     .extract = LoginShell,
     .help = "proc.pid of the oldest ancestor whose name ends in \"sh\"."},
    TimeField("proc.duration", OfSelf<Age>, kByTime | kLine,
              "Nanoseconds since the process began."),
    TimeField("proc.ppid.duration", OfParent<Age>, kByTime | kLine,
              "Nanoseconds since the parent began."),
    TimeField("proc.pid.ts", OfSelf<StartTime>, kBySelf,
              "When the process began, ns since the epoch."),
    TimeField("proc.ppid.ts", OfParent<StartTime>, kLine, "When the parent began."),
    LineField("proc.sid", kInt, IdOf<&Process::session_id>, "Session id.", Availability::kPartial),
    LineField("proc.sname", kText, OfLeader<&Process::session_id, Name>,
              "Name of the session's leader.", Availability::kPartial),
    LineField("proc.sid.exe", kText, OfLeader<&Process::session_id, Exe>,
              "argv[0] of the session's leader.", Availability::kPartial),
    LineField("proc.sid.exepath", kText, OfLeader<&Process::session_id, ExePath>,
              "Path of the session leader's program.", Availability::kPartial),
    LineField("proc.vpgid", kInt, IdOf<&Process::group_id>, "Process group id.",
              Availability::kPartial),
    LineField("proc.vpgid.name", kText, OfLeader<&Process::group_id, Name>,
              "Name of the process group's leader.", Availability::kPartial),
    LineField("proc.vpgid.exe", kText, OfLeader<&Process::group_id, Exe>,
              "argv[0] of the process group's leader.", Availability::kPartial),
    LineField("proc.vpgid.exepath", kText, OfLeader<&Process::group_id, ExePath>,
              "Path of the process group leader's program.", Availability::kPartial),
    LineField("proc.pgid", kInt, IdOf<&Process::group_id>, "Process group id.",
              Availability::kPartial),
    LineField("proc.pgid.name", kText, OfLeader<&Process::group_id, Name>,
              "Name of the process group's leader.", Availability::kPartial),
    LineField("proc.pgid.exe", kText, OfLeader<&Process::group_id, Exe>,
              "argv[0] of the process group's leader.", Availability::kPartial),
    LineField("proc.pgid.exepath", kText, OfLeader<&Process::group_id, ExePath>,
              "Path of the process group leader's program.", Availability::kPartial),
    OwnField("proc.is_sid_leader", kBool, IsLeader<&Process::session_id>,
             "Whether the process leads its session.", Availability::kPartial),
    OwnField("proc.is_vpgid_leader", kBool, IsLeader<&Process::group_id>,
             "Whether the process leads its process group.", Availability::kPartial),
    OwnField("proc.is_pgid_leader", kBool, IsLeader<&Process::group_id>,
             "Whether the process leads its process group.", Availability::kPartial),
    OwnField("proc.is_exe_writable", kBool, IsExeWritable,
             "Whether the process may write its own program's file."),
    OwnField("proc.is_exe_upper_layer", kBool, ImageFlag<&Image::in_upper_layer>,
             "Whether the program's file was written since the container started."),
    OwnField("proc.is_exe_lower_layer", kBool, ImageFlag<&Image::in_lower_layer>,
             "Whether the program's file is of the image."),
    OwnField("proc.is_exe_from_memfd", kBool, ImageFlag<&Image::in_memfd>,
             "Whether the program runs from memory, not from a file."),
    OwnField(
        "proc.exe_ino", kInt,
        [](const BoundField&, const Happening& h, Scratch&) {
          const auto inode = static_cast<int64_t>(h.process->image->inode);
          return inode == 0 ? Value() : Value::Int(inode);
        },
        "Inode of the program's file."),
    TimeField("proc.exe_ino.ctime", Change, kBySelf,
              "When the program's file last changed, ns since the epoch.", "ABSTIME"),
    {.name = "proc.exe_ino.mtime",
     .type = kUint,
     .availability = Availability::kNever,
     .help = "Modification time of the program's file; gVisor sends ctime only.",
     .falco_type = "ABSTIME"},
    TimeField(
        "proc.exe_ino.ctime_duration_proc_start",
        [](const BoundField&, const Happening& h, Scratch&) {
          const Image& image = *h.process->image;
          if (image.change_time_ns == 0 || h.process->start_time_ns == 0) return Value();
          const int64_t age_ns = Since(image.change_time_ns, h.process->start_time_ns);
          return age_ns <= 0 ? Value() : Nanoseconds(age_ns);
        },
        kBySelf, "From the last change of the program's file to the start of the process, ns.",
        "ABSTIME"),
    TimeField(
        "proc.exe_ino.ctime_duration_pidns_start",
        [](const BoundField&, const Happening& h, Scratch&) {
          const Image& image = *h.process->image;
          if (h.container == nullptr || h.container->start_time_ns == 0) return Value();
          const int64_t age_ns = Since(h.container->start_time_ns, image.change_time_ns);
          return age_ns <= 0 ? Value() : Nanoseconds(age_ns);
        },
        kBySelf, "From the container's start to the last change of the program's file, ns.",
        "ABSTIME"),
    {.name = "proc.pidns_init_start_ts",
     .type = kUint,
     .level = Level::kContainer,
     .extract =
         [](const BoundField&, const Happening& h, Scratch&) {
           if (h.container == nullptr || h.container->start_time_ns == 0) return Value();
           return Value::Uint(static_cast<uint64_t>(h.container->start_time_ns));
         },
     .help = "When the container's first process began, ns since the epoch."},
    {.name = "proc.fdopencount",
     .type = kUint,
     .availability = Availability::kPartial,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Uint(h.process->fds->size()); },
     .help = "Number of open fds that were seen."},
    {.name = "proc.fdlimit",
     .type = kInt,
     .availability = Availability::kPartial,
     .extract =
         [](const BoundField&, const Happening& h, Scratch&) {
           return h.process->fd_limit < 0 ? Value() : Value::Int(h.process->fd_limit);
         },
     .help = "Limit of open fds, where prlimit told it."},
    {.name = "proc.fdusage",
     .type = kDouble,
     .availability = Availability::kPartial,
     .extract =
         [](const BoundField&, const Happening& h, Scratch&) {
           if (h.process->fd_limit <= 0) return Value();
           return Value::Double(100.0 * static_cast<double>(h.process->fds->size()) /
                                static_cast<double>(h.process->fd_limit));
         },
     .help = "Open fds as a percentage of their limit."},
    {.name = "proc.nthreads",
     .type = kUint,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Uint(h.process->live_threads); },
     .help = "Number of live threads."},
    {.name = "proc.nchilds",
     .type = kUint,
     .extract =
         [](const BoundField&, const Happening& h, Scratch&) {
           return Value::Uint(h.process->live_threads == 0 ? 0 : h.process->live_threads - 1);
         },
     .help = "Number of live threads besides the main one."},
    {.name = "proc.stdin.type", .type = kText, .extract = StdType<0>, .help = "fd.type of fd 0."},
    {.name = "proc.stdout.type", .type = kText, .extract = StdType<1>, .help = "fd.type of fd 1."},
    {.name = "proc.stderr.type", .type = kText, .extract = StdType<2>, .help = "fd.type of fd 2."},
    {.name = "proc.stdin.name", .type = kText, .extract = StdName<0>, .help = "fd.name of fd 0."},
    {.name = "proc.stdout.name", .type = kText, .extract = StdName<1>, .help = "fd.name of fd 1."},
    {.name = "proc.stderr.name", .type = kText, .extract = StdName<2>, .help = "fd.name of fd 2."},
    OwnField(
        "proc.is_exec_session", kBool,
        [](const BoundField&, const Happening& h, Scratch&) {
          return Value::Bool(h.process->is_exec_session);
        },
        "Whether the process belongs to a `docker exec`, `kubectl exec` or `runsc exec`. Not in "
        "Falco."),
    OwnField(
        "gyrfalcon.proc.previous_name", kText,
        [](const BoundField&, const Happening& h, Scratch&) {
          const TaskName& name = h.process->previous_name;
          return name.empty() ? Value() : Value::Text(name.view());
        },
        "proc.name before the program was started: that of the program it replaced, after a fork "
        "the parent's. Not in Falco."),
    OwnField("gyrfalcon.proc.synthetic", kBool, ImageFlag<&Image::synthetic>,
             "Whether the program's start was concluded from other messages. Not in Falco."),
    {.name = "thread.tid",
     .type = kInt,
     .level = Level::kProcess,
     .invalidated_by = kByThread,
     .extract = [](const BoundField&, const Happening& h, Scratch&) { return Value::Int(h.tid); },
     .help = "Thread id in the sandbox's root PID namespace."},
    {.name = "thread.vtid",
     .type = kInt,
     .level = Level::kProcess,
     .invalidated_by = kByThread,
     .extract = [](const BoundField&, const Happening& h, Scratch&) { return Value::Int(h.tid); },
     .help = "The same as thread.tid."},
    {.name = "thread.ismain",
     .type = kBool,
     .level = Level::kProcess,
     .invalidated_by = kByThread,
     .extract = [](const BoundField&, const Happening& h,
                   Scratch&) { return Value::Bool(h.tid == h.process->tgid); },
     .help = "Whether the thread is its process's first."},
    {.name = "thread.nametid",
     .type = kText,
     .level = Level::kProcess,
     .invalidated_by = kBySelf | kByThread,
     .extract =
         [](const BoundField&, const Happening& h, Scratch& s) {
           std::string text(h.process->name.view());
           text += std::to_string(h.tid);
           return Value::Text(s.Copy(text));
         },
     .help = "proc.name and thread.tid, put together."},
    {.name = "thread.cgroups",
     .type = kText,
     .level = Level::kContainer,
     .extract = Cgroups,
     .help = "gvisor_container_id=/ID, as Falco made it up."},
    {.name = "thread.cgroup",
     .type = kText,
     .arg = ArgForm::kDottedRequired,
     .level = Level::kContainer,
     .extract = Cgroups,
     .help = "thread.cgroup.gvisor_container_id is /ID; there are no others."},
    NeverField("thread.cap_permitted", kText, "Capabilities; gVisor does not send them."),
    NeverField("thread.cap_inheritable", kText, "Capabilities; gVisor does not send them."),
    NeverField("thread.cap_effective", kText, "Capabilities; gVisor does not send them."),
    NeverField("thread.exectime", kUint, "CPU time; gVisor does not send it.", ArgForm::kNone, 0,
               "RELTIME"),
    NeverField("thread.totexectime", kUint, "CPU time; gVisor does not send it.", ArgForm::kNone, 0,
               "RELTIME"),
    NeverField("thread.cpu", kDouble, "CPU share; gVisor does not send it."),
    NeverField("thread.cpu.user", kDouble, "CPU share; gVisor does not send it."),
    NeverField("thread.cpu.system", kDouble, "CPU share; gVisor does not send it."),
    NeverField("thread.vmsize", kUint, "Memory; gVisor does not send it."),
    NeverField("thread.vmrss", kUint, "Memory; gVisor does not send it."),
    NeverField("thread.vmsize.b", kUint, "Memory; gVisor does not send it."),
    NeverField("thread.vmrss.b", kUint, "Memory; gVisor does not send it."),
    NeverField("thread.pfmajor", kUint, "Page faults; gVisor does not send them."),
    NeverField("thread.pfminor", kUint, "Page faults; gVisor does not send them."),
    NeverField("proc.vmsize", kUint, "Memory; gVisor does not send it."),
    NeverField("proc.vmrss", kUint, "Memory; gVisor does not send it."),
    NeverField("proc.vmswap", kUint, "Memory; gVisor does not send it."),
};

}  // namespace

std::span<const FieldDef> ProcessFields() {
  return kRows;
}

}  // namespace gyrfalcon
