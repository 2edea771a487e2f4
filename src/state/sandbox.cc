#include "state/sandbox.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace gyrfalcon {

// What each message type does. A type with a schematised enter message that means nothing by itself
// has no row for it: enter and exit are one happening, told by the exit.
const Sandbox::HandlerRow Sandbox::kHandlers[] = {
    {MessageType::kUnknown, nullptr, nullptr},
    {MessageType::kContainerStart, &Sandbox::OnContainerStart, nullptr},
    {MessageType::kSentryClone, &Sandbox::OnSentryClone, nullptr},
    {MessageType::kSentryExec, &Sandbox::OnSentryExec, nullptr, true},
    {MessageType::kSentryExitNotifyParent, &Sandbox::OnExitNotifyParent, nullptr},
    {MessageType::kSentryTaskExit, &Sandbox::OnTaskExit, nullptr},
    {MessageType::kRaw, &Sandbox::OnRaw, &Sandbox::OnRaw},
    {MessageType::kOpen, nullptr, &Sandbox::OnOpen},
    {MessageType::kClose, &Sandbox::OnCloseEnter, &Sandbox::OnClose},
    {MessageType::kRead, nullptr, &Sandbox::OnFdUse},
    {MessageType::kConnect, nullptr, &Sandbox::OnConnect},
    {MessageType::kExecve, &Sandbox::OnExecve, &Sandbox::OnExecve, true},
    {MessageType::kSocket, nullptr, &Sandbox::OnSocket},
    {MessageType::kChdir, nullptr, &Sandbox::OnChdir, true},
    {MessageType::kSetid, nullptr, &Sandbox::OnSetid, true},
    {MessageType::kSetresid, nullptr, &Sandbox::OnSetresid, true},
    {MessageType::kPrlimit64, nullptr, &Sandbox::OnPrlimit, true},
    {MessageType::kPipe, nullptr, &Sandbox::OnPipe},
    {MessageType::kFcntl, nullptr, &Sandbox::OnFcntl},
    {MessageType::kDup, nullptr, &Sandbox::OnDup},
    {MessageType::kSignalfd, nullptr, &Sandbox::OnAnonymousFd},
    {MessageType::kChroot, nullptr, &Sandbox::TellReturn},
    {MessageType::kEventfd, nullptr, &Sandbox::OnAnonymousFd},
    {MessageType::kClone, nullptr, &Sandbox::OnCloneExit},
    {MessageType::kBind, nullptr, &Sandbox::OnBind},
    {MessageType::kAccept, nullptr, &Sandbox::OnAccept},
    {MessageType::kTimerfdCreate, nullptr, &Sandbox::OnAnonymousFd},
    {MessageType::kTimerfdSetTime, nullptr, &Sandbox::OnFdUse},
    {MessageType::kTimerfdGetTime, nullptr, &Sandbox::OnFdUse},
    {MessageType::kFork, nullptr, &Sandbox::OnCloneExit},
    {MessageType::kInotifyInit, nullptr, &Sandbox::OnAnonymousFd},
    {MessageType::kInotifyAddWatch, nullptr, &Sandbox::OnFdUse},
    {MessageType::kInotifyRmWatch, nullptr, &Sandbox::OnFdUse},
    {MessageType::kSocketPair, nullptr, &Sandbox::OnSocketPair},
    {MessageType::kWrite, nullptr, &Sandbox::OnFdUse},
    {MessageType::kSentryMmap, &Sandbox::OnSentryMmap, nullptr},
    {MessageType::kMmap, nullptr, &Sandbox::OnFdUse},
    {MessageType::kListen, nullptr, &Sandbox::OnListen},
    {MessageType::kPtrace, nullptr, &Sandbox::TellReturn},
};

Sandbox::~Sandbox() {
  // Threads and processes hold each other's objects: let go from the outside in, before the arena.
  threads_.clear();
  processes_.clear();
  containers_.clear();
}

const Process* Sandbox::FindProcess(int32_t tgid) const {
  return FindProcessRef(tgid).get();
}

Ref<Process> Sandbox::FindProcessRef(int32_t tgid) const {
  const auto found = processes_.find(tgid);
  return found == processes_.end() ? Ref<Process>() : found->second;
}

