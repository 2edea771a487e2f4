// One worker: a thread with its own connections, sandboxes and counters. Others leave it new
// connections, rules and answers, and read the totals that it publishes; nothing of that is on the
// way of a message.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/heartbeat.h"
#include "engine/metadata_lookup.h"
#include "engine/overload.h"
#include "engine/pipeline.h"
#include "engine/placement.h"
#include "engine/process_lookup.h"
#include "engine/user_lookup.h"
#include "wire/socket_source.h"

namespace gyrfalcon {

class Worker;

// All workers, and who has which sandbox. Complete before the first one starts, and until the last
// one has ended.
struct Crew {
  // `remember_ns`: see Placement.
  explicit Crew(size_t count, int64_t remember_ns = 0);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  Placement placement;
  std::vector<std::unique_ptr<Worker>> workers;
};

class Worker final : private HostLookups {
 public:
  // All references outlive it.
  Worker(size_t number, Crew& crew, std::unique_ptr<SocketSource> source,
         std::shared_ptr<const RuleSet> rules, const PipelineOptions& options,
         Dispatcher& dispatcher, UserLookup& user_lookup, MetadataLookup& metadata_lookup,
         ProcessLookup& process_lookup);
  ~Worker() override = default;

  void Start();
  void Join();

  // Any thread.
  void Add(AcceptedConnection connection) { source_->Add(std::move(connection)); }
  // Taken up before the next message.
  void SetRules(std::shared_ptr<const RuleSet> rules);
  // The same.
  void SetPod(const PodChange& change);
  // What it was given by another worker, it has taken up when this returns.
  void WaitForHandovers();
  // What has been sent by now is taken up, then the thread ends.
  void Stop() { source_->Stop(); }
  // What has been received is taken up, then the thread ends, with what it knows of each connection
  // written to `state`; nullptr: nowhere. `tells`: also what is held back, before that.
  void StopReading(bool tells, SnapshotFile* state);
  // All connections; after StopReading and Join.
  std::vector<AcceptedConnection> TakeConnections() { return std::move(released_); }
  // One of those comes back: nobody else has read it. Before the next Start.
  void TakeBack(AcceptedConnection connection) { source_->Adopt(std::move(connection)); }
  // A connection that another engine has read until now, with what is left of it in `state`
  // (nullptr: nothing is). Before Start.
  void Inherit(AcceptedConnection connection, const SnapshotFile* state);
  // Beats between two messages.
  const Heartbeat& heartbeat() const noexcept { return heartbeat_; }
  // As published, at most a second ago.
  Totals totals() const;
  size_t sandbox_count() const;
  // The worst covered of its sandboxes, kCoverageToldMax at most; as published, some seconds ago.
  std::vector<SandboxCoverage> coverage() const;

 private:
  struct FoundUsers {
    uint64_t connection;
    std::string container_id;
    std::shared_ptr<const UserTable> users;
  };
  struct FoundContainer {
    uint64_t connection;
    std::string container_id;
    ContainerAnswer answer;
  };
  struct FoundProcesses {
    uint64_t connection;
    uint64_t question;
    ProcessAnswer answer;
  };
  // A sandbox on its way from another worker.
  struct Handover {
    std::vector<AcceptedConnection> connections;
    Pipeline::Released sessions;
  };
  // What others leave here.
  struct Mailbox {
    std::shared_ptr<const RuleSet> rules;  // nullptr: no new ones
    std::vector<Handover> handovers;
    std::vector<FoundUsers> users;
    std::vector<FoundContainer> containers;
    std::vector<FoundProcesses> processes;
    std::vector<PodChange> pods;
  };

  void Run();
  void TakeUpNews();
  // How long to wait for messages: as long as nothing is due.
  void SetIdleTimeout();
  void Publish();
  // Leaves out more, or less, when there is more to do than this one can.
  void LookAtLoad();
  // Writes what has changed to where the next process finds it.
  void SaveSessions();
  // All connections to where they are released to.
  void SaveReleased(SnapshotFile& state);
  // Gives a sandbox to another worker when there is more to do than this one can.
  void Balance();
  void HandOver(const PlacementMove& move);
  template <class Item>
  void Leave(std::vector<Item> Mailbox::* where, Item item);

  bool AskUsers(uint64_t connection, const SandboxPlace& place,
                const std::string& container_id) override;
  bool AskContainer(uint64_t connection, const SandboxPlace& place,
                    const std::string& container_id) override;
  void OnSessionEnd(uint64_t connection) override { crew_.placement.Leave(connection); }
  bool CanAskProcesses(const SandboxPlace& place) const override;
  bool AskProcesses(uint64_t connection, uint64_t question, const SandboxPlace& place,
                    std::shared_ptr<const SharedWanted> wanted) override;

  Heartbeat heartbeat_;
  const size_t number_;
  Crew& crew_;
  std::unique_ptr<SocketSource> source_;
  DispatcherSink sink_;
  UserLookup& users_;
  MetadataLookup& metadata_;
  ProcessLookup& processes_;
  Pipeline pipeline_;
  OverloadControl overload_;
  int64_t pressed_since_ns_ = 0;  // steady; when LookAtLoad was last called
  int64_t waited_when_pressed_ns_ = 0;
  int64_t coverage_ns_ = 0;    // steady; when the coverage was last published
  int64_t load_since_ns_ = 0;  // steady; when the load was last looked at
  int64_t waited_until_then_ns_ = 0;
  bool balance_due_ = false;
  const bool saves_;
  bool unsaved_ = false;                // something has come since SaveSessions
  int idle_ms_ = 0;                     // until something of all sandboxes is due
  bool holds_ = false;                  // messages wait for metadata
  int64_t saved_ns_ = 0;                // its time, by the records' clock
  std::atomic<bool> releases_ = false;  // StopReading, until the next Start
  std::atomic<bool> tells_ = true;      // with that, as the next
  std::atomic<SnapshotFile*> released_state_ = nullptr;
  std::vector<AcceptedConnection> released_;  // of the thread, then of who has joined it

  std::atomic<bool> has_news_ = false;
  mutable std::mutex mutex_;
  std::condition_variable handovers_taken_;
  Mailbox mailbox_;                                  // under mutex_
  Totals published_;                                 // under mutex_
  size_t published_sandboxes_ = 0;                   // under mutex_
  std::vector<SandboxCoverage> published_coverage_;  // under mutex_
  std::thread thread_;
};

}  // namespace gyrfalcon
