// What a call's paths really were. gVisor copies the path of a system call from the program's
// memory at its enter, again at its exit, and a third time to act on it; a second thread can change
// it in between. What a file descriptor refers to (fd_path) comes from the open file itself.
#include <charconv>

#include "state/sandbox.h"

namespace gyrfalcon {
namespace {

// The text that a second thread could change: enter and exit both have it.
std::string_view ChangeableText(const Event& event) {
  return event.has(Slot::kPathname) ? event.text(Slot::kPathname) : event.text(Slot::kAddress);
}

// The arguments of an exec are gone with the old memory. accept's and listen's addresses are
// results.
bool IsComparable(MessageType type) {
  return type != MessageType::kExecve && type != MessageType::kAccept &&
         type != MessageType::kListen;
}

constexpr std::string_view kDeleted = " (deleted)";

// A path that names a file: no pipe, socket or memfd.
bool NamesFile(std::string_view told) {
  return told.starts_with('/') && !told.starts_with("/memfd:");
}

bool IsPath(FileType type) {
  return type == FileType::kFile || type == FileType::kDirectory;
}

// A file that was deleted meanwhile is known to rules by the name that it had.
std::string_view WithoutDeleted(std::string_view path) {
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return path;
}

// What has no path and can't be opened by one.
bool NamesNoFile(std::string_view told) {
  return told.starts_with("socket:[") || told.starts_with("anon_inode:");
}

bool IsSocket(const File& file) {
  return file.is_ip_socket() || file.type == FileType::kUnix || file.type == FileType::kNetlink ||
         file.type == FileType::kPacket;
}

// The number is another file's by now: what gave it (recvmsg, close_range) sends no message, or the
// close was not asked for.
bool IsAnotherFile(const File& known, std::string_view told) {
  if (IsPath(known.type)) return NamesNoFile(told);
  if (IsSocket(known)) return !told.starts_with("socket:[");
  return NamesFile(told) && known.type != FileType::kMemfd && known.name != told;
}

// The number at the beginning of `text`, which is cut off; nullopt: none.
std::optional<int64_t> TakeNumber(std::string_view& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// /proc/self and /proc/thread-self as the file tells them: a process that reads of itself. In a
// container with a PID namespace of its own the number is not one that gVisor tells elsewhere.
bool IsOwnProc(std::string_view claimed, std::string_view told, const Process& process) {
  if (!TakePrefix(told, "/proc/")) return false;
  const auto pid = TakeNumber(told);
  const bool own_numbers = process.container && process.container->init_tgid != 1;
  if (!pid || (*pid != process.tgid && !own_numbers)) return false;
  if (TakePrefix(claimed, "/proc/thread-self")) {
    return TakePrefix(told, "/task/") && TakeNumber(told) && claimed == told;
  }
  return TakePrefix(claimed, "/proc/self") && claimed == told;
}

}  // namespace

void Sandbox::NoteEnterText(Moment& moment) {
  if (!IsComparable(moment.event.type())) return;
  Assign(moment.thread->entered_with, Cut(ChangeableText(moment.event)));
  moment.thread->entered_losses = losses_;
}

// An exit without its enter, where this connection sends the enters of that call: something that
// only the enter has (its fd_path, cwd, process_name) was no UTF-8. A thread's first message may be
// the exit of a call from before the connection.
void Sandbox::CheckEnterCame(Moment& moment) {
  Thread& thread = *moment.thread;
  const uint64_t sysno = moment.event.sysno();
  const auto& enters = schematised_[0];
  const bool expected = sysno < enters.size() && enters.test(sysno);
  const bool came = thread.last_enter.point == moment.point.point;
  const bool told = std::exchange(thread.told_hidden, false);
  // The call that an exec by another thread has interrupted ends under the leader's id.
  if (moment.process->leader_exit_pending) return;
  if (!thread.heard || thread.heard_losses != losses_ || !expected || came || told) return;
  if (!IsComparable(moment.event.type())) return;
  moment.sink.OnSignal(SignalOf(moment, SignalKind::kEventHidden));
}

void Sandbox::CheckExitText(Moment& moment) {
  Thread& thread = *moment.thread;
  const bool has_enter = thread.last_enter.point == moment.point.point &&
                         thread.entered_losses == losses_ && IsComparable(moment.event.type());
  if (!has_enter) return;
  const std::string_view after = Cut(ChangeableText(moment.event));
  moment.raced = thread.entered_with != after;
  thread.last_enter = {};
  if (!moment.raced) return;
  counters_.Add(StateCounter::kPathsChanged);
  Signal signal = SignalOf(moment, SignalKind::kPathChanged);
  signal.before = thread.entered_with;
  signal.after = after;
  moment.sink.OnSignal(signal);
}

void Sandbox::LearnTruePath(Moment& moment) {
  const Event& event = moment.event;
  if (event.type() == MessageType::kClose) has_close_ = true;
  if (!event.has(Slot::kFdPath)) return;
  tells_true_paths_ = true;
  std::string_view told = event.text(Slot::kFdPath);
  // An open's is its directory's; creat has none, and no number either.
  if (event.type() == MessageType::kOpen && !event.has(Slot::kFd)) return;
  const Slot slot = event.type() == MessageType::kDup ? Slot::kOldFd : Slot::kFd;
  const int64_t fd = event.number(slot);
  Ref<File> file(moment.process->fds->Find(fd));
  if (!file) return;
  const bool is_known = file->true_name && !file->opened && IsPath(file->type);
  if (is_known && told == file->name) return;
  if (IsAnotherFile(*file, told)) {
    Ref<File> untold = FileFromPath(told);
    const FdOrigin origin = OriginOfUntold(*moment.process, fd, *untold);
    SetFd(*moment.process, fd, std::move(untold), false, origin);
    return;
  }
  if (!has_close_) {
    LearnPathWithoutCloses(*moment.process, fd, *file, told);
    return;
  }
  if (!IsPath(file->type) || !NamesFile(told)) return;
  if (!file->name.ends_with(kDeleted)) told = WithoutDeleted(told);
  file->true_name = true;
  const Ref<OpenRecord> record = std::exchange(file->opened, {});
  const bool known_before_closes = record && !file->claimed.empty() && told == file->name;
  if (known_before_closes) {
    TellSecondChance(moment, file, *record);
    return;
  }
  if (told == file->name || IsOwnProc(file->name, told, *moment.process)) return;
  if (file->claimed.empty()) file->claimed = file->name;
  Assign(file->name, Cut(told));
  // A program's path has no symbolic links either: /bin/x is run as /usr/bin/x.
  if (file->for_writing()) RememberWritten(*moment.process, file->name);
  if (record) TellSecondChance(moment, file, *record);
}

// A number may have become another file's unseen, or be a link's: what is told is what it is now.
// The record of its open goes along, for when the first close shows that closes are told after all.
void Sandbox::LearnPathWithoutCloses(Process& process, int64_t fd, File& known,
                                     std::string_view told) {
  if (!IsPath(known.type)) return;
  const bool is_same = WithoutDeleted(told) == WithoutDeleted(known.name);
  if (is_same || IsOwnProc(known.name, told, process)) return;
  Ref<File> file = FileFromPath(told);
  if (IsPath(file->type)) {
    file->claimed = known.claimed.empty() ? known.name : known.claimed;
    file->opened = known.opened;
    file->open_flags = known.open_flags;
  }
  SetFd(process, fd, std::move(file), false, FdOrigin::kUnknown);
}

// One copy for all that a process opens while it stays what it is.
Ref<PastProcess> Sandbox::FactsOf(Process& process) {
  const PastProcess* past = process.past.get();
  const bool is_current =
      past != nullptr && past->version == process.version && past->line_version == line_version_;
  if (!is_current) {
    process.past = Ref(arena_.New<PastProcess>());
    static_cast<ProcessFacts&>(*process.past) = process;
    process.past->version = process.version;
    process.past->line_version = line_version_;
  }
  return process.past;
}

// Kept only where the truth can still come: a session with fd_path and closes shows it early.
void Sandbox::KeepOpenRecord(const Moment& moment, File& file, const RaisedRules& raised) {
  constexpr uint64_t kEarlyMessages = 10'000;
  if (!(tells_true_paths_ && has_close_) && messages_ > kEarlyMessages) return;
  if (!MemoryLeft()) return;
  file.opened = Ref(arena_.New<OpenRecord>());
  OpenRecord& record = *file.opened;
  const auto payload = moment.event.payload();
  record.payload.assign(reinterpret_cast<const char*>(payload.data()), payload.size());
  record.number = messages_;
  record.time_ns = moment.time_ns;
  record.opener = FactsOf(*moment.process);
  if (const Process* parent = moment.process->parent.get(); parent != nullptr) {
    record.parent_tgid = parent->tgid;
    record.parent_start_time_ns = parent->start_time_ns;
  }
  record.raced = moment.raced;
  record.raised = raised;
}

namespace {

bool IsProcess(const Process& process, int32_t tgid, int64_t start_time_ns) {
  const bool other_time =
      start_time_ns != 0 && process.start_time_ns != 0 && process.start_time_ns != start_time_ns;
  return process.tgid == tgid && !other_time;
}

}  // namespace

// Another process may have the descriptor by now (fork, SCM_RIGHTS), and the opener may be another
// program, or gone. Its ancestors are shown as they are now.
Ref<Process> Sandbox::OpenerOf(const OpenRecord& record, const Process& user) {
  const PastProcess& opener = *record.opener;
  Ref<Process> now = FindProcessRef(opener.tgid);
  // Mostly it is still who it was: then what rules remember of it holds, too.
  const bool is_same = now && now->past == record.opener && now->version == opener.version &&
                       line_version_ == opener.line_version;
  if (is_same) return now;
  Ref<Process> then(arena_.New<Process>());
  static_cast<ProcessFacts&>(*then) = opener;
  if (!now || !IsProcess(*now, opener.tgid, opener.start_time_ns)) {
    now.reset();
    // One that has exited is remembered as long as a descendant lives.
    for (Process* p = user.parent.get(); p != nullptr && !now; p = p->parent.get()) {
      if (IsProcess(*p, opener.tgid, opener.start_time_ns)) now = Ref(p);
    }
  }
  then->fds = now ? now->fds : Ref(arena_.New<FdTable>());
  then->live_threads = now ? now->live_threads : 0;
  then->parent = now ? now->parent : FindProcessRef(record.parent_tgid);
  const bool other_parent =
      then->parent && !now &&
      !IsProcess(*then->parent, record.parent_tgid, record.parent_start_time_ns);
  if (other_parent) then->parent.reset();
  return then;
}

void Sandbox::TellSecondChance(Moment& moment, Ref<File> file, const OpenRecord& record) {
  counters_.Add(StateCounter::kPathsCorrected);
  Event event;
  const auto type = static_cast<uint16_t>(MessageType::kOpen);
  const bool decoded = Decode(type, std::as_bytes(std::span(record.payload)), event).has_value();
  if (!decoded) return;  // it was decoded once
  const Ref<Process> process = OpenerOf(record, *moment.process);
  Moment then{.event = event,
              .point = ResolvePoint(event.type(), event.sysno(), arch_),
              .time_ns = record.time_ns,
              .process = process,
              .container = process->container,
              .sink = moment.sink,
              .raced = record.raced};
  RaisedRules raised = record.raised;
  Happening happening = Describe(then);
  happening.number = record.number;
  happening.has_return = true;
  happening.return_value = event.return_value();
  happening.has_fd = true;
  happening.fd = event.return_value();
  happening.file = file.get();
  happening.fd_origin = FdOrigin::kOpen;
  happening.path = file->name;
  happening.path_raw = event.text(Slot::kPathname);
  happening.second_chance = true;
  happening.raised = &raised;
  moment.sink.OnHappening(happening);
}

}  // namespace gyrfalcon