void Sandbox::Apply(const Event& event, int64_t receive_time_ns, HappeningSink& sink) {
  ++messages_;
  sink_ = &sink;
  received_ns_ = receive_time_ns;
  acting_tid_ = event.context().thread_id;
  TellOverdue(receive_time_ns);
  if (arena_.used_bytes() >= limits_.sandbox_bytes_max / 4 * 3) MakeRoom();
  // The pool keeps what objects of other sizes have left: it, too, may not grow without end.
  if (arena_.held_bytes() >= 2 * limits_.sandbox_bytes_max) ForgetEverything();
  const Context& context = event.context();
  Moment moment{.event = event,
                .point = ResolvePoint(event.type(), event.sysno(), arch_),
                .time_ns = context.time_ns != 0 ? context.time_ns : receive_time_ns,
                .process = {},
                .container = {},
                .sink = sink};
  now_ns_ = moment.time_ns;
  if (messages_ == 1) first_time_ns_ = moment.time_ns;
  // 0 is a context field that the session does not ask for.
  if (context.thread_id < 0 || context.thread_group_id < 0 || context.parent_thread_group_id < 0) {
    counters_.Add(StateCounter::kImpossible);
  }
  if (!moment.point.event_type && event.type() != MessageType::kSentryExitNotifyParent) {
    counters_.Add(StateCounter::kUnknownSyscall);
  }
  if (event.type() == MessageType::kContainerStart) {
    OnContainerStart(moment);
    return;
  }
  // Follows the last exit of its process: there is nobody left to tell about.
  if (event.type() == MessageType::kSentryExitNotifyParent &&
      !threads_.contains(context.thread_id)) {
    return;
  }
  const bool unknown_exit =
      event.type() == MessageType::kSentryTaskExit && !HasSpoken(context.thread_id);
  FindActor(moment);
  moment.thread->heard_at = messages_;
  if (unknown_exit) {
    counters_.Add(StateCounter::kUnknownThreadExits);
    moment.process->owes_synthetic_exec = false;  // it ends: nothing begins
    std::erase_if(awaited_,
                  [&](const Awaited& a) { return !a.told && a.process == moment.process; });
    ++awaited_version_;
  }
  if (event.type() == MessageType::kSentryTaskExit) TellHeldOf(*moment.process);
  if (moment.thread->pending_raw) SettleRaw(context.thread_id, *moment.thread, &event, sink);
  NoteSchematised(moment);
  constexpr uint64_t kTwinPatience = 1'000;
  if (messages_ > kTwinPatience) JudgeUnpairedRaws(messages_ - kTwinPatience, sink);
  if (moment.thread->pending_exec) SettlePendingExec(moment);
  SettleClose(moment);
  if (std::exchange(exec_lost_, false)) {
    Signal signal = SignalOf(moment, SignalKind::kExecLost);
    signal.syscall = *FindEventType("execve");
    sink.OnSignal(signal);
  }
  if (moment.process->owes_synthetic_exec && event.type() != MessageType::kSentryExec) {
    TellSyntheticExec(moment);
  }
  Dispatch(moment);
}

void Sandbox::TellDue(int64_t receive_time_ns, HappeningSink& sink) {
  sink_ = &sink;
  TellOverdue(receive_time_ns);
  JudgeWaitingRaws(receive_time_ns, sink);
}

void Sandbox::BeginConnection(HappeningSink& sink) {
  Finish(sink);
  last_actor_ = {};
  has_sentry_exec_ = has_sentry_clone_ = has_task_exit_ = false;
  has_close_ = has_open_ = tells_true_paths_ = false;
  for (auto& seen : schematised_) seen.reset();
  unjudged_raws_.clear();
  has_tripwires_ = false;
  snapshot_asked_ = false;  // the answer to the older connection may be lost with it
  unpaired_told_.fill(0);
  for (auto& [tid, thread] : threads_) {
    thread.last_enter = {};
    thread.heard = false;
  }
}

void Sandbox::Finish(HappeningSink& sink) {
  sink_ = &sink;
  for (auto& [tid, thread] : threads_) SettleThread(tid, thread);
  JudgeUnpairedRaws(messages_, sink);
  TellAllHeld();
}

