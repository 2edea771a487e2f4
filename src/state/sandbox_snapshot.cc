// What snapshots of a sandbox's processes add to what its messages have told.
#include <algorithm>

#include "state/sandbox.h"
#include "state/terminal.h"

namespace gyrfalcon {

void Sandbox::AllowSnapshots(bool seed) {
  snapshots_allowed_ = true;
  seed_wanted_ = seed;
}

bool Sandbox::wants_snapshot() const {
  return snapshots_allowed_ && !snapshot_asked_ && (seed_wanted_ || !awaited_.empty());
}

void Sandbox::NoteSnapshotAsked() {
  snapshot_asked_ = true;
  snapshot_asked_at_ = messages_;
}

// nullptr: no snapshot can come, or too many processes wait for one.
Sandbox::Awaited* Sandbox::Await(const Ref<Process>& process) {
  const auto known = std::ranges::find(awaited_, process, &Awaited::process);
  if (known != awaited_.end()) return &*known;
  if (!snapshots_allowed_ || awaited_.size() >= limits_.awaiting_snapshot_max) return nullptr;
  awaited_.push_back({.process = process,
                      .image = process->image,
                      .number = messages_,
                      .time_ns = now_ns_,
                      .tid = acting_tid_,
                      .since = messages_,
                      .raised = {}});
  return &awaited_.back();
}

namespace {

// A process of which messages have told no start is the one that had its id when it was met.
bool IsOf(const ProcessSnapshot& snapshot, const Process& process, int64_t met_ns) {
  return process.start_time_ns != 0 ? snapshot.start_time_ns == process.start_time_ns
                                    : snapshot.start_time_ns <= met_ns;
}

}  // namespace

void Sandbox::TakeSnapshot(std::span<const ProcessSnapshot> processes, HappeningSink& sink) {
  sink_ = &sink;
  snapshot_asked_ = false;
  SnapshotsByTgid by_tgid;
  for (const ProcessSnapshot& process : processes) by_tgid.emplace(process.tgid, &process);
  if (std::exchange(seed_wanted_, false)) SeedProcesses(processes, by_tgid);
  for (const ProcessSnapshot& snapshot : processes) {
    const Ref<Process> process = FindProcessRef(snapshot.tgid);
    if (process && process->start_time_ns == snapshot.start_time_ns) FillGaps(*process, snapshot);
  }
  absl::flat_hash_set<const Image*> completed;
  std::vector<Awaited> waiting = std::exchange(awaited_, {});
  for (Awaited& awaited : waiting) {
    const auto found = by_tgid.find(awaited.process->tgid);
    if (found != by_tgid.end() && IsOf(*found->second, *awaited.process, awaited.time_ns)) {
      if (Complete(awaited, *found->second, sink)) completed.insert(awaited.image.get());
    } else if (awaited.since > snapshot_asked_at_) {
      awaited_.push_back(std::move(awaited));  // may have begun after the snapshot
    }
  }
  ShareCompleted(completed);
}

namespace {

// The same program with the same arguments as its parent: no exec lies between them.
bool LooksForked(const ProcessSnapshot& child, const ProcessSnapshot& parent) {
  return child.name == parent.name && child.exe_path == parent.exe_path &&
         child.argv == parent.argv;
}

}  // namespace

void Sandbox::SeedProcesses(std::span<const ProcessSnapshot> snapshots,
                            const SnapshotsByTgid& by_tgid) {
  for (const ProcessSnapshot& snapshot : snapshots) {
    if (processes_.contains(snapshot.tgid) || threads_.contains(snapshot.tgid)) continue;
    // Those that speak are worth more than these: nobody makes room.
    if (processes_.size() >= limits_.processes_max || threads_.size() >= limits_.threads_max) {
      counters_.Add(StateCounter::kProcessesRefused);
      return;
    }
    if (!MemoryLeft()) return;
    counters_.Add(StateCounter::kProcessesSeeded);
    const Ref<Process> process(NewProcess(snapshot.tgid));
    process->start_time_ns = snapshot.start_time_ns;
    process->name.Set(snapshot.name);
    process->started_as = process->name;
    const auto parent = by_tgid.find(snapshot.parent_tgid);
    process->owes_synthetic_exec =
        parent == by_tgid.end() || !LooksForked(snapshot, *parent->second);
    process->image->synthetic = true;
    FillImage(*process, *process->image, snapshot);
    PutThread(snapshot.tgid, process, 0).from_snapshot = true;
  }
}

void Sandbox::FillGaps(Process& process, const ProcessSnapshot& snapshot) {
  if (process.cwd.empty()) Assign(process.cwd, Cut(snapshot.cwd));
  if (!process.credentials_known && snapshot.credentials) {
    process.credentials = *snapshot.credentials;
    process.credentials_known = true;
  }
  // setsid, which lets go of the terminal, would have told the session.
  if (process.tty == 0 && process.session_id == 0) {
    for (const ProcessSnapshot::Fd& fd : snapshot.fds) {
      if (fd.number >= 0 && fd.number <= 2 && process.tty == 0) {
        process.tty = TerminalOf(fd.path, fd.mode);
      }
    }
  }
  if (process.session_id == 0) process.session_id = snapshot.session_id;
  if (process.group_id == 0) process.group_id = snapshot.group_id;
  if (process.fd_limit < 0) process.fd_limit = snapshot.fd_limit;
  if (!process.parent && snapshot.parent_tgid != 0) {
    if (Ref<Process> parent = FindProcessRef(snapshot.parent_tgid)) {
      SetParent(process, std::move(parent));
    }
  }
  if (!process.exited) FillFds(process, snapshot);
}

void Sandbox::FillFds(Process& process, const ProcessSnapshot& snapshot) {
  // Known from its start: what is missing there is closed, or was passed, which is told.
  if (process.fds->whole) return;
  for (const ProcessSnapshot::Fd& fd : snapshot.fds) {
    if (process.fds->size() >= limits_.fds_per_process_max) return;
    if (fd.number < 0 || process.fds->Find(fd.number) != nullptr) continue;
    SetFd(process, fd.number, FileFromInfo(fd.path, fd.mode), false, FdOrigin::kUnknown);
  }
}

void Sandbox::FillTexts(TextVector& target, std::span<const std::string> texts) {
  if (!target.empty()) return;
  for (const std::string& text : texts) {
    if (target.Append(text, limits_.argv_bytes_max)) continue;
    counters_.Add(StateCounter::kTextsCut);
    return;
  }
}

void Sandbox::FillImage(const Process& process, Image& image, const ProcessSnapshot& snapshot) {
  if (image.exe_path.empty()) {
    Assign(image.exe_path, Cut(snapshot.exe_path));
    image.written_before = WasWritten(process, image.exe_path);
  }
  if (snapshot.argv.empty() || !image.exe.empty()) return;
  Assign(image.exe, Cut(snapshot.argv.front()));
  image.argc = static_cast<uint32_t>(snapshot.argv.size());
  if (!MemoryLeft()) return;
  FillTexts(image.args, std::span(snapshot.argv).subspan(1));
  FillTexts(image.env, snapshot.env);
}

// True where the snapshot has been taken as the process's.
bool Sandbox::Complete(Awaited& awaited, const ProcessSnapshot& snapshot, HappeningSink& sink) {
  Process& process = *awaited.process;
  TaskName name;
  name.Set(snapshot.name);
  // Another program by now, here or there: what is told of one is not true of the other.
  const bool same_program = process.image == awaited.image && !name.empty() &&
                            (process.name.empty() || process.name.view() == name.view());
  if (!same_program) return false;
  // Nobody is to be told of it: it has ended without another word.
  if (!awaited.told && !process.owes_synthetic_exec) return false;
  counters_.Add(StateCounter::kProcessesCompleted);
  FillGaps(process, snapshot);
  FillImage(process, *awaited.image, snapshot);
  if (!awaited.told) {
    process.name = process.started_as = name;
    awaited.image->synthetic = true;
    awaited.image->exec_time_ns = awaited.time_ns;
  }
  process.owes_synthetic_exec = false;
  process.ForgetCommandLine();
  Happening happening = DescribeConcludedExec(process, awaited.tid, *FindEventType("execve"));
  happening.number = awaited.number;
  happening.time_ns = awaited.time_ns;
  happening.raised = &awaited.raised;
  sink.OnHappening(happening);
  return true;
}

// Forks of a completed process run the same program, and owe no exec of their own.
void Sandbox::ShareCompleted(const absl::flat_hash_set<const Image*>& images) {
  if (images.empty()) return;
  for (const auto& [tgid, process] : processes_) {
    if (!images.contains(process->image.get())) continue;
    process->owes_synthetic_exec = false;
    process->ForgetCommandLine();
  }
}

}  // namespace gyrfalcon
