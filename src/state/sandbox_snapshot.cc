// What snapshots of a sandbox's processes add to what its messages have told.
#include <algorithm>
#include <limits>

#include "state/sandbox.h"
#include "state/terminal.h"

namespace gyrfalcon {

void Sandbox::AllowSnapshots(bool seed) {
  constexpr unsigned kSeedTries = 3;
  snapshots_allowed_ = true;
  seed_wanted_ = seed;
  seed_tries_left_ = kSeedTries;
}

bool Sandbox::wants_snapshot() const {
  return snapshots_allowed_ && !snapshot_asked_ && (seed_wanted_ || !awaited_.empty());
}

void Sandbox::NoteSnapshotAsked(uint64_t question) {
  snapshot_asked_ = true;
  question_ = question;
  snapshot_asked_at_ = messages_;
  ended_since_.clear();
  fds_changed_since_.clear();
}

std::vector<int32_t> Sandbox::AwaitedTgids() const {
  std::vector<int32_t> tgids;
  for (const Awaited& awaited : awaited_) {
    const Process& process = *awaited.process;
    if (!process.exited && process.image == awaited.image) tgids.push_back(process.tgid);
  }
  return tgids;
}

void Sandbox::NoteExit(const Process& process) {
  if (!awaited_.empty()) ++awaited_version_;
  if (!snapshot_asked_ || !seed_wanted_) return;
  if (ended_since_.size() < limits_.changes_since_question_max) ended_since_.insert(process.tgid);
}

void Sandbox::NoteFdChanged(const FdTable& fds, int64_t fd) {
  if (!snapshot_asked_ || fds.whole) return;
  if (fds_changed_since_.size() >= limits_.changes_since_question_max) return;
  fds_changed_since_.emplace(&fds, fd);
}

// What is held back is told as it is known.
void Sandbox::TellHeld(Awaited& awaited) {
  if (!std::exchange(awaited.held, false)) return;
  --held_;
  ++line_version_;  // it may be told in the midst of a change
  Happening happening =
      DescribeConcludedExec(*awaited.process, awaited.tid, *FindEventType("execve"));
  happening.number = awaited.number;
  happening.time_ns = awaited.time_ns;
  happening.raised = &awaited.raised;
  sink_->OnHappening(happening);
}

void Sandbox::TellHeldOf(const Process& process) {
  if (held_ == 0) return;
  for (Awaited& awaited : awaited_) {
    if (awaited.process.get() == &process) TellHeld(awaited);
  }
}

void Sandbox::TellAllHeld() {
  if (held_ == 0) return;
  for (Awaited& awaited : awaited_) TellHeld(awaited);
}

void Sandbox::TellOverdue(int64_t receive_time_ns) {
  if (held_ == 0 || receive_time_ns < held_due_ns_) return;
  held_due_ns_ = std::numeric_limits<int64_t>::max();
  for (Awaited& awaited : awaited_) {
    if (!awaited.held) continue;
    if (receive_time_ns >= awaited.held_until_ns) {
      TellHeld(awaited);
    } else {
      held_due_ns_ = std::min(held_due_ns_, awaited.held_until_ns);
    }
  }
}

// nullptr: no snapshot can come, or too many processes wait for one.
Sandbox::Awaited* Sandbox::Await(const Ref<Process>& process) {
  const auto known = std::ranges::find(awaited_, process, &Awaited::process);
  if (known != awaited_.end()) return &*known;
  if (!snapshots_allowed_ || awaited_.size() >= limits_.awaiting_snapshot_max) return nullptr;
  ++awaited_version_;
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

size_t Sandbox::TakeSnapshot(const SnapshotAnswer& answer, HappeningSink& sink) {
  sink_ = &sink;
  last_actor_ = {};
  const bool current = snapshot_asked_ && answer.question == question_;
  SnapshotsByTgid by_tgid;
  for (const ProcessSnapshot& process : answer.processes) by_tgid.emplace(process.tgid, &process);
  if (current && seed_wanted_) {
    const bool usable = !answer.failed && ended_since_.size() < limits_.changes_since_question_max;
    if (usable) SeedProcesses(answer.processes, by_tgid);
    seed_wanted_ = !usable && --seed_tries_left_ != 0;
  }
  absl::flat_hash_set<const Image*> completed;
  std::vector<Awaited> waiting = std::exchange(awaited_, {});
  ++awaited_version_;
  size_t missed = 0;
  for (Awaited& awaited : waiting) {
    const auto found = by_tgid.find(awaited.process->tgid);
    if (found != by_tgid.end() && IsOf(*found->second, *awaited.process, awaited.time_ns)) {
      if (Complete(awaited, *found->second, current, sink)) {
        completed.insert(awaited.image.get());
      } else {
        counters_.Add(StateCounter::kProcessesNotCompleted);
        TellHeld(awaited);
      }
    } else if (!current || awaited.since > snapshot_asked_at_) {
      awaited_.push_back(std::move(awaited));  // may have begun after the snapshot
    } else {
      counters_.Add(StateCounter::kProcessesNotCompleted);
      missed += answer.failed || !answer.whole ? 1 : 0;
      TellHeld(awaited);
    }
  }
  ShareCompleted(completed);
  for (const ProcessSnapshot& snapshot : answer.processes) {
    const Ref<Process> process = FindProcessRef(snapshot.tgid);
    if (!process || process->start_time_ns != snapshot.start_time_ns) continue;
    if (!SnapshotRoom()) break;
    FillGaps(*process, snapshot, current);
  }
  if (current) snapshot_asked_ = false;
  ++line_version_;
  return missed;
}

// Snapshots may take what is no more than half of the memory.
bool Sandbox::SnapshotRoom() {
  if (arena_.used_bytes() < limits_.sandbox_bytes_max / 2) return true;
  counters_.Add(StateCounter::kSnapshotsCut);
  return false;
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
  size_t seeded = 0;
  for (const ProcessSnapshot& snapshot : snapshots) {
    if (processes_.contains(snapshot.tgid) || threads_.contains(snapshot.tgid)) continue;
    if (ended_since_.contains(snapshot.tgid)) continue;
    // Those that speak are worth more than these: nobody makes room.
    if (processes_.size() >= limits_.processes_max || threads_.size() >= limits_.threads_max ||
        ++seeded > limits_.processes_seeded_max) {
      counters_.Add(StateCounter::kSnapshotsCut);
      return;
    }
    if (!SnapshotRoom()) return;
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

void Sandbox::FillGaps(Process& process, const ProcessSnapshot& snapshot, bool with_fds) {
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
  if (with_fds && !process.exited) FillFds(process, snapshot);
}

void Sandbox::FillFds(Process& process, const ProcessSnapshot& snapshot) {
  // Known from its start: what is missing there is closed, or was passed, which is told.
  if (process.fds->whole || snapshot.fds.empty()) return;
  const auto changed = [&](int64_t fd) {
    return fds_changed_since_.contains({process.fds.get(), fd});
  };
  if (changed(kAllFds) || fds_changed_since_.size() >= limits_.changes_since_question_max) return;
  // SetFd notes what it sets.
  const bool noting = std::exchange(snapshot_asked_, false);
  for (const ProcessSnapshot::Fd& fd : snapshot.fds) {
    if (process.fds->size() >= limits_.fds_per_process_max) break;
    if (!SnapshotRoom()) break;
    if (fd.number < 0 || changed(fd.number) || process.fds->Find(fd.number) != nullptr) continue;
    SetFd(process, fd.number, FileFromInfo(fd.path, fd.mode), false, FdOrigin::kUnknown);
  }
  snapshot_asked_ = noting;
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
bool Sandbox::Complete(Awaited& awaited, const ProcessSnapshot& snapshot, bool with_fds,
                       HappeningSink& sink) {
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
  FillGaps(process, snapshot, with_fds);
  FillImage(process, *awaited.image, snapshot);
  process.owes_synthetic_exec = false;
  process.ForgetCommandLine();
  // Its fork has been told.
  if (!awaited.told && std::exchange(awaited.image->synthetic_told, true)) return true;
  if (!awaited.told) {
    process.name = process.started_as = name;
    awaited.image->synthetic = true;
    awaited.image->exec_time_ns = awaited.time_ns;
  }
  if (std::exchange(awaited.held, false)) --held_;
  ++line_version_;
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