void Sandbox::SettleThread(int32_t tid, Thread& thread) {
  if (thread.pending_raw) SettleRaw(tid, thread, nullptr, *sink_);
  TellPendingClose(tid, thread);
}

void Sandbox::Dispatch(Moment& moment) {
  const HandlerRow& row = kHandlers[static_cast<size_t>(moment.event.type())];
  const bool is_enter = !moment.event.is_exit();
  const Handler handler = is_enter ? row.on_enter : row.on_exit;
  const bool is_syscall = moment.point.point != nullptr && moment.point.point->is_syscall();
  if (is_syscall) LearnTruePath(moment);
  if (is_syscall && !is_enter) {
    CheckEnterCame(moment);
    CheckExitText(moment);
  }
  if (row.changes_process) NoteChange(*moment.process);
  if (handler != nullptr) (this->*handler)(moment);
  // A handler may forget the thread (task_exit).
  if (moment.thread == nullptr) return;
  moment.thread->heard = true;
  moment.thread->heard_losses = losses_;
  if (!is_enter || !is_syscall) return;
  moment.thread->last_enter = moment.point;
  NoteEnterText(moment);
}

// ---- who acts

namespace {

// Around an exec gVisor still tells the name from before it.
bool TellsOldName(const Event& event, Arch arch) {
  if (event.type() == MessageType::kSentryExec || event.type() == MessageType::kExecve) return true;
  if (event.type() != MessageType::kRaw) return false;
  const PointDef* twin = SchematisedPoint(event.sysno(), arch);
  return twin != nullptr && twin->message == MessageType::kExecve;
}

}  // namespace

void Sandbox::FindActor(Moment& moment) {
  const Context& context = moment.event.context();
  const bool is_last = context.id != 0 && context.id == last_actor_.context_id &&
                       last_actor_.thread->process->version == last_actor_.process_version;
  Thread& thread = is_last ? *last_actor_.thread : FindOrMakeThread(context);
  moment.thread = &thread;
  moment.process = thread.process;
  if (!is_last) {
    Refresh(moment.event, thread, *moment.process);
    last_actor_ = {.context_id = TellsOldName(moment.event, arch_) ? 0 : context.id,
                   .thread = &thread,
                   .process_version = moment.process->version};
  }
  moment.container = moment.process->container;
}

// Ids come again: what else is told of the thread must fit what is known of it.
bool Sandbox::IsRecycled(const Context& context, const Thread& thread) {
  const Process& process = *thread.process;
  const auto differs = [](int64_t told, int64_t known) {
    return told != 0 && known != 0 && told != known;
  };
  return differs(context.thread_start_time_ns, thread.start_time_ns) ||
         differs(context.thread_group_id, process.tgid) ||
         differs(context.thread_group_start_time_ns, process.start_time_ns) ||
         (process.container && !context.container_id.empty() &&
          process.container->id != context.container_id);
}

bool Sandbox::HasSpoken(int32_t tid) const {
  const auto known = threads_.find(tid);
  return known != threads_.end() && !known->second.from_snapshot;
}

Sandbox::Thread& Sandbox::FindOrMakeThread(const Context& context) {
  auto found = threads_.find(context.thread_id);
  if (found != threads_.end()) {
    Thread& thread = found->second;
    if (!IsRecycled(context, thread)) return thread;
    counters_.Add(StateCounter::kIdsRecycled);
    ForgetThread(context.thread_id);
  }
  Ref<Process> process;
  if (context.thread_group_id != 0) process = FindProcessRef(context.thread_group_id);
  if (process && context.thread_group_start_time_ns != 0 && process->start_time_ns != 0 &&
      context.thread_group_start_time_ns != process->start_time_ns) {
    counters_.Add(StateCounter::kIdsRecycled);
    process->exited = true;
    processes_.erase(context.thread_group_id);
    fork_flood_.Settle(context.thread_group_id);
    process.reset();
  }
  if (!process) process = MakeFirstSeenProcess(context);
  return PutThread(context.thread_id, std::move(process), context.thread_start_time_ns);
}

