// One worker's share of the work: records in, alerts out. Everything here belongs to one thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "alerts/alert.h"
#include "alerts/builtin.h"
#include "base/hash.h"
#include "channels/dispatcher.h"
#include "engine/alert_budget.h"
#include "engine/builtin_throttle.h"
#include "engine/connection_observer.h"
#include "engine/counters.h"
#include "engine/event_flood.h"
#include "engine/held_messages.h"
#include "engine/identity.h"
#include "engine/loss_ledger.h"
#include "engine/memory_budget.h"
#include "engine/placement.h"
#include "engine/pod_watch.h"
#include "engine/process_lookup.h"
#include "engine/sandbox_coverage.h"
#include "engine/session_clock.h"
#include "engine/session_snapshot.h"
#include "engine/shedding.h"
#include "engine/snapshot_file.h"
#include "engine/wanted_processes.h"
#include "metadata/rootfs.h"
#include "points/context_memory.h"
#include "points/event.h"
#include "rules/matcher.h"
#include "state/sandbox.h"
#include "wire/record.h"

namespace gyrfalcon {

struct PipelineOptions {
  SandboxLimits limits{};
  BuiltinSettings builtins{};
  Arch arch = kHostArch;
  // Whose container is whose, over all workers; must outlive the pipeline. nullptr in replay, where
  // captures of one sandbox may well overlap: every sandbox is believed.
  ContainerRegistry* containers = nullptr;
  // Who hears of connections that come and go; nullptr: nobody. Must outlive the pipeline.
  ConnectionObserver* observer = nullptr;
  // How far a message's time may lie from the time at which it was received; it is moved to that
  // bound. Not in replay. 0: any time is believed.
  int64_t clock_skew_ns = 5'000'000'000;
  // Of each rule and sandbox; none in replay.
  AlertBudgetOptions alert_budget{};
  OverloadOptions overload{};
  // Of all sandboxes of all workers; must outlive the pipeline. nullptr: each has its own limit
  // only.
  MemoryBudget* memory = nullptr;
  // How long the state of a sandbox is kept after its last connection has ended, where the sandbox
  // has not been seen to end: for one that is attached again. Live only. 0: not at all.
  int64_t grace_ns = 30'000'000'000;
  // Of one pipeline; the oldest makes room.
  size_t kept_states_max = 1'024;
  size_t kept_bytes_max = 256u << 20;
  // How long messages wait for what the host knows of their container, from its first message on.
  // Live only. 0: not at all.
  int64_t metadata_wait_ns = 300'000'000;
  size_t held_bytes_max = size_t{4} << 20;         // of one sandbox's messages that wait
  size_t held_total_bytes_max = size_t{64} << 20;  // of all of this pipeline
  // Where sessions are written as they change (SaveDue); must outlive the pipeline. nullptr:
  // nowhere.
  SnapshotFile* snapshots = nullptr;
};

// Where alerts go. Called on the worker's thread, which must not wait for a channel.
class AlertSink {
 public:
  virtual ~AlertSink() = default;
  // False when the alert could not be kept.
  virtual bool OnAlert(Alert alert) = 0;
};

// Gives alerts to a dispatcher, which must outlive it.
class DispatcherSink final : public AlertSink {
 public:
  explicit DispatcherSink(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}
  bool OnAlert(Alert alert) override { return dispatcher_.Put(std::move(alert)); }

 private:
  Dispatcher& dispatcher_;
};

// What the host knows of a container.
struct ContainerAnswer {
  std::shared_ptr<const ContainerInfo> info;  // nullptr: nothing
  bool is_final = true;  // else another answer follows: nobody need wait for it, but may
};

// Who is asked for what the host knows of a sandbox. Called on the worker's thread, which must wait
// neither for files nor for runsc.
class HostLookups {
 public:
  virtual ~HostLookups() = default;
  // The names of a container's users. The answer comes to Pipeline::SetUsers, later or never. False
  // when too many wait.
  virtual bool AskUsers(uint64_t connection, const SandboxPlace& place,
                        const std::string& container_id) = 0;
  // Which container that is. The answers come to Pipeline::SetContainer. False when there is none
  // to come: too many wait, or the id is none.
  virtual bool AskContainer(uint64_t /*connection*/, const SandboxPlace& /*place*/,
                            const std::string& /*container_id*/) {
    return false;
  }
  // The session is over: no answer about this connection is wanted any more. That may be after the
  // record of its end, where its last messages waited.
  virtual void OnSessionEnd(uint64_t /*connection*/) {}
  // Whether AskProcesses can ever be answered for a sandbox at this place.
  virtual bool CanAskProcesses(const SandboxPlace& place) const = 0;
  // Which processes run, of those wanted when it is the question's turn. The answer comes to
  // Pipeline::SetProcesses with the same connection and question. False when there is none to come:
  // too many wait.
  virtual bool AskProcesses(uint64_t connection, uint64_t question, const SandboxPlace& place,
                            std::shared_ptr<const SharedWanted> wanted) = 0;
};

class Pipeline : private HappeningSink {
 public:
  // `lookups`: nullptr in replay, where the sandboxes are gone; else it outlives the pipeline.
  Pipeline(std::shared_ptr<const RuleSet> rules, PipelineOptions options, AlertSink& alerts,
           HostLookups* lookups = nullptr);
  ~Pipeline() override;

