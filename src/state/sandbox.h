// What is true now in one sandbox, and what its messages mean: each message changes the state and
// gives at most one happening.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/node_hash_map.h>

#include "base/hash.h"
#include "base/result.h"
#include "points/event.h"
#include "points/schema.h"
#include "state/fork_flood.h"
#include "state/happening.h"
#include "state/limits.h"
#include "state/process.h"
#include "state/process_snapshot.h"
#include "state/sockaddr.h"

namespace gyrfalcon {

// Thread-compatible: owned by one worker. Distrusts every event; ids are opaque and recycled, lists
// may be empty, a field may be missing because the session did not ask for it.
class Sandbox {
 public:
  Sandbox(const SandboxLimits& limits, Arch arch)
      : limits_(limits), arch_(arch), threads_(arena_.resource()) {}
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  // `receive_time_ns` stands in for the time of messages that carry none. The sink is called before
  // the call returns, once or, where the message also settles what an earlier one left open, twice.
  void Apply(const Event& event, int64_t receive_time_ns, HappeningSink& sink);

  // Messages of this connection were lost just before the next one: what did not come then proves
  // nothing.
  void NoteLoss() { ++losses_; }

  // Live only, once in a while: tells what has waited for long enough of a connection that may say
  // nothing more. By the clock of `receive_time_ns`.
  void TellDue(int64_t receive_time_ns, HappeningSink& sink);

  // The connection has ended: settles what was still open.
  void Finish(HappeningSink& sink);

  // The next message is another connection's, whose session may ask for other points. Finishes the
  // one before.
  void BeginConnection(HappeningSink& sink);

  // Whose names user.name and its like show in a container, from the next message on; remembered
  // also for a container that has not been heard of yet.
  void SetUsers(std::string_view container_id, std::shared_ptr<const UserTable> users);
  // What the host knows of a container, in the same way.
  void SetContainerInfo(std::string_view container_id, std::shared_ptr<const ContainerInfo> info);
  // All that was set so: what `renewed` gives takes its place; nullptr: it stays.
  using InfoPtr = std::shared_ptr<const ContainerInfo>;
  void RenewContainerInfos(const std::function<InfoPtr(const ContainerInfo& info)>& renewed);
  // Ids of containers without names of users that were met since the last call.
  bool has_new_containers() const { return !new_containers_.empty(); }
  std::vector<std::string> TakeNewContainers() { return std::exchange(new_containers_, {}); }

  // Snapshots of the sandbox's processes can be had, if asked for. A process that is first seen
  // without a start (exec session, restore, late attach, lost exec) has an exec told, with what
  // messages say. That one happening is held back, for at most kHoldNs by receipt, until a snapshot
  // knows program, arguments and terminal, none can be had, or the process ends, makes an exec, or
  // becomes another name or user; all others flow on. It keeps its own time and number. A snapshot
  // that comes after it has been told has it told once more, and a rule that it has raised is not
  // raised again. Where messages have no time of receipt, nothing is held back.
  // `seed`: what the snapshot has and the state has not becomes known too, for lines of ancestors
  // and for names; such a process has its exec told when it first speaks,
  // unless it looks like a fork of its parent.
  void AllowSnapshots(bool seed);
  bool wants_snapshot() const;
  bool wants_seed() const { return seed_wanted_; }
  // Who is waited for, of those that run; the number changes with them.
  std::vector<int32_t> AwaitedTgids() const;
  uint64_t awaited_version() const { return awaited_version_; }
  // One is on its way; none is wanted until it has been taken. No two questions have one number.
  void NoteSnapshotAsked(uint64_t question);
  // What was asked for. Fills only what no message has said, and only of processes that are still
  // the program they were. Returns how many processes were waited for and might have been told, had
  // the answer been whole. An answer to an older question settles only what it has.
  size_t TakeSnapshot(const SnapshotAnswer& answer, HappeningSink& sink);
  static constexpr int64_t kHoldNs = 500'000'000;

  // That all sandboxes together have too little memory: this one may hold no more than so much from
  // now on. Forgets what has been silent for longest, everything only where that is not enough. Not
  // during Apply.
  void Shrink(size_t bytes_max, HappeningSink& sink);

  // Whether a raw message has come that has messages of this type for its twins: none of the two
  // may be left out.
  bool has_raw_twin(uint16_t type) const { return type < raw_twins_.size() && raw_twins_[type]; }