Sandbox::Thread& Sandbox::PutThread(int32_t tid, Ref<Process> process, int64_t start_time_ns) {
  ForgetThread(tid);
  if (threads_.size() >= limits_.threads_max) {
    counters_.Add(StateCounter::kThreadsRefused);
    // Any but the one that acts makes room: a sandbox with this many has lost its claim to good
    // state.
    const auto victim = std::ranges::find_if(
        threads_, [this](const auto& entry) { return entry.first != acting_tid_; });
    if (victim != threads_.end()) ForgetThread(victim->first);
  }
  Thread& thread = threads_.try_emplace(tid, arena_).first->second;
  thread.start_time_ns = start_time_ns;
  ++process->live_threads;
  thread.process = std::move(process);
  return thread;
}

Ref<Process> Sandbox::MakeFirstSeenProcess(const Context& context) {
  counters_.Add(StateCounter::kProcessesFirstSeen);
  const int32_t tgid = context.thread_group_id != 0 ? context.thread_group_id : context.thread_id;
  Process& process = *NewProcess(tgid);
  process.start_time_ns = context.thread_group_start_time_ns != 0
                              ? context.thread_group_start_time_ns
                              : (tgid == context.thread_id ? context.thread_start_time_ns : 0);
  process.container = FindContainer(context.container_id);
  Ref<Process> parent = FindProcessRef(context.parent_thread_group_id);
  // Same name as its parent: most likely a fork whose message we missed, not a new program.
  const bool looks_forked = parent && !context.is_exec_session &&
                            context.has(ContextField::kProcessName) &&
                            parent->name.view() == context.process_name;
  if (looks_forked) {
    process.image = parent->image;
    process.name = parent->name;
    process.started_as = parent->started_as;
    process.fds = FdTable::ForChild(arena_, *parent->fds);
    process.fds->whole = false;  // of some time after the fork
  }
  process.owes_synthetic_exec = !looks_forked;
  if (parent) SetParent(process, std::move(parent));
  if (!looks_forked) Await(Ref(&process));
  return Ref(&process);
}

Process* Sandbox::NewProcess(int32_t tgid) {
  if (processes_.size() >= limits_.processes_max) {
    counters_.Add(StateCounter::kProcessesRefused);
    processes_.begin()->second->exited = true;
    processes_.erase(processes_.begin());
  }
  auto* process = arena_.New<Process>();
  process->tgid = tgid;
  process->losses = losses_;
  process->image = Ref(arena_.New<Image>());
  process->fds = Ref(arena_.New<FdTable>());
  Ref<Process>& slot = processes_[tgid];
  if (slot) slot->exited = true;
  slot = Ref(process);
  return process;
}

// Keeps every line of ancestors at most `ancestors_max` long, from whichever end it grows: a longer
// one would make each walk along it slow, and its end a deep recursion.
void Sandbox::SetParent(Process& child, Ref<Process> parent) {
  const auto max = static_cast<uint32_t>(limits_.ancestors_max);
  uint32_t above = 0;
  for (Process* p = parent.get(); p != nullptr; p = p->parent.get()) {
    if (p == &child) {  // a line that bites its tail
      counters_.Add(StateCounter::kImpossible);
      return;
    }
    ++above;
    if (above + child.line_below >= max && p->parent) {
      counters_.Add(StateCounter::kAncestorsCut);
      p->parent.reset();
      ++line_version_;  // all below it have lost ancestors
    }
  }
  if (above + child.line_below > max) {
    counters_.Add(StateCounter::kAncestorsCut);
    return;
  }
  child.parent = std::move(parent);
  NoteChange(child);
  uint32_t below = child.line_below;
  for (Process* p = child.parent.get(); p != nullptr; p = p->parent.get()) {
    p->line_below = std::max(p->line_below, ++below);
  }
}

void Sandbox::NoteChange(Process& process) {
  ++process.version;
  if (process.line_below > 0) ++line_version_;
}