  // Takes up one record, in the order in which its connection gave them.
  void Process(const Record& record);
  // Tells what has waited for long enough of sandboxes that send nothing more. Live only; once in a
  // while, between two records.
  void TellDue(int64_t receive_time_ns);
  // Tells what is held back of sandboxes that live on when we stop.
  void TellRest();
  // From the next record on.
  void SetRules(std::shared_ptr<const RuleSet> rules);
  // The names of a container's users, from the next record on. `connection` may have ended.
  void SetUsers(uint64_t connection, std::string_view container_id,
                std::shared_ptr<const UserTable> users);
  // What the host knows of a container; messages that have waited for it are taken up. May raise
  // alerts.
  void SetContainer(uint64_t connection, std::string_view container_id,
                    const ContainerAnswer& answer);
  // The labels of a pod, from the next record on: of containers that are known and of those to
  // come.
  void SetPod(const PodChange& change);
  // Messages that wait are taken up with what is known: before the worker ends.
  void TakeUpHeld();
  // Whether any wait, or have a moment ago, and in how long the first of them are due.
  bool holds() const { return held_due_ns_ != std::numeric_limits<int64_t>::max(); }
  int64_t HeldDueInNs() const { return std::max<int64_t>(0, held_due_ns_ - clock_.now_ns()); }
  // What runs in a sandbox, or did a moment ago. May raise alerts.
  void SetProcesses(uint64_t connection, uint64_t question, const ProcessAnswer& answer);

  // Sandboxes with all their connections, for another worker's pipeline to go on with.
  struct Released;
  Released Release(std::span<const uint64_t> connections);
  void Adopt(Released released);

  // A connection's session, for another process to go on with (engine/session_snapshot.h); between
  // two records. "": there is no such connection, or its session is too large.
  std::string SaveSession(uint64_t connection);
  // Instead of the record of its opening. On error the connection is open all the same, as one that
  // was attached late: who it is comes from the peer, or from what of the bytes can be read, and
  // runsc is asked for its processes.
  Result<void> RestoreSession(const RestoredConnection& connection, std::string_view bytes);
  // Writes sessions that have changed to PipelineOptions::snapshots, each soon enough to be there a
  // second after it changed; for `kSaveBudgetNs` at most, the longest waiting first. To be called
  // every `kSaveEveryNs`, or when something has changed. Steady clock; returns when it should be
  // called again where nothing changes.
  int64_t SaveDue(int64_t now_ns);
  static constexpr int64_t kSaveEveryNs = 50'000'000;
  static constexpr int64_t kSaveBudgetNs = 2'500'000;
  // All that have changed, whatever it takes: before this process hands over.
  void SaveAll();

  // How many messages each connection has sent since the last call.
  std::vector<ConnectionLoad> TakeLoads();

  // How hard the worker is pressed, see OverloadControl: each tick while the step is not 0, and
  // until none of its sandboxes sheds any more. Sandboxes that send the most are pressed first.
  void SetPressure(unsigned step);
  bool is_pressed() const { return pressed_; }
  // Steps until every sandbox is on its last rung.
  static unsigned PressureMax(const OverloadOptions& options) {
    return options.sheds ? 2u * ShedPlan::Rungs(options) : 0;
  }

  // Those of all sandboxes, ended ones included.
  Totals totals() const;
  size_t sandbox_count() const { return sessions_.size(); }
  // Of no more than `most` connections, the worst; those that have sent nothing are left out.
  std::vector<SandboxCoverage> WorstCovered(size_t most) const;