  const StateCounters& counters() const { return counters_; }
  // What the state has taken from the heap; without what stands beside the arena.
  size_t held_bytes() const { return arena_.held_bytes(); }
  // With it.
  size_t memory_bytes() const;
  size_t process_count() const { return processes_.size(); }

  const Process* FindProcess(int32_t tgid) const;
  // It has told its end: nothing runs in it any more, or its root container's first process has
  // exited.
  bool HasEnded(std::string_view root_container) const;

  // The whole state as bytes, between two messages; what `out` had is overwritten. What can be
  // found out again is left out: names of users, questions that are under way, counters.
  void Save(std::string& out);
  // A sandbox from such bytes: all of it or an error, whatever they are. Containers are new to it
  // (TakeNewContainers), and no snapshot of processes is under way.
  static Result<std::shared_ptr<Sandbox>> Restore(const SandboxLimits& limits, Arch arch,
                                                  std::string_view bytes);
  // Other programs' bytes are only for Restore if theirs is the same.
  static uint64_t SavedVersion();
  // Whether snapshots of its processes can be had, of a sandbox that goes on from saved state.
  void ResumeSnapshots(bool can_ask) { snapshots_allowed_ &= can_ask; }

 private:
  friend struct SandboxSaving;

  // An exec told by syscall/execve/exit with result 0, which also comes for execs that then fail:
  // judged by the next message of the same thread.
  struct PendingExec {
    explicit PendingExec(Arena& arena) : pathname(arena.resource()) {}
    std::pmr::string pathname;
    Ref<Image> image;
    EventType type{};
    uint64_t number = 0;
    int64_t time_ns = 0;
  };

  // A raw exit that is told itself if no twin follows.
  struct RawExit : ArenaObject<RawExit> {
    explicit RawExit(Arena& owner) : ArenaObject(owner) {}
    Event event;
  };

  // A raw message that waits for its thread's next one: a schematised twin follows at once, or the
  // twin was hidden, or this session has none.
  struct PendingRaw {
    uint64_t sysno = 0;
    bool is_exit = false;
    bool twin_expected = false;  // this connection has sent the schematised one before
    bool twin_hidden = false;    // the enter's was: the exit of the same call is no second sign
    int64_t time_ns = 0;
    uint32_t losses = 0;
    Ref<RawExit> exit;  // empty: an enter, or an exit that is no event by itself
  };

  // A close whose enter was told: its number is free from then on. Where the exit does not follow
  // (a session with enters only), the thread's next message, or its end, makes it the event.
  struct PendingClose {
    int64_t fd = -1;
    Ref<File> file;
    FdOrigin origin{};
    EventType type{};
    uint64_t number = 0;
    int64_t time_ns = 0;
  };

  // A process first seen without an exec, of which a snapshot may tell more.
  struct Awaited {
    Ref<Process> process;
    Ref<Image> image;     // the program it was then
    uint64_t number = 0;  // with time_ns: of the exec that was made up; of the first message before
    int64_t time_ns = 0;
    int32_t tid = 0;
    uint64_t since = 0;  // the message that it was first awaited at
    bool told = false;   // its exec, or it is held back
    bool held = false;
    int64_t held_until_ns = 0;  // by receipt
    RaisedRules raised;
  };

  static constexpr uint64_t kNoSyscall = ~uint64_t{0};

  // A raw enter without a twin, while it was not known whether this session has the twin.
  struct UnjudgedRaw {
    PendingRaw raw;
    int32_t tid;
    Ref<Process> process;
    uint64_t message;     // its successor's number
    int64_t received_ns;  // that one's; 0 in replay
  };

  struct Thread {
    explicit Thread(Arena& arena)
        : entered_with(arena.resource()), last_exec_path(arena.resource()) {}