void Sandbox::Refresh(const Event& event, Thread& thread, Process& process) {
  const Context& context = event.context();
  thread.from_snapshot = false;
  if (thread.start_time_ns == 0) thread.start_time_ns = context.thread_start_time_ns;
  bool changed = false;
  if (process.start_time_ns == 0 && context.thread_group_start_time_ns != 0) {
    process.start_time_ns = context.thread_group_start_time_ns;
    changed = true;
  }
  if (context.is_exec_session && !std::exchange(process.is_exec_session, true)) changed = true;
  if (!process.container && !context.container_id.empty()) {
    process.container = FindContainer(context.container_id);
    changed = true;
  }
  // A thread may have a name of its own; the process has its leader's.
  const bool names_process =
      context.has(ContextField::kProcessName) &&
      (process.name.empty() || (context.thread_id == process.tgid && !TellsOldName(event, arch_)));
  if (names_process && process.name.view() != context.process_name) {
    TellHeldOf(process);
    // A clone, a loss, and then another name: its exec was lost.
    const bool as_cloned = process.parent && process.image == process.parent->image;
    if (as_cloned && process.losses != losses_ && !process.name.empty()) {
      exec_lost_ = true;
      process.owes_synthetic_exec = true;
      process.image = Ref(arena_.New<Image>());
    }
    process.name.Set(context.process_name);
    if (process.started_as_guess) process.started_as = process.name;
    process.ForgetCommandLine();
    changed = true;
  }
  if (names_process) process.started_as_guess = false;
  if (context.has(ContextField::kCredentials) &&
      !(process.credentials_known && process.credentials == context.credentials)) {
    const bool same_user = !process.credentials_known ||
                           process.credentials.effective_uid == context.credentials.effective_uid;
    if (!same_user) TellHeldOf(process);
    process.credentials = context.credentials;
    process.credentials_known = true;
    changed = true;
  }
  if (context.has(ContextField::kCwd) && process.cwd != context.cwd) {
    Assign(process.cwd, Cut(context.cwd));
    changed = true;
  }
  if (changed) NoteChange(process);
  if (!process.parent && context.parent_thread_group_id != 0) {
    if (Ref<Process> parent = FindProcessRef(context.parent_thread_group_id)) {
      SetParent(process, std::move(parent));
    }
  }
}

Ref<Container> Sandbox::FindContainer(std::string_view id) {
  if (id.empty()) return {};
  const auto found = containers_.find(id);
  if (found != containers_.end()) return found->second;
  if (id.size() > limits_.id_bytes_max || containers_.size() >= limits_.containers_max) {
    counters_.Add(StateCounter::kContainersRefused);
    return {};
  }
  Ref<Container> container(arena_.New<Container>(id));
  containers_.emplace(id, container);
  id_bytes_ += id.size();
  if (const auto info = infos_.find(id); info != infos_.end()) container->info = info->second;
  if (const auto users = users_.find(id); users != users_.end()) {
    container->users = users->second;
  } else if (new_containers_.size() < limits_.containers_max) {
    new_containers_.emplace_back(id);
  }
  return container;
}

void Sandbox::SetUsers(std::string_view container_id, std::shared_ptr<const UserTable> users) {
  if (const auto found = containers_.find(container_id); found != containers_.end()) {
    found->second->users = users;
    ++line_version_;
  }
  const auto known = users_.find(container_id);
  if (known != users_.end()) {
    known->second = std::move(users);
  } else if (users_.size() < limits_.containers_max) {
    users_.emplace(container_id, std::move(users));
  }
}

void Sandbox::SetContainerInfo(std::string_view container_id,
                               std::shared_ptr<const ContainerInfo> info) {
  if (const auto found = containers_.find(container_id); found != containers_.end()) {
    found->second->info = info;
    ++line_version_;
  }
  if (infos_.contains(container_id) || infos_.size() < limits_.containers_max) {
    infos_.insert_or_assign(container_id, std::move(info));
  }
}

void Sandbox::RenewContainerInfos(const std::function<InfoPtr(const ContainerInfo&)>& renewed) {
  for (auto& [container_id, info] : infos_) {
    InfoPtr instead = info ? renewed(*info) : nullptr;
    if (!instead) continue;
    info = std::move(instead);
    ++line_version_;
    if (const auto found = containers_.find(container_id); found != containers_.end()) {
      found->second->info = info;
    }
  }
}

bool Sandbox::MemoryLeft() {
  if (arena_.used_bytes() < limits_.sandbox_bytes_max / 4 * 3) return true;
  counters_.Add(StateCounter::kMemoryRefused);
  return false;
}