 protected:
  // For who looks on (engine/observed_pipeline.h); nobody else overrides it.
  void OnHappening(const Happening& happening) override;
  // That the rules in force gave for the last happening.
  std::span<const Rule* const> matches() const { return matcher_->matches(); }

 private:
  // What the state's counters of limits were when they were last told.
  struct LimitsHit {
    uint64_t each_time = 0;
    bool details = false;  // of those that are told once
  };

  // A connection of unknown peer was refused what it goes by. That is what `trace create --force`
  // looks like for a moment: the end of one connection and the beginning of the other come in any
  // order.
  struct DoubtfulClaim {
    std::string container;
    std::string owner;
    int64_t received_ns = 0;
    int64_t due_ns = 0;   // by the pipeline's clock: what a Sentry tells would put the alert off
    bool had_it = false;  // somebody else came later: this one may be about to end
  };

  // What of a session has been written, and what is to be.
  struct Saving {
    uint64_t version = 0;  // SessionVersion, as written
    int64_t since_ns = 0;  // steady; when it was seen to differ. 0: it does not
    int64_t cost_ns = 0;   // of the last time
  };

  // What of a container that a session has shown was asked of the host.
  struct AskedContainer {
    bool is_answered = false;
    bool was_waited_for = false;
  };

  // A context (Context::id; 0: none) of which all containers were the sandbox's own, by that
  // generation of the registry.
  struct ContextCheck {
    uint64_t context_id = 0;
    uint64_t generation = 0;
    friend bool operator==(const ContextCheck&, const ContextCheck&) = default;
  };

  // One connection and the sandbox behind it.
  struct Session {
    std::shared_ptr<Sandbox> sandbox;  // nullptr after its state moved to a newer connection
    std::string sandbox_key;           // from the peer's command line; "" when it has none
    SandboxPlace place;                // from the same
    bool from_start = false;           // the sandbox began with this connection
    bool spoke = false;                // anything has come
    bool identified = false;           // its first message has come
    bool may_follow = false;           // made by `trace create`: it may go on where another ended
    bool follows = false;              // it has, before a word of its own
    std::string name;                  // how alerts call the sandbox
    bool named = false;                // `name` is an id, and stays
    SandboxIdentity identity;          // for the registry
    bool restored = false;             // from a checkpoint, of another container maybe
    // Containers that it has shown, and whether they are its own; the last one beside them, for
    // most messages have the same.
    absl::flat_hash_map<std::string, bool, TextHash, TextEqual> containers;
    std::string last_container;
    bool last_is_own = true;
    bool met_container = false;     // the message at hand has another one than that before it
    uint64_t containers_as_of = 0;  // the registry's generation
    ContextCheck believed;
    absl::flat_hash_set<std::string, TextHash, TextEqual>
        told_claims;  // containers that an alert was raised about
    std::unique_ptr<ContextMemory> contexts = std::make_unique<ContextMemory>();
    absl::flat_hash_map<std::string, AskedContainer, TextHash, TextEqual> asked;
    AlertBucket lookups;
    std::unique_ptr<HeldMessages> held;  // nullptr: none wait
    SessionClock clock;
    BuiltinThrottle throttle;
    AlertBudget budget;
    ShedRung rung = 0;
    bool floods = false;                          // it sends more than its part of what is too much
    uint64_t frames_of_tick = 0;                  // of `frames`, what the last SetPressure has seen
    std::unique_ptr<ShedLedger> shed;             // nullptr: nothing was left out
    size_t memory_noted = 0;                      // of its state's memory, what the budget knows
    std::optional<DoubtfulClaim> doubtful_claim;  // told if it stands for a while
    std::shared_ptr<SharedWanted> wanted;  // of the question on its way; nullptr: there is none
    uint64_t wanted_version = 0;           // of the state's awaited processes
    LossLedger losses;
    EventFlood flood;
    std::optional<int64_t> clone_ns;  // when a process was last made, by the clock
    uint64_t messages = 0;
    uint64_t frames = 0;          // all that came, readable or not
    uint64_t frames_of_load = 0;  // of those, what TakeLoads has told
    StateCounters counted;        // of the state's counters, what is in the totals
    uint64_t untold_drops = 0;    // of messages that could not be taken up themselves
    LimitsHit limits_hit;
    uint32_t dropped_count = 0;  // as the last header said
    bool has_dropped_count = false;
    bool drops_were_told = false;  // by the process before, whose count is not known
    uint64_t changes = 1;          // to what is saved, other than by its messages
    Saving saving;
    std::atomic<uint64_t>* read_mark = nullptr;  // where `frames` is noted for the next process
  };