    Ref<Process> process;
    int64_t start_time_ns = 0;      // 0: not known
    PointRef last_enter;            // the last enter message of the thread; no point: none
    std::pmr::string entered_with;  // the path or address that it had
    uint32_t entered_losses = 0;    // what losses_ was then
    uint64_t heard_at = 0;          // the message that it has told last
    bool from_snapshot = false;     // it has not spoken yet
    bool heard = false;             // this connection has had a message of it
    uint32_t heard_losses = 0;      // what losses_ was at the last one
    bool told_hidden = false;       // the enter of the call at hand was
    std::optional<PendingRaw> pending_raw;
    uint64_t hidden_enter = kNoSyscall;  // the call whose enter's twin was hidden
    bool clone_told = false;          // sentry/clone was made a happening: the exit of it is none
    std::pmr::string last_exec_path;  // of the last syscall/execve*/enter
    std::unique_ptr<PendingExec> pending_exec;
    std::optional<PendingClose> closing;
  };

  // Who has told the last message. While a thread says the same of itself, and nothing has changed
  // its process, what it says is known already.
  struct LastActor {
    uint64_t context_id = 0;   // Context::id; 0: nobody
    Thread* thread = nullptr;  // one of threads_
    uint32_t process_version = 0;
  };

  // The message at hand.
  struct Moment {
    const Event& event;
    const PointRef point;
    int64_t time_ns;
    Thread* thread = nullptr;
    Ref<Process> process;
    Ref<Container> container;
    HappeningSink& sink;
    bool raced = false;  // exits: the path or address was another one at the enter
  };

  // sandbox.cc: who acts
  void FindActor(Moment& moment);
  static bool IsRecycled(const Context& context, const Thread& thread);
  bool HasSpoken(int32_t tid) const;
  Thread& FindOrMakeThread(const Context& context);
  Ref<Process> MakeFirstSeenProcess(const Context& context);
  void Refresh(const Event& event, Thread& thread, Process& process);
  Ref<Container> FindContainer(std::string_view id);
  Process* NewProcess(int32_t tgid);
  Ref<Process> FindProcessRef(int32_t tgid) const;
  void SetParent(Process& child, Ref<Process> parent);
  // What fields of the process show has changed, or is about to before the next happening is told.
  void NoteChange(Process& process);
  // A thread of that id that is no other's any more; makes room for it where there are too many.
  Thread& PutThread(int32_t tid, Ref<Process> process, int64_t start_time_ns);
  bool MemoryLeft();
  void MakeRoom();
  bool ForgetSilent(size_t used_bytes_max);
  // These three only between two messages: nothing of the state may be referred to.
  void ForgetEverything();
  void Clear();
  // The same state in new memory: the arena gives back what was forgotten only as a whole.
  void Rebuild();
  std::string_view Cut(std::string_view text);
  static void Assign(std::pmr::string& target, std::string_view text) {
    target.assign(text.data(), text.size());
  }
  // What its last messages left open is told first.
  bool ForgetThread(int32_t tid);
  void SettleThread(int32_t tid, Thread& thread);

  // sandbox.cc: what it means
  void Dispatch(Moment& moment);
  Happening Describe(const Moment& moment) const;
  // An exec that no message of its own tells.
  Happening DescribeConcludedExec(const Process& process, int32_t tid, EventType type) const;
  // A sign that the message at hand shows, without texts and counts.
  static Signal SignalOf(const Moment& moment, SignalKind kind);
  void Tell(Moment& moment);
  void TellReturn(Moment& moment);
  void TellFd(Moment& moment, int64_t fd, const File* file);
  void TellFd(Moment& moment, int64_t fd, const File* file, FdOrigin origin);
  void TellSyntheticExec(Moment& moment);

  // sandbox_snapshot.cc
  using SnapshotsByTgid = absl::flat_hash_map<int32_t, const ProcessSnapshot*>;
  Awaited* Await(const Ref<Process>& process);
  void SeedProcesses(std::span<const ProcessSnapshot> snapshots, const SnapshotsByTgid& by_tgid);
  bool SnapshotRoom();
  void TellHeld(Awaited& awaited);
  void TellHeldOf(const Process& process);
  // Those that have been held back for long enough.
  void TellOverdue(int64_t receive_time_ns);
  void TellAllHeld();
  void NoteExit(const Process& process);
  static constexpr int64_t kAllFds = -1;
  void NoteFdChanged(const FdTable& fds, int64_t fd);
  void FillGaps(Process& process, const ProcessSnapshot& snapshot, bool with_fds);
  void FillFds(Process& process, const ProcessSnapshot& snapshot);
  void FillImage(const Process& process, Image& image, const ProcessSnapshot& snapshot);
  void FillTexts(TextVector& target, std::span<const std::string> texts);
  bool Complete(Awaited& awaited, const ProcessSnapshot& snapshot, bool with_fds,
                HappeningSink& sink);
  void ShareCompleted(const absl::flat_hash_set<const Image*>& images);