size_t Sandbox::memory_bytes() const {
  const auto table = [](const auto& map, size_t slot) { return map.capacity() * (slot + 1); };
  return sizeof(*this) + arena_.held_bytes() + id_bytes_ + table(processes_, sizeof(int32_t) * 4) +
         table(containers_, sizeof(std::string) + sizeof(void*)) +
         table(written_files_, sizeof(uint64_t)) + written_order_.size() * sizeof(uint64_t) +
         awaited_.capacity() * sizeof(Awaited) + unjudged_raws_.capacity() * sizeof(UnjudgedRaw);
}

// Forgets the threads that have been silent for longest until no more than that is in use. False:
// nobody is left to forget. Only between two messages.
bool Sandbox::ForgetSilent(size_t used_bytes_max) {
  while (arena_.used_bytes() > used_bytes_max) {
    std::vector<std::pair<uint64_t, int32_t>> silent;
    silent.reserve(threads_.size());
    for (const auto& [tid, thread] : threads_) {
      if (tid != acting_tid_) silent.emplace_back(thread.heard_at, tid);
    }
    if (silent.empty()) return false;
    // A part of them at once: finding them is what costs.
    const size_t count = silent.size() / 8 + 1;
    const auto end = silent.begin() + static_cast<std::ptrdiff_t>(count) - 1;
    std::ranges::nth_element(silent, end);
    for (size_t i = 0; i < count; ++i) {
      counters_.Add(StateCounter::kThreadsForgotten);
      ForgetThread(silent[i].second);
    }
  }
  return true;
}

void Sandbox::MakeRoom() {
  if (messages_ >= no_room_until_) {
    constexpr uint64_t kNotSoon = 256;
    if (!ForgetSilent(limits_.sandbox_bytes_max / 8 * 5)) no_room_until_ = messages_ + kNotSoon;
  }
  if (arena_.used_bytes() >= limits_.sandbox_bytes_max) ForgetEverything();
}

void Sandbox::Shrink(size_t bytes_max, HappeningSink& sink) {
  sink_ = &sink;
  acting_tid_ = 0;
  ForgetSilent(bytes_max / 2);
  if (memory_bytes() > bytes_max) Rebuild();
  if (memory_bytes() > bytes_max) ForgetEverything();
}

void Sandbox::ForgetEverything() {
  counters_.Add(StateCounter::kStateForgotten);
  TellAllHeld();
  Clear();
  fork_flood_.Clear();
  ++awaited_version_;
}

void Sandbox::Clear() {
  last_actor_ = {};
  threads_ = Threads(arena_.resource());  // clear() would keep memory of the arena's
  processes_ = {};
  containers_.clear();
  id_bytes_ = 0;
  unjudged_raws_.clear();
  awaited_.clear();
  written_files_ = {};
  written_order_ = {};
  arena_.Release();
}

std::string_view Sandbox::Cut(std::string_view text) {
  if (text.size() > limits_.text_bytes_max) {
    counters_.Add(StateCounter::kTextsCut);
    text = text.substr(0, limits_.text_bytes_max);
  }
  return text;
}

bool Sandbox::ForgetThread(int32_t tid) {
  const auto found = threads_.find(tid);
  if (found == threads_.end()) return false;
  SettleThread(tid, found->second);
  last_actor_ = {};
  const Ref<Process> process = found->second.process;
  threads_.erase(found);
  if (process->live_threads > 0) --process->live_threads;
  if (process->live_threads == 0) {
    TellHeldOf(*process);
    process->exited = true;
    NoteExit(*process);
    const auto entry = processes_.find(process->tgid);
    if (entry != processes_.end() && entry->second == process) {
      processes_.erase(entry);
      fork_flood_.Settle(process->tgid);
    }
    // What the dead are asked for is only who they were: their fds go now.
    process->fds = Ref(arena_.New<FdTable>());
  }
  return true;
}

// ---- what it means