  // Of a sandbox whose connection has ended.
  struct KeptState {
    Session session;
    int64_t until_ns = 0;  // by `clock_`
    size_t bytes = 0;
  };

  struct ReleasedSession {
    uint64_t connection;
    bool speaks;  // for its sandbox, of all connections that do
    Session session;
  };

  void Open(const Record& record);
  Session* SessionOf(uint64_t connection);  // nullptr: there is none
  Session& OpenSession(uint64_t connection, const SnapshotIdentity& identity);
  static SnapshotIdentity IdentityFromPeer(const Peer* peer);
  void Close(const Record& record);
  void TakeUpFrame(Session& session, const Record& record);
  void TakeUpMessage(Session& session, const Record& record);
  // pipeline_held.cc: messages that wait for what the host knows of their container.
  void AskForContainer(uint64_t connection, Session& session, const std::string& container_id);
  bool HoldsMessage(Session& session, const Record& record);
  void Hold(Session& session, const Record& record);
  void TakeUpHeld(uint64_t connection, Session& session);
  void TakeUpDueHeld();
  // Before the state moves from the connection that speaks for its sandbox to this one.
  void TakeUpHeldOfOlder(uint64_t connection, Session& session);
  void NoteUnreadable(Session& session, const Record& record, LossKind kind);
  void ClampTime(int64_t receive_time_ns);
  bool NameAnonymous(uint64_t connection, Session& session, std::string_view container);
  // Takes a container that is another sandbox's out of the message at hand.
  void CheckContainers(uint64_t connection, Session& session, int64_t now_ns);
  ContextCheck CheckOf(const Context& context) const {
    return {context.id, options_.containers == nullptr ? 0 : options_.containers->generation()};
  }
  bool IsKnownRefused(const Session& session, std::string_view container) const;
  bool IsOwnContainer(Session& session, std::string_view container, int64_t now_ns);
  bool ClaimContainer(Session& session, std::string_view container, int64_t now_ns);
  void TellClaim(Session& session, std::string_view container, std::string_view owner,
                 int64_t now_ns);
  // Those that have stood for long enough by now: asked at each record, of whatever connection.
  void TellDoubtfulClaims();
  // Unless the container is this sandbox's by now.
  void TellDoubtfulClaim(uint64_t connection, Session& session);
  void AskForUsers(uint64_t connection, const Session& session, const std::string& container_id);
  // Whose state an answer belongs to: its connection's, or that of the one it has moved to;
  // nullptr: nobody's any more. `connection` becomes that one's.
  Session* SessionForAnswer(uint64_t& connection);
  void AllowSnapshots(Session& session);
  void AskForProcesses(uint64_t connection, Session& session);
  void TakeAnswer(Session& session, const SnapshotAnswer& answer);
  static void UpdateWanted(Session& session);
  // Adds what its state has counted since the last time to the totals.
  void CountState(Session& session);
  // How many messages the sandbox has dropped since the last one.
  uint32_t CountDrops(Session& session, uint32_t dropped_count);
  void NoteDrops(Session& session, int64_t now_ns);
  void NoteLimits(Session& session, int64_t now_ns);
  void RaiseLoss(const Session& session, const LossReport& report);
  // For those that a sandbox can provoke as often as it likes: raised only when admitted.
  bool AdmitProvoked(Session& session, Builtin builtin, int64_t event_ns);
  void RaiseProvoked(Session& session, Builtin builtin, int64_t event_ns,
                     std::vector<AlertField> fields);
  void TellFlood(Session& session, const FloodReport& report);
  void TellSuppressed(Session& session, bool at_end);
  // Whether the message is left out, which is counted then.
  bool SkipsMessage(Session& session, uint16_t type, std::span<const std::byte> payload);
  void NoteUnasked(const Happening& happening);
  ShedLedger& ShedOf(Session& session);
  void TellShed(Session& session);
  void TellShedEnd(Session& session);
  void SetRung(Session& session, ShedRung rung);
  // Takes note of what its state holds; it gives some up where that is more than its share.
  void NoteMemory(Session& session);
  static bool HasAnythingDue(const Session& session) {
    return session.losses.is_open() || session.throttle.holds_any() ||
           session.budget.is_due(session.clock.now_ns());
  }
  void TellDue(Session& session);
  void TellRest(Session& session);
  void TellHeldBack(Session& session, bool at_end);
  void NoteTold(Session& session, uint64_t told_before);
  void RaiseBuiltin(Builtin builtin, int64_t time_ns, std::vector<AlertField> fields);
  void Raise(Alert alert);
  // At a connection's first message: takes over the state of an older connection of the same
  // sandbox. Which that is comes from the peer, runsc: what a Sentry says of itself must not take
  // another sandbox's state, or silence it.
  void Identify(uint64_t connection, Session& session, bool begins);
  void MoveState(Session& from, Session& to);
  void BeginAnew(Session& session);
  // At the end of a connection: the one that has taken its place and said nothing yet, as where
  // `trace create --force` replaced the session of a sandbox that idles. nullptr: there is none.
  Session* FindSuccessor(uint64_t connection, const Session& ended);
  void ForgetSuccessor(uint64_t connection, const Session& session);
  void RelabelPods(const Session& session);
  // pipeline_kept.cc: the state of a sandbox that may come back.
  bool IsWorthKeeping(uint64_t connection, const Session& session) const;
  void Keep(Session session);
  void TakeUpKept(Session& session, bool begins);
  void ForgetKept(const std::string& sandbox_key);
  void DropOverdueKept();
  bool ForgetOldestKept();  // false: there is none
  void UncountKept(KeptState& kept);
  // pipeline_snapshot.cc
  struct SavedParts;
  template <class Visit>
  static void VisitSession(Visit& visit, Session& session, SavedParts& parts);
  static SnapshotIdentity IdentityOf(const Session& session);
  bool Save(uint64_t connection, Session& session, std::string& out);
  void WriteSnapshot(uint64_t connection, Session& session, int64_t now_ns);
  static uint64_t SessionVersion(const Session& session) {
    return session.frames + session.changes;
  }
  void RejoinContainers(Session& session, const SavedParts& parts);
  void NoteUnsaved(Session& session, uint64_t frames_read);
  friend uint64_t SessionSnapshotVersion();
  void OnSignal(const Signal& signal) override;