  // sandbox_raw.cc
  void OnRaw(Moment& moment);
  void SettleRaw(int32_t tid, Thread& thread, const Event* next, HappeningSink& sink);
  void TellHidden(int32_t tid, const Process& process, const PendingRaw& raw, HappeningSink& sink);
  void JudgeEarlierRaws(uint64_t sysno, HappeningSink& sink);
  void JudgeWaitingRaws(int64_t receive_time_ns, HappeningSink& sink);
  void JudgeUnpairedRaws(uint64_t until_message, HappeningSink& sink);
  void JudgeFirstUnpairedRaw(HappeningSink& sink);
  void NoteSchematised(const Moment& moment);

  // sandbox_paths.cc
  void NoteEnterText(Moment& moment);
  void CheckExitText(Moment& moment);
  void CheckEnterCame(Moment& moment);
  void LearnTruePath(Moment& moment);
  void LearnPathWithoutCloses(Process& process, int64_t fd, File& known, std::string_view told);
  Ref<PastProcess> FactsOf(Process& process);
  void KeepOpenRecord(const Moment& moment, File& file, const RaisedRules& raised);
  void TellSecondChance(Moment& moment, Ref<File> file, const OpenRecord& record);
  Ref<Process> OpenerOf(const OpenRecord& record, const Process& user);

  // sandbox_process.cc
  void OnContainerStart(Moment& moment);
  void OnSentryClone(Moment& moment);
  void OnSentryExec(Moment& moment);
  void OnTaskExit(Moment& moment);
  void OnExitNotifyParent(Moment& moment);
  void OnCloneExit(Moment& moment);
  void OnExecve(Moment& moment);
  void OnSetid(Moment& moment);
  void OnSetresid(Moment& moment);
  void OnPrlimit(Moment& moment);
  void OnChdir(Moment& moment);
  void NoteFork(Moment& moment, int32_t tgid);
  void MakeChild(Moment& moment, int32_t tid, int32_t tgid, int64_t start_time_ns, uint64_t flags);
  void InstallImage(Process& process, Ref<Image> image, std::string_view name);
  bool PendingExecSucceeded(const PendingExec& pending, const Moment& moment) const;
  void SettlePendingExec(Moment& moment);
  Ref<Image> NewImage(std::string_view exe, const TextList& argv, const TextList& env,
                      int64_t time_ns);
  void FillList(TextVector& target, const TextList& list, bool skip_first);
  void DropFdsAtExec(Process& process);
  void TakeLeadersPlace(Moment& moment);
  void FillStandardFds(const Event& event, Process& process);
  void FillBinaryInfo(const Event& event, const Process& process, Image& image);
  Ref<PipePeers> PeersOf(const Event& event);
  PipePeer PeerOf(std::string_view pipe_proc_info) const;
  void OnSentryMmap(Moment& moment);

  // sandbox_files.cc
  void TellRaw(Moment& moment);
  void OnOpen(Moment& moment);
  void OnCloseEnter(Moment& moment);
  void OnClose(Moment& moment);
  void SettleClose(Moment& moment);
  void TellPendingClose(int32_t tid, Thread& thread);
  FdOrigin OriginOfUntold(const Process& process, int64_t fd, const File& file) const;
  void RememberWritten(const Process& process, std::string_view path);
  bool WasWritten(const Process& process, std::string_view path) const;
  void OnFdUse(Moment& moment);
  void OnSocket(Moment& moment);
  void OnSocketPair(Moment& moment);
  void OnConnect(Moment& moment);
  void OnBind(Moment& moment);
  void OnListen(Moment& moment);
  void OnAccept(Moment& moment);
  void OnDup(Moment& moment);
  void OnFcntl(Moment& moment);
  void OnPipe(Moment& moment);
  void OnAnonymousFd(Moment& moment);
  void SetFd(Process& process, int64_t fd, Ref<File> file, bool close_on_exec, FdOrigin origin);
  void CopyFd(Moment& moment, int64_t from, int64_t to, bool close_on_exec);
  File* KnownFile(Moment& moment, int64_t fd);
  Ref<File> NewFile(FileType type) { return Ref(arena_.New<File>(type)); }
  Ref<File> FileFromPath(std::string_view path);
  Ref<File> FileFromInfo(std::string_view path, uint32_t mode);
  void SetEndpoint(File& file, const SocketAddress& address, std::optional<Endpoint>& side);
  void NameSocket(File& file);