Happening Sandbox::Describe(const Moment& moment) const {
  Happening happening;
  happening.type = moment.point.event_type.value_or(EventType{});
  happening.number = messages_;
  happening.time_ns = moment.time_ns;
  happening.first_time_ns = first_time_ns_;
  happening.event = &moment.event;
  happening.point = moment.point.point;
  happening.process = moment.process.get();
  happening.container = moment.container.get();
  happening.tid = moment.event.context().thread_id;
  happening.raced = moment.raced;
  happening.line_version = line_version_;
  return happening;
}

Happening Sandbox::DescribeConcludedExec(const Process& process, int32_t tid,
                                         EventType type) const {
  Happening happening;
  happening.type = type;
  happening.number = messages_;
  happening.time_ns = now_ns_;
  happening.first_time_ns = first_time_ns_;
  happening.process = &process;
  happening.container = process.container.get();
  happening.tid = tid;
  happening.has_return = true;
  happening.return_value = 0;
  happening.is_exec = true;
  happening.synthetic = true;
  happening.line_version = line_version_;
  return happening;
}

Signal Sandbox::SignalOf(const Moment& moment, SignalKind kind) {
  return {.kind = kind,
          .syscall = moment.point.event_type.value_or(EventType{}),
          .time_ns = moment.time_ns,
          .tid = moment.event.context().thread_id,
          .process = moment.process.get(),
          .container = moment.container.get(),
          .before = {},
          .after = {}};
}

void Sandbox::Tell(Moment& moment) {
  moment.sink.OnHappening(Describe(moment));
}

void Sandbox::TellReturn(Moment& moment) {
  Happening happening = Describe(moment);
  happening.has_return = true;
  happening.return_value = moment.event.return_value();
  moment.sink.OnHappening(happening);
}

void Sandbox::TellFd(Moment& moment, int64_t fd, const File* file) {
  TellFd(moment, fd, file, moment.process->fds->OriginOf(fd));
}

void Sandbox::TellFd(Moment& moment, int64_t fd, const File* file, FdOrigin origin) {
  Happening happening = Describe(moment);
  happening.has_return = true;
  happening.return_value = moment.event.return_value();
  happening.has_fd = true;
  happening.fd = fd;
  happening.file = file;
  happening.fd_origin = origin;
  moment.sink.OnHappening(happening);
}

namespace {

// A name is told of what the process or one that forked it began as: the exec is the first one's.
Ref<Process> FirstOfProgram(const Ref<Process>& process) {
  Ref<Process> first = process;
  while (first->parent && first->parent->owes_synthetic_exec &&
         first->parent->image == process->image) {
    first->owes_synthetic_exec = false;
    first->started_as = first->name;
    first->ForgetCommandLine();
    first = first->parent;
    if (first->name.empty()) first->name = process->name;
  }
  return first;
}

}  // namespace

void Sandbox::TellSyntheticExec(Moment& moment) {
  if (moment.process->name.empty()) return;  // thin session: owed until its name is known
  const Ref<Process> first = FirstOfProgram(moment.process);
  Process& process = *first;
  process.owes_synthetic_exec = false;
  process.started_as = process.name;
  process.ForgetCommandLine();
  NoteChange(process);
  // A fork of it, or the one that it was forked from, was told: it is the same program's start.
  if (std::exchange(process.image->synthetic_told, true)) return;
  process.image->synthetic = true;
  process.image->exec_time_ns = moment.time_ns;
  ++line_version_;  // forks may share the image
  const int32_t tid = first == moment.process ? acting_tid_ : process.tgid;
  Happening happening = DescribeConcludedExec(process, tid, *FindEventType("execve"));
  // One that a snapshot has told of already needs no other.
  Awaited* awaited = process.image->exe.empty() ? Await(first) : nullptr;
  if (awaited != nullptr) {
    TellHeld(*awaited);
    if (awaited->image != process.image) awaited->raised = {};
    awaited->told = true;
    awaited->image = process.image;
    awaited->number = happening.number;
    awaited->time_ns = happening.time_ns;
    awaited->tid = happening.tid;
    happening.raised = &awaited->raised;
    if (received_ns_ != 0) {
      awaited->held = true;
      awaited->held_until_ns = received_ns_ + kHoldNs;
      if (held_++ == 0) held_due_ns_ = awaited->held_until_ns;
      return;
    }
  }
  moment.sink.OnHappening(happening);
}

}  // namespace gyrfalcon