  std::unique_ptr<Matcher> matcher_;
  const PipelineOptions options_;
  ShedPlan shed_plan_;
  bool pressed_ = false;  // SetPressure is to be called again
  AlertSink& alerts_;
  HostLookups* const lookups_;
  Totals totals_;  // of ended sandboxes; the living have their own state counters
  absl::flat_hash_map<uint64_t, Session> sessions_;  // by connection
  // Whose message came last; nobody's after any session has come or gone.
  struct {
    uint64_t connection = 0;
    Session* session = nullptr;
  } last_;
  absl::flat_hash_map<std::string, uint64_t, TextHash, TextEqual> connection_by_sandbox_;
  // The newest of those that may follow and have said nothing, by sandbox.
  absl::flat_hash_map<std::string, uint64_t, TextHash, TextEqual> successor_by_sandbox_;
  absl::flat_hash_map<std::string, KeptState, TextHash, TextEqual> kept_;  // by sandbox
  size_t kept_bytes_ = 0;
  // By uid: what the API server has told, where it is asked.
  absl::flat_hash_map<std::string, std::shared_ptr<const Labels>> pods_;
  std::deque<std::string> gone_pods_;                          // of those
  std::string saved_, saved_part_;                             // scratch of Save
  uint64_t questions_ = 0;                                     // asked about processes
  int64_t received_ns_ = 0;                                    // the record at hand
  SessionClock clock_;                                         // of all connections together
  int64_t held_due_ns_ = std::numeric_limits<int64_t>::max();  // the first, by `clock_`
  size_t held_bytes_ = 0;
  int64_t told_due_ns_ = 0;  // when TellDue last ran, by `clock_`
  int64_t doubtful_claims_due_ns_ = std::numeric_limits<int64_t>::max();  // the next, by `clock_`
  Session* speaking_ = nullptr;  // whose message is at hand
  Event event_;
};

struct Pipeline::Released {
  std::vector<ReleasedSession> sessions;
  uint64_t questions = 0;  // none asked later has the number of one on its way
};

}  // namespace gyrfalcon
