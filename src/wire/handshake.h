// Accepts connections and answers their handshake, on a thread that does nothing else: a
// container's start waits for this answer, so no amount of events elsewhere may delay it.
//
// A client may be anybody who can open the socket: it may say nothing, say garbage or come in
// thousands. None of that costs another client its answer; each has a deadline, and their number is
// bounded.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include <sys/types.h>

#include "base/heartbeat.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "wire/connection.h"
#include "wire/connection_keeper.h"
#include "wire/counters.h"
#include "wire/handshake_rejection.h"
#include "wire/listener.h"
#include "wire/rejection_reports.h"

namespace gyrfalcon {

struct HandshakeOptions {
  int64_t deadline_ms = 5'000;
  size_t pending_max = 16'384;
  std::vector<uid_t> allowed_uids{};  // empty: root and this process's own effective user
  ConnectionId first_connection{1};   // ids count up from here: keep those of two services apart
  pid_t prober = 0;  // a process that only wants the answer (/healthz: our own); 0: nobody
  ConnectionKeeper* keeper = nullptr;  // outlives the service; nullptr: nobody
};

class HandshakeService {
 public:
  using OnAccepted = std::function<void(AcceptedConnection)>;
  using OnRejected = RejectionReports::OnRejected;

  // Starts the thread. `on_accepted` runs on it and must not block or throw. `on_rejected` runs on
  // another one, at most RejectionReports::kPerSecondMax times a second, and may be empty.
  // `listener` must outlive the service. `silent` are clients that another service has accepted and
  // not heard of (Release). Fails when the process is out of file descriptors.
  static Result<std::unique_ptr<HandshakeService>> Start(const Listener& listener,
                                                         HandshakeOptions options,
                                                         OnAccepted on_accepted,
                                                         OnRejected on_rejected,
                                                         std::vector<UniqueFd> silent = {});
  ~HandshakeService();  // stops
  HandshakeService(const HandshakeService&) = delete;
  HandshakeService& operator=(const HandshakeService&) = delete;

  // Closes the clients that are still silent and joins the thread; no callback runs afterwards.
  // Clients not accepted yet wait in the listener's queue for its next owner. Not to be called from
  // a callback.
  void Stop();
  // As Stop, but gives the silent clients away, for another service to hear: a runsc that connected
  // a moment ago must not fail for our sake.
  std::vector<UniqueFd> Release();
  // After Release, when nobody has taken it: goes on at that listener, with those clients. Counters
  // and heartbeat are the same, so that who looks at them need not know.
  Result<void> GoOn(const Listener& listener, std::vector<UniqueFd> silent);
  // The id that the next connection would have. Once stopped.
  ConnectionId next_connection() const noexcept { return ConnectionId{next_connection_}; }

  const WireCounters& counters() const noexcept { return counters_; }
  const Heartbeat& heartbeat() const noexcept { return heartbeat_; }

 private:
  using Clock = std::chrono::steady_clock;

  struct Pending {
    UniqueFd fd;
    Peer peer;
    Clock::time_point deadline;
  };
  // By order of arrival; all deadlines are equally long, so the first is also the first to expire.
  using PendingMap = std::map<uint64_t, Pending>;

  HandshakeService(const Listener& listener, HandshakeOptions options, OnAccepted on_accepted,
                   OnRejected on_rejected);
  Result<void> SetUp();
  Result<void> StartThread(std::vector<UniqueFd> silent);
  void Join();
  void Run();
  int WaitMs() const;
  void AcceptSome();
  bool AcceptOne();
  bool RecoverFromAcceptError(int error_number);
  void PauseAccepting();
  void ResumeAccepting();
  void AddClient(UniqueFd fd);
  void ReadHandshake(PendingMap::iterator client);
  void Admit(PendingMap::iterator client);
  void AnswerProbe(PendingMap::iterator client);
  void Reject(PendingMap::iterator client, HandshakeRejection reason);
  void Report(Peer peer, HandshakeRejection reason);
  void CloseExpired();
  bool IsAllowed(uid_t uid) const noexcept;

  int listener_fd_;
  HandshakeOptions options_;
  const OnAccepted on_accepted_;
  RejectionReports reports_;
  WireCounters counters_;
  Heartbeat heartbeat_;

  UniqueFd epoll_;
  UniqueFd wake_;
  UniqueFd reserve_;  // given up for a moment to accept and close a client when descriptors run out
  PendingMap pending_;
  uint64_t next_key_;
  uint64_t next_connection_;
  bool accepting_ = true;
  Clock::time_point resume_accepting_;
  std::thread thread_;
};

}  // namespace gyrfalcon