  using Handler = void (Sandbox::*)(Moment&);
  struct HandlerRow {
    MessageType message;
    Handler on_enter;
    Handler on_exit;
    // It changes what the process is, and then tells: what was remembered about it is stale.
    bool changes_process = false;
  };
  static const HandlerRow kHandlers[];

  const SandboxLimits limits_;
  const Arch arch_;
  Arena arena_;  // before everything that lives in it
  StateCounters counters_;
  absl::flat_hash_map<std::string, Ref<Container>, TextHash, TextEqual> containers_;
  // By container id; outlives ForgetEverything.
  absl::flat_hash_map<std::string, std::shared_ptr<const UserTable>, TextHash, TextEqual> users_;
  absl::flat_hash_map<std::string, std::shared_ptr<const ContainerInfo>, TextHash, TextEqual>
      infos_;
  std::vector<std::string> new_containers_;
  absl::flat_hash_map<int32_t, Ref<Process>> processes_;  // by tgid; those that have not exited
  // By tid; a Thread stays where it is. In the arena: a sandbox may have threads come and go.
  using Threads =
      absl::node_hash_map<int32_t, Thread, absl::node_hash_map<int32_t, Thread>::hasher,
                          absl::node_hash_map<int32_t, Thread>::key_equal,
                          std::pmr::polymorphic_allocator<std::pair<const int32_t, Thread>>>;
  Threads threads_;
  // Hashes of container and path of files opened for writing.
  absl::flat_hash_set<uint64_t> written_files_;
  std::deque<uint64_t> written_order_;  // the same, oldest first
  ForkFlood fork_flood_;
  bool exec_lost_ = false;  // the message at hand shows it
  int32_t acting_tid_ = 0;  // of the message at hand
  LastActor last_actor_;
  HappeningSink* sink_ = nullptr;  // of the call at hand
  int64_t now_ns_ = 0;             // its time
  int64_t received_ns_ = 0;        // when it was received; 0 in replay
  uint64_t messages_ = 0;
  uint64_t no_room_until_ = 0;  // there was nobody to forget: not tried again before this message
  size_t id_bytes_ = 0;         // of ids in containers_
  std::bitset<kMessageTypeCount> raw_twins_;
  int64_t first_time_ns_ = 0;
  bool has_sentry_exec_ = false;  // this connection's session has the point
  bool has_sentry_clone_ = false;
  bool has_task_exit_ = false;
  uint32_t line_version_ = 0;      // Happening::line_version
  uint32_t losses_ = 0;            // how often messages of this connection were lost
  bool tells_true_paths_ = false;  // this connection's session has fd_path somewhere
  bool has_close_ = false;
  bool has_open_ = false;
  // Syscall numbers whose schematised enter ([0]) or exit ([1]) this connection has sent.
  std::array<std::bitset<512>, 2> schematised_;
  std::vector<UnjudgedRaw> unjudged_raws_;
  std::array<uint8_t, 512> unpaired_told_{};  // by syscall number: how often it was told as hidden
  bool has_tripwires_ = false;  // a raw message and its twin have come: this session has pairs
  std::vector<Awaited> awaited_;
  bool snapshots_allowed_ = false;
  bool seed_wanted_ = false;
  unsigned seed_tries_left_ = 0;
  bool snapshot_asked_ = false;
  uint64_t question_ = 0;           // the last one asked
  uint64_t snapshot_asked_at_ = 0;  // what messages_ was then
  uint64_t awaited_version_ = 0;
  size_t held_ = 0;  // of awaited_
  int64_t held_due_ns_ = 0;
  // Since that question, for the answer may be older: processes that ended, and descriptors that
  // were closed or made. More than is noted: the answer says nothing about such.
  absl::flat_hash_set<int32_t> ended_since_;
  absl::flat_hash_set<std::pair<const FdTable*, int64_t>> fds_changed_since_;
  // Scratch for paths, kept to save allocations.
  std::string path_;
};

}  // namespace gyrfalcon
