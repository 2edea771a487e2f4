// One process of ours takes over from another without systemd: listener, connections and state go
// through a Unix socket beside the one that sandboxes connect to, mode 0600. The two may live in
// different mount and PID namespaces, as two pods with the same folder do.
//
// Nothing is lost when either fails: the old one goes on until it has read that the new one has
// everything, and what sandboxes send meanwhile stays in the kernel's queues.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "engine/inheritance.h"
#include "service/takeover_message.h"

namespace gyrfalcon {

// "takeover.sock" in the folder of the daemon's socket.
std::string TakeoverSocketPath(const std::string& socket_path);

// How long either waits for the other's next word.
inline constexpr int kTakeoverPatienceMs = 10'000;

// The old one's side of one takeover. Blocks, each time for as long as its patience.
class TakeoverClient {
 public:
  TakeoverClient(UniqueFd socket, int patience_ms)
      : socket_(std::move(socket)), patience_ms_(patience_ms) {}

  // What it can read. An error where it asks for nothing that we have, or is gone already.
  Result<TakeoverAsk> ReadAsk();
  // Gives copies of everything. On success the other one has it all and reads, or is about to: this
  // one must not read any more. On error it has not, and never will. `state`: none with -1.
  Result<void> Give(const Inheritance& left, int state);
  enum class Waiting : uint8_t {
    kNo,        // it asks for everything, and may have it: nothing was answered
    kBehindUs,  // it is older than instance `own`, was told so, and waits for this object's end
    kOver,      // it only wanted to wait, and was told that it need not
  };
  Waiting AnswerWaiting(const TakeoverAsk& ask, uint64_t own);
  bool HasHungUp() const;
  // What two can't have at the same time is closed.
  void SayDone();
  void Refuse(const std::string& why);

 private:
  Result<void> GiveConnections(const Inheritance& left);
  Result<void> GiveSilent(const Inheritance& left);

  UniqueFd socket_;
  int patience_ms_;
};

// Where the old one can be asked. For one thread; the socket file goes with it.
class TakeoverServer {
 public:
  // Replaces a stale socket; the folder must exist and be private (Listener sees to that).
  static Result<std::unique_ptr<TakeoverServer>> Start(std::string path,
                                                       int patience_ms = kTakeoverPatienceMs);
  ~TakeoverServer();
  TakeoverServer(const TakeoverServer&) = delete;
  TakeoverServer& operator=(const TakeoverServer&) = delete;

  // Readable when somebody asks.
  int fd() const noexcept { return socket_.get(); }
  // Does not wait. nullopt: nobody is there, or somebody who is neither root nor our own user.
  std::optional<TakeoverClient> Accept();

 private:
  TakeoverServer(std::string path, int patience_ms);

  const std::string path_;
  const int patience_ms_;
  UniqueFd socket_;
  uint64_t inode_ = 0;  // of the socket file
};

struct TakenOver {
  Inheritance inherited;
  UniqueFd state;  // none: the other one keeps none, or nothing that we can read
  // False: the other one reads no more, but may have its alerts' store open yet.
  bool is_done = true;
};

struct TakeoverOptions {
  std::string socket_path;     // that sandboxes connect to, as this process sees it
  uint64_t state_version = 0;  // that we can read
  uint64_t instance = 0;       // this one's number (service/instance.h); 0: none
  int patience_ms = kTakeoverPatienceMs;
};

// The new one's side, when all else is ready: from here on sandboxes wait for us. Returns when the
// other one has closed what two can't have. nullopt: nobody is there to take over from.
// An error where a newer instance listens.
Result<std::optional<TakenOver>> TakeOver(const TakeoverOptions& options);

// A connection to the newer instance that listens, which ends when that one does or hands over.
// None: nobody newer is there, and it is this one's turn. Asks for nothing.
Result<UniqueFd> FindNewerInstance(const TakeoverOptions& options);

}  // namespace gyrfalcon
