// systemd's file descriptor store: it keeps every connection for the process that starts after this
// one, even where this one was killed. What a sandbox sends meanwhile waits in its queue.
//
// Each is stored before its client is answered, with FDPOLL=0, or systemd would let go of it at the
// sandbox's end with all that is unread in it; and removed when it has been read to its end.
// Removal goes by name, so every connection has a name of its own: the number of its place in the
// ConnectionMap, in base 62 and the lowest that is free. All names together are one environment
// variable, at most 128 KiB long: one to three letters each leave room for kFdStoreMax.
//
// Beside them lie two memfds with names that no connection has: who the connections are
// (ConnectionMap), and what is known of the sandboxes behind them (SnapshotFile).
//
// Does not use the store of a unit that has none: FDSTORE= says how much it holds. systemd sets
// that variable from version 254 on, our unit file before that.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/result.h"
#include "engine/snapshot_file.h"
#include "service/connection_map.h"
#include "service/systemd.h"
#include "wire/connection_keeper.h"

namespace gyrfalcon {

// So many connections, whatever FDSTORE= allows.
inline constexpr size_t kFdStoreMax = 32'000;

// How a connection at this place is called in the store, and back; nullopt: that is no such name.
std::string StoredName(uint32_t place);
std::optional<uint32_t> PlaceOfName(std::string_view name);

class FdStore final : public ConnectionKeeper {
 public:
  using OnProblem = std::function<void(const Error&)>;

  // How many connections the store of our unit takes; 0: there is none, or no systemd.
  static size_t Capacity();

  // Takes out of `received` what the process before has stored, and starts the thread that speaks
  // to systemd. `on_problem` runs on that thread, and on this one: once when the store is full,
  // once when systemd can't be reached.
  static Result<std::unique_ptr<FdStore>> Start(size_t capacity, std::vector<ReceivedFd>& received,
                                                OnProblem on_problem);
  // What has to be told to systemd is told first.
  ~FdStore() override;
  FdStore(const FdStore&) = delete;
  FdStore& operator=(const FdStore&) = delete;

  // Of the process before, in the order in which they were accepted; once. Those that it could not
  // answer any more have been answered.
  std::vector<AcceptedConnection> TakeConnections() { return std::move(connections_); }
  ConnectionId next_connection() const noexcept { return next_connection_; }

  // Where this process writes what it knows of sandboxes, as long as this object is there.
  SnapshotFile& state() noexcept { return *state_; }
  // What the process before has written there; nullptr: nothing, or nothing that can be read.
  const SnapshotFile* state_before() const noexcept { return has_state_ ? state_.get() : nullptr; }

  // Connections that the store had no room for, or of which systemd could not be told: they would
  // not outlive this process.
  uint64_t refused() const;

  void OnAdmitted(int fd, ConnectionId id, const Peer& peer) override;
  void OnAnswered(ConnectionId id) override;
  void OnEnded(ConnectionId id) override;

 private:
  struct Message {
    std::string text;
    UniqueFd fd;  // none: the text alone
    bool is_connection = false;
  };
  struct Stored {
    UniqueFd fd;
    uint32_t place = 0;
  };

  FdStore(size_t capacity, ConnectionMap map, std::unique_ptr<SnapshotFile> state, bool has_state,
          OnProblem on_problem);
  void TakeUp(std::vector<Stored> stored);
  void TakeUpOne(Stored stored, bool is_alone);
  std::optional<uint32_t> FreePlace();
  void Keep(int fd, ConnectionId id, const Peer& peer, bool answered);
  // A memfd of ours under a name of its own; `replaces`: one of that name is there.
  void StoreBeside(std::string_view name, int fd, bool replaces);
  void Say(std::string text, UniqueFd fd = {});
  void Run();
  bool full_is_news() const { return refused_ != 0 && !full_told_; }

  const size_t capacity_;
  const OnProblem on_problem_;
  ConnectionMap map_;  // under mutex_
  const std::unique_ptr<SnapshotFile> state_;
  const bool has_state_;
  std::vector<AcceptedConnection> connections_;
  ConnectionId next_connection_{1};

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::condition_variable said_;
  std::deque<Message> messages_;
  uint64_t messages_put_ = 0;
  uint64_t messages_said_ = 0;
  absl::flat_hash_map<uint64_t, uint32_t> place_of_;  // by ConnectionId
  std::set<uint32_t> free_places_;                    // below places_used_
  uint32_t places_used_ = 0;
  uint64_t refused_ = 0;  // for want of room
  uint64_t failed_ = 0;   // systemd could not be told
  bool full_told_ = false;
  bool failing_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gyrfalcon
