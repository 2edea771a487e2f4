// Processes: how they begin, become other programs, change who they are, and end.
#include <algorithm>
#include <array>

#include <linux/sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/text.h"
#include "state/sandbox.h"
#include "state/terminal.h"

namespace gyrfalcon {
namespace {

// False where none was sent, or none of this kind.
template <size_t size>
bool CopyHash(std::string_view bytes, std::array<uint8_t, size>& hash) {
  if (bytes.size() != size) return false;
  std::ranges::transform(bytes, hash.begin(), [](char c) { return static_cast<uint8_t>(c); });
  return true;
}

bool IsExec(const PointRef& point) {
  return point.point != nullptr && point.point->message == MessageType::kExecve;
}

bool IsClone(const PointRef& point) {
  return point.point != nullptr && (point.point->message == MessageType::kClone ||
                                    point.point->message == MessageType::kFork);
}

}  // namespace

void Sandbox::OnContainerStart(Moment& moment) {
  const Event& event = moment.event;
  const Context& context = event.context();
  const std::string_view id =
      event.has(Slot::kStartId) ? event.text(Slot::kStartId) : context.container_id;
  moment.container = FindContainer(id);
  const int32_t tgid = context.thread_group_id != 0 ? context.thread_group_id : context.thread_id;
  ForgetThread(tgid);  // an init of an earlier container with the same recycled id
  Process& process = *NewProcess(tgid);
  moment.process = Ref(&process);
  process.container = moment.container;
  process.start_time_ns = context.thread_start_time_ns != 0 ? context.thread_start_time_ns
                                                            : context.thread_group_start_time_ns;
  if (moment.container) {
    // A container starts once; one that is started again has another id, or another sandbox.
    if (moment.container->init_tgid != 0) counters_.Add(StateCounter::kImpossible);
    moment.container->start_time_ns =
        process.start_time_ns != 0 ? process.start_time_ns : moment.time_ns;
    moment.container->init_tgid = tgid;
    ++line_version_;
  }
  Assign(process.cwd, Cut(event.has(Slot::kCwd) ? event.text(Slot::kCwd) : context.cwd));
  process.session_id = tgid;
  process.group_id = tgid;
  process.fds->whole = true;
  process.fds->losses = losses_;
  if (event.number(Slot::kTerminal) != 0) process.tty = kSomeTerminal;
  // The spec's arguments: may be empty.
  const TextList argv = event.list(Slot::kArgv);
  const std::string_view exe = argv.front();
  Ref<Image> image = NewImage(exe, argv, event.list(Slot::kEnv), moment.time_ns);
  if (exe.starts_with('/')) Assign(image->exe_path, Cut(exe));
  Assign(image->exec_name, Cut(exe));
  InstallImage(process, std::move(image),
               context.has(ContextField::kProcessName) ? context.process_name : PathBasename(exe));
  moment.thread = &PutThread(context.thread_id, moment.process, process.start_time_ns);
  if (context.has(ContextField::kCredentials)) {
    process.credentials = context.credentials;
    process.credentials_known = true;
  }
  Happening happening = Describe(moment);
  happening.has_return = true;
  happening.return_value = 0;
  happening.is_exec = true;
  moment.sink.OnHappening(happening);
}

void Sandbox::OnSentryClone(Moment& moment) {
  has_sentry_clone_ = true;
  const Event& event = moment.event;
  // The exit of the clone follows where the session shows its enter; else this message is the
  // event.
  const bool exit_follows = IsClone(moment.thread->last_enter);
  const auto tid = static_cast<int32_t>(event.number(Slot::kCreatedThreadId));
  const auto tgid = static_cast<int32_t>(event.number(Slot::kCreatedThreadGroupId));
  moment.thread->clone_told = !exit_follows;
  MakeChild(moment, tid, tgid != 0 ? tgid : tid, event.number(Slot::kCreatedThreadStartTimeNs),
            static_cast<uint64_t>(event.number(Slot::kFlags)));
  if (exit_follows) return;
  Happening happening = Describe(moment);
  happening.has_return = true;
  happening.return_value = tid;
  moment.sink.OnHappening(happening);
}

void Sandbox::OnCloneExit(Moment& moment) {
  Thread& thread = *moment.thread;
  thread.last_enter = {};
  const int64_t child = moment.event.return_value();
  // Without sentry/clone the result is the only trace of the child; its id is that of the caller's
  // PID namespace, so this is best effort.
  if (!has_sentry_clone_ && child > 0 && !threads_.contains(static_cast<int32_t>(child))) {
    const auto tid = static_cast<int32_t>(child);
    const auto flags = static_cast<uint64_t>(moment.event.number(Slot::kFlags));
    const bool is_thread = (flags & CLONE_THREAD) != 0;
    MakeChild(moment, tid, is_thread ? moment.process->tgid : tid, 0, flags);
  }
  if (std::exchange(thread.clone_told, false)) return;
  TellReturn(moment);
}

void Sandbox::MakeChild(Moment& moment, int32_t tid, int32_t tgid, int64_t start_time_ns,
                        uint64_t flags) {
  Process& parent = *moment.process;
  const bool before_parent =
      start_time_ns != 0 && parent.start_time_ns != 0 && start_time_ns < parent.start_time_ns;
  if (tid <= 0 || tgid <= 0 || before_parent || tid == moment.event.context().thread_id) {
    counters_.Add(StateCounter::kImpossible);
    return;
  }
  if (!MemoryLeft()) return;
  if (ForgetThread(tid)) counters_.Add(StateCounter::kIdsRecycled);
  Ref<Process> process;
  if (tgid == parent.tgid) {
    process = moment.process;
  } else {
    process = Ref(NewProcess(tgid));
    static_cast<ProcessFacts&>(*process) = parent;
    process->tgid = tgid;
    process->start_time_ns = start_time_ns;
    process->previous_name = {};
    process->started_as_guess = parent.started_as_guess;
    process->owes_synthetic_exec = parent.owes_synthetic_exec;
    process->fds = (flags & CLONE_FILES) != 0 ? parent.fds : FdTable::ForChild(arena_, *parent.fds);
    SetParent(*process, moment.process);
  }
  PutThread(tid, std::move(process), start_time_ns);
  if (tgid != parent.tgid) NoteFork(moment, tgid);
}

void Sandbox::NoteFork(Moment& moment, int32_t tgid) {
  if (!fork_flood_.Note(tgid, moment.time_ns)) return;
  Signal signal = SignalOf(moment, SignalKind::kProcessFlood);
  signal.count = fork_flood_.count();
  signal.since_ns = fork_flood_.since_ns();
  moment.sink.OnSignal(signal);
}

void Sandbox::FillList(TextVector& target, const TextList& list, bool skip_first) {
  bool cut = false;
  list.ForEach([&](std::string_view text) {
    if (std::exchange(skip_first, false) || cut) return;
    cut = !target.Append(text, limits_.argv_bytes_max);
  });
  if (cut) counters_.Add(StateCounter::kTextsCut);
}

Ref<Image> Sandbox::NewImage(std::string_view exe, const TextList& argv, const TextList& env,
                             int64_t time_ns) {
  Ref<Image> image(arena_.New<Image>());
  image->exec_time_ns = time_ns;
  Assign(image->exe, Cut(exe));
  image->argc = static_cast<uint32_t>(argv.size());
  if (MemoryLeft()) {
    FillList(image->args, argv, true);
    FillList(image->env, env, false);
  }
  return image;
}

void Sandbox::InstallImage(Process& process, Ref<Image> image, std::string_view name) {
  TellHeldOf(process);
  fork_flood_.Settle(process.tgid);
  process.image = std::move(image);
  process.previous_name = process.name;
  process.name.Set(name);
  process.started_as.Set(name);
  process.started_as_guess = false;
  process.owes_synthetic_exec = false;
  process.ForgetCommandLine();
  NoteChange(process);
}

void Sandbox::OnSentryExec(Moment& moment) {
  has_sentry_exec_ = true;
  const Event& event = moment.event;
  Process& process = *moment.process;
  const std::string_view binary = event.text(Slot::kBinaryPath);
  const std::string_view exec_name = event.has(Slot::kExecfn)
                                         ? event.text(Slot::kExecfn)
                                         : std::string_view(moment.thread->last_exec_path);
  const TextList argv = event.list(Slot::kArgv);
  // Started without any argument, it goes by its path.
  const std::string_view path = exec_name.empty() ? binary : exec_name;
  Ref<Image> image =
      NewImage(argv.empty() ? path : argv.front(), argv, event.list(Slot::kEnv), moment.time_ns);
  Assign(image->exe_path, Cut(binary));
  Assign(image->exec_name, Cut(exec_name));
  FillBinaryInfo(event, process, *image);
  image->written_before = WasWritten(process, image->exe_path) || WasWritten(process, exec_name);
  // The kernel names a task after the path given to execve, which only newer runsc tell here.
  InstallImage(process, std::move(image), PathBasename(path));
  process.started_as_guess = exec_name.empty();
  process.pipes = PeersOf(event);
  const bool was_execveat = IsExec(moment.thread->last_enter) &&
                            moment.thread->last_enter.point->event_type == "execveat";
  moment.thread->last_enter = {};
  moment.thread->last_exec_path.clear();
  DropFdsAtExec(process);
  FillStandardFds(event, process);
  TakeLeadersPlace(moment);
  Happening happening = Describe(moment);
  if (was_execveat) happening.type = *FindEventType("execveat");
  happening.has_return = true;
  happening.return_value = 0;
  happening.is_exec = true;
  moment.sink.OnHappening(happening);
}

void Sandbox::FillBinaryInfo(const Event& event, const Process& process, Image& image) {
  const std::string_view binary = event.text(Slot::kBinaryPath);
  // binary_info comes whole or not at all; every file has a mode.
  image.has_binary_info = event.has(Slot::kBinaryMode);
  image.mode = static_cast<uint32_t>(event.number(Slot::kBinaryMode));
  image.owner_uid = static_cast<uint32_t>(event.number(Slot::kBinaryUid));
  image.owner_gid = static_cast<uint32_t>(event.number(Slot::kBinaryGid));
  image.inode = static_cast<uint64_t>(event.number(Slot::kBinaryIno));
  image.change_time_ns = DecodeTimespecNs(event.text(Slot::kBinaryCtime));
  image.size = static_cast<uint64_t>(event.number(Slot::kBinarySize));
  image.links = static_cast<uint64_t>(event.number(Slot::kBinaryNlink));
  image.has_sha256 = CopyHash(event.text(Slot::kBinarySha256), image.sha256);
  image.has_sha1 = CopyHash(event.text(Slot::kBinarySha1), image.sha1);
  image.in_upper_layer = event.number(Slot::kBinaryOverlayfsUpper) != 0;
  image.in_lower_layer = event.number(Slot::kBinaryOverlayfsLower) != 0;
  image.in_memfd = event.number(Slot::kBinaryInMemfd) != 0 || binary.starts_with("/memfd:") ||
                   binary.starts_with("memfd:");
  Container* container = process.container.get();
  if (container != nullptr && image.in_lower_layer) container->overlay_seen = true;
  image.from_image = IsFromImage(image.layers(), container != nullptr && container->overlay_seen);
}

PipePeer Sandbox::PeerOf(std::string_view pipe_proc_info) const {
  const Context context = DecodePipeProcInfo(pipe_proc_info);
  PipePeer peer;
  peer.tgid = context.thread_group_id;
  const Ref<Process> process = FindProcessRef(peer.tgid);
  const bool same =
      process && (context.thread_group_start_time_ns == 0 || process->start_time_ns == 0 ||
                  context.thread_group_start_time_ns == process->start_time_ns);
  if (same) {
    peer.name = process->name;
    peer.started_as = process->started_as;
    peer.image = process->image;
  }
  if (context.has(ContextField::kProcessName)) peer.name.Set(context.process_name);
  return peer;
}

Ref<PipePeers> Sandbox::PeersOf(const Event& event) {
  if (!event.has(Slot::kPipeInputProc) && !event.has(Slot::kPipeOutputProc)) return {};
  if (!MemoryLeft()) return {};
  Ref<PipePeers> peers(arena_.New<PipePeers>());
  peers->input = PeerOf(event.text(Slot::kPipeInputProc));
  peers->output = PeerOf(event.text(Slot::kPipeOutputProc));
  return peers;
}

void Sandbox::OnSentryMmap(Moment& moment) {
  if (moment.container && moment.event.number(Slot::kOverlayfsLower) != 0) {
    moment.container->overlay_seen = true;
  }
  Tell(moment);
}

// An exec from another thread than the leader: the others are killed, which they tell later, and
// the caller goes on under the leader's id. The old leader's exit then carries the id of the
// living.
void Sandbox::TakeLeadersPlace(Moment& moment) {
  Process& process = *moment.process;
  const int32_t caller = moment.event.context().thread_id;
  if (caller == process.tgid) return;
  const auto leader = threads_.find(process.tgid);
  if (leader != threads_.end() && leader->second.process == moment.process) {
    process.leader_exit_pending = true;
    leader->second.start_time_ns = 0;  // either's, until the old leader is gone
    leader->second.last_enter = {};
    leader->second.pending_exec.reset();
    moment.thread = &leader->second;
  } else {
    moment.thread = &PutThread(process.tgid, moment.process, moment.thread->start_time_ns);
  }
  ForgetThread(caller);
}

// A table shared by CLONE_FILES stays with the others.
void Sandbox::DropFdsAtExec(Process& process) {
  if (process.fds->references > 1) process.fds = Ref(arena_.New<FdTable>(*process.fds));
  process.fds->DropCloseOnExec();
  NoteFdChanged(*process.fds, kAllFds);
}

void Sandbox::FillStandardFds(const Event& event, Process& process) {
  constexpr Slot kStandardFds[] = {Slot::kStdin, Slot::kStdout, Slot::kStderr};
  for (int64_t fd = 0; fd < 3; ++fd) {
    const Slot slot = kStandardFds[fd];
    if (!event.has(slot)) continue;
    const FdInfo info = DecodeFdInfo(event.text(slot));
    if (fd == 0) {
      if (const uint32_t tty = TerminalOf(info.path, info.mode); tty != 0) process.tty = tty;
    }
    const bool is_socket = info.socket_family != 0;
    File* before = process.fds->Find(fd);
    // A number that another file has by now, where its close was not told.
    if (before != nullptr && before->is_ip_socket() && !is_socket && info.path.starts_with('/')) {
      before = nullptr;
    }
    if (File* known = before; known != nullptr && !is_socket) {
      if (known->inode == 0) known->inode = info.inode;
      continue;
    }
    Ref<File> file;
    if (is_socket) {
      const FileType type = info.socket_family == AF_INET    ? FileType::kIpv4
                            : info.socket_family == AF_INET6 ? FileType::kIpv6
                            : info.socket_family == AF_UNIX  ? FileType::kUnix
                                                             : FileType::kUnknown;
      File* known = process.fds->Find(fd);
      if (known != nullptr && known->type == type && known->remote) continue;
      file = NewFile(type);
      if (info.local) file->local = Endpoint{info.local->address, info.local->port};
      if (info.remote) file->remote = Endpoint{info.remote->address, info.remote->port};
      file->connected = info.remote.has_value();
      NameSocket(*file);
    } else {
      file = FileFromInfo(info.path, info.mode);
    }
    file->inode = info.inode;
    SetFd(process, fd, std::move(file), false, FdOrigin::kExec);
  }
}

void Sandbox::OnExecve(Moment& moment) {
  const Event& event = moment.event;
  Thread& thread = *moment.thread;
  if (!event.is_exit()) {
    Assign(thread.last_exec_path, Cut(event.text(Slot::kPathname)));
    return;
  }
  if (event.error_number() != 0) {
    thread.last_enter = {};
    TellReturn(moment);
    return;
  }
  if (has_sentry_exec_) return;  // sentry/execve tells, and tells it right
  auto pending = std::make_unique<PendingExec>(arena_);
  Assign(pending->pathname, Cut(event.text(Slot::kPathname)));
  const TextList argv = event.list(Slot::kArgv);
  pending->image = NewImage(argv.empty() ? std::string_view(pending->pathname) : argv.front(), argv,
                            event.list(Slot::kEnvv), moment.time_ns);
  pending->image->synthetic = true;
  Assign(pending->image->exec_name, pending->pathname);
  NormalizePath(moment.process->cwd, pending->pathname, path_);
  Assign(pending->image->exe_path, Cut(path_));
  pending->image->written_before = WasWritten(*moment.process, path_);
  pending->type = moment.point.event_type.value_or(EventType{});
  pending->number = messages_;
  pending->time_ns = moment.time_ns;
  thread.pending_exec = std::move(pending);
}

// The exit message says "success" before the image is loaded, so a search along PATH looks like a
// row of execs. The thread's next message tells: another attempt means that this one failed.
bool Sandbox::PendingExecSucceeded(const PendingExec& pending, const Moment& moment) const {
  const Event& next = moment.event;
  if (next.type() == MessageType::kExecve && next.list(Slot::kArgv).front() == pending.image->exe &&
      PathBasename(next.text(Slot::kPathname)) == PathBasename(pending.pathname)) {
    return false;
  }
  if (next.context().has(ContextField::kProcessName)) {
    TaskName expected;
    expected.Set(PathBasename(pending.pathname));
    return next.context().process_name == expected.view();
  }
  return true;
}

void Sandbox::SettlePendingExec(Moment& moment) {
  const std::unique_ptr<PendingExec> pending = std::move(moment.thread->pending_exec);
  if (moment.event.type() == MessageType::kSentryExec) return;
  if (!PendingExecSucceeded(*pending, moment)) return;
  InstallImage(*moment.process, pending->image, PathBasename(pending->pathname));
  moment.thread->last_enter = {};
  DropFdsAtExec(*moment.process);
  Happening happening = DescribeConcludedExec(*moment.process, acting_tid_, pending->type);
  happening.number = pending->number;
  happening.time_ns = pending->time_ns;
  moment.sink.OnHappening(happening);
}

void Sandbox::OnTaskExit(Moment& moment) {
  has_task_exit_ = true;
  Tell(moment);
  const int32_t tid = moment.event.context().thread_id;
  if (tid == moment.process->tgid && std::exchange(moment.process->leader_exit_pending, false)) {
    last_actor_ = {};
    moment.thread->start_time_ns = 0;  // was the old leader's: the next message tells the caller's
    return;
  }
  moment.thread = nullptr;
  ForgetThread(tid);
}

// Comes after the last task_exit of a process. A session with only this point ends processes here.
void Sandbox::OnExitNotifyParent(Moment& moment) {
  if (has_task_exit_) return;
  moment.thread = nullptr;
  const Ref<Process> process = moment.process;
  process->live_threads = 1;
  ForgetThread(moment.event.context().thread_id);
}

void Sandbox::OnSetid(Moment& moment) {
  const Event& event = moment.event;
  Process& process = *moment.process;
  const bool succeeded = event.error_number() == 0;
  const std::string_view name = moment.point.point != nullptr ? moment.point.point->event_type : "";
  const auto id = static_cast<uint32_t>(event.number(Slot::kId));
  if (succeeded && name == "setsid") {
    process.session_id = process.tgid;
    process.group_id = process.tgid;
    process.tty = 0;
  }
  Credentials& credentials = process.credentials;
  const bool told = event.context().has(ContextField::kCredentials);
  if (succeeded && !told && name == "setuid") {
    if (credentials.effective_uid == 0) credentials.real_uid = credentials.saved_uid = id;
    credentials.effective_uid = id;
  }
  if (succeeded && !told && name == "setgid") {
    if (credentials.effective_uid == 0) credentials.real_gid = credentials.saved_gid = id;
    credentials.effective_gid = id;
  }
  TellReturn(moment);
}

void Sandbox::OnSetresid(Moment& moment) {
  const Event& event = moment.event;
  constexpr uint32_t kUnchanged = UINT32_MAX;
  if (event.error_number() == 0 && !event.context().has(ContextField::kCredentials) &&
      moment.point.point != nullptr) {
    Credentials& c = moment.process->credentials;
    const bool users = moment.point.point->event_type == "setresuid";
    const auto set = [&](Slot slot, uint32_t& uid, uint32_t& gid) {
      const auto id = static_cast<uint32_t>(event.number(slot));
      if (id != kUnchanged) (users ? uid : gid) = id;
    };
    set(Slot::kRid, c.real_uid, c.real_gid);
    set(Slot::kEid, c.effective_uid, c.effective_gid);
    set(Slot::kSid, c.saved_uid, c.saved_gid);
  }
  TellReturn(moment);
}

void Sandbox::OnPrlimit(Moment& moment) {
  const Event& event = moment.event;
  const bool own = event.number(Slot::kPid) == 0;
  if (event.error_number() == 0 && own && event.number(Slot::kResource) == RLIMIT_NOFILE) {
    const Slot source = event.has(Slot::kNewLimit) ? Slot::kNewLimit : Slot::kOldLimit;
    if (event.has(source)) {
      moment.process->fd_limit = static_cast<int64_t>(DecodeRlimit(event.text(source)).current);
    }
  }
  TellReturn(moment);
}

void Sandbox::OnChdir(Moment& moment) {
  const Event& event = moment.event;
  Process& process = *moment.process;
  // The exit's own cwd, where the session asks for it, is already the new one.
  if (event.error_number() == 0 && !event.context().has(ContextField::kCwd)) {
    if (event.has(Slot::kPathname)) {
      NormalizePath(process.cwd, event.text(Slot::kPathname), path_);
      Assign(process.cwd, Cut(path_));
    } else if (event.has(Slot::kFdPath)) {
      Assign(process.cwd, Cut(event.text(Slot::kFdPath)));
    } else if (const File* file = process.fds->Find(event.number(Slot::kFd)); file != nullptr) {
      process.cwd = file->name;
    }
  }
  const bool by_fd = moment.point.point != nullptr && moment.point.point->event_type == "fchdir";
  if (by_fd) {
    const int64_t fd = event.number(Slot::kFd);
    TellFd(moment, fd, KnownFile(moment, fd));
  } else {
    TellReturn(moment);
  }
}

}  // namespace gyrfalcon
