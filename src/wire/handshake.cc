#include "wire/handshake.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/signals.h"
#include "wire/handshake_message.h"
#include "wire/peer.h"

namespace gyrfalcon {

namespace {

constexpr uint64_t kListenerKey = 0;
constexpr uint64_t kWakeKey = 1;
constexpr uint64_t kFirstClientKey = 2;

constexpr int kEventsPerWait = 64;
constexpr int kAcceptsPerRound = 256;  // then those already here get their turn
constexpr int kExpiredPerRound = 256;
constexpr std::chrono::milliseconds kAcceptPause{100};

struct RejectionRow {
  std::string_view text;
  WireCounter counter;
};

constexpr std::array<RejectionRow, static_cast<size_t>(HandshakeRejection::kCount)> kRejections = {{
    {"runs as a user who may not connect", WireCounter::kHandshakesRejected},
    {"sent a handshake of more than 10,240 bytes", WireCounter::kHandshakesRejected},
    {"sent something that is no handshake", WireCounter::kHandshakesRejected},
    {"asked for protocol version 0", WireCounter::kHandshakesRejected},
    {"sent no handshake within the deadline", WireCounter::kHandshakeTimeouts},
    {"hung up without a handshake", WireCounter::kProbes},
    {"was closed to make room: too many silent clients", WireCounter::kHandshakesEvicted},
    {"could not be answered", WireCounter::kHandshakesRejected},
}};

HandshakeRejection RejectionOf(HandshakeFault fault) noexcept {
  switch (fault) {
    case HandshakeFault::kTooLong:
      return HandshakeRejection::kTooLong;
    case HandshakeFault::kMalformed:
      return HandshakeRejection::kMalformed;
    case HandshakeFault::kVersionZero:
      return HandshakeRejection::kVersionZero;
  }
  return HandshakeRejection::kMalformed;
}

bool Watch(int epoll, int operation, int fd, uint32_t events, uint64_t key) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  return ::epoll_ctl(epoll, operation, fd, &event) == 0;
}

bool IsReadable(int fd) noexcept {
  pollfd poll{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&poll, 1, 0) > 0;
}

UniqueFd OpenReserve() noexcept {
  return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

}  // namespace

std::string_view HandshakeRejectionText(HandshakeRejection reason) noexcept {
  const auto index = static_cast<size_t>(reason);
  return index < kRejections.size() ? kRejections[index].text : "unknown reason";
}

HandshakeService::HandshakeService(const Listener& listener, HandshakeOptions options,
                                   OnAccepted on_accepted, OnRejected on_rejected)
    : listener_fd_(listener.fd()),
      options_(std::move(options)),
      on_accepted_(std::move(on_accepted)),
      reports_(std::move(on_rejected)),
      next_key_(kFirstClientKey),
      next_connection_(options_.first_connection.value) {
  if (options_.allowed_uids.empty()) options_.allowed_uids = {0, ::geteuid()};
  options_.pending_max = std::max<size_t>(options_.pending_max, 1);
}

HandshakeService::~HandshakeService() {
  Stop();
}

Result<std::unique_ptr<HandshakeService>> HandshakeService::Start(const Listener& listener,
                                                                  HandshakeOptions options,
                                                                  OnAccepted on_accepted,
                                                                  OnRejected on_rejected,
                                                                  std::vector<UniqueFd> silent) {
  const SignalsBlocked blocked;
  std::unique_ptr<HandshakeService> service(new HandshakeService(
      listener, std::move(options), std::move(on_accepted), std::move(on_rejected)));
  if (const auto started = service->StartThread(std::move(silent)); !started) {
    return std::unexpected(started.error());
  }
  return service;
}

Result<void> HandshakeService::GoOn(const Listener& listener, std::vector<UniqueFd> silent) {
  listener_fd_ = listener.fd();
  return StartThread(std::move(silent));
}

Result<void> HandshakeService::StartThread(std::vector<UniqueFd> silent) {
  if (const auto set_up = SetUp(); !set_up) return set_up;
  for (UniqueFd& client : silent) AddClient(std::move(client));
  const SignalsBlocked blocked;
  thread_ = std::thread([this] { Run(); });
  return {};
}

Result<void> HandshakeService::SetUp() {
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  reserve_ = OpenReserve();
  accepting_ = true;
  if (!epoll_ || !wake_ || !reserve_ ||
      !Watch(epoll_.get(), EPOLL_CTL_ADD, listener_fd_, EPOLLIN, kListenerKey) ||
      !Watch(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), EPOLLIN, kWakeKey)) {
    return Fail(Fault::kEnvironment, "cannot wait for connections: " + ErrnoText(errno) +
                                         "; raise the limit of open files (ulimit -n)");
  }
  return {};
}

void HandshakeService::Stop() {
  Join();
  reports_.Stop();
  pending_.clear();
}

std::vector<UniqueFd> HandshakeService::Release() {
  Join();
  std::vector<UniqueFd> silent;
  silent.reserve(pending_.size());
  for (auto& [key, client] : pending_) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, client.fd.get(), nullptr);
    silent.push_back(std::move(client.fd));
  }
  pending_.clear();
  return silent;
}

void HandshakeService::Join() {
  if (!thread_.joinable()) return;
  const uint64_t one = 1;
  // Can only fail when the counter is full, and then the thread is awake.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

void HandshakeService::Run() {
  ::pthread_setname_np(::pthread_self(), "handshakes");
  std::array<epoll_event, kEventsPerWait> events;
  while (true) {
    heartbeat_.Beat();
    const int ready = ::epoll_wait(epoll_.get(), events.data(), kEventsPerWait, WaitMs());
    for (int i = 0; i < ready; ++i) {
      const uint64_t key = events[static_cast<size_t>(i)].data.u64;
      if (key == kWakeKey) return;
      if (key == kListenerKey) {
        AcceptSome();
      } else if (const auto client = pending_.find(key); client != pending_.end()) {
        ReadHandshake(client);  // else it was evicted in this very round
      }
    }
    CloseExpired();
    if (!accepting_ && Clock::now() >= resume_accepting_) ResumeAccepting();
  }
}

int HandshakeService::WaitMs() const {
  if (pending_.empty() && accepting_) return kHeartbeatIntervalMs;
  Clock::time_point next = pending_.empty() ? resume_accepting_ : pending_.begin()->second.deadline;
  if (!accepting_) next = std::min(next, resume_accepting_);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, kHeartbeatIntervalMs));
}

void HandshakeService::AcceptSome() {
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    if (!AcceptOne()) return;
  }
}

// False when there is nobody to accept for now.
bool HandshakeService::AcceptOne() {
  UniqueFd fd(::accept4(listener_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd) {
    AddClient(std::move(fd));
    return true;
  }
  const int error_number = errno;
  if (error_number == EAGAIN) return false;
  if (error_number == EINTR || error_number == ECONNABORTED) return true;
  return RecoverFromAcceptError(error_number);
}

// The client stays in the queue after a failed accept, and epoll would report it again at once. So
// each way out of here frees a descriptor, takes a client off the queue, or stops listening for a
// while.
bool HandshakeService::RecoverFromAcceptError(int error_number) {
  // Linux looks for a free descriptor before it looks for a client: perhaps there is none to
  // accept, and no reason to close one for it.
  if (!IsReadable(listener_fd_)) return false;
  counters_.Add(WireCounter::kAcceptErrors);
  if (error_number == EMFILE || error_number == ENFILE) {
    if (!pending_.empty()) {
      Reject(pending_.begin(), HandshakeRejection::kEvicted);
      return true;
    }
    // A client that is told no at once is better off than one that waits for ever.
    reserve_.reset();
    UniqueFd refused(::accept4(listener_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    const bool one_less = static_cast<bool>(refused);
    refused.reset();
    reserve_ = OpenReserve();
    if (one_less && reserve_) return true;
  }
  PauseAccepting();
  return false;
}

void HandshakeService::PauseAccepting() {
  accepting_ = false;
  resume_accepting_ = Clock::now() + kAcceptPause;
  Watch(epoll_.get(), EPOLL_CTL_MOD, listener_fd_, 0, kListenerKey);
}

void HandshakeService::ResumeAccepting() {
  if (!reserve_) reserve_ = OpenReserve();
  accepting_ = true;
  Watch(epoll_.get(), EPOLL_CTL_MOD, listener_fd_, EPOLLIN, kListenerKey);
}

bool HandshakeService::IsAllowed(uid_t uid) const noexcept {
  return std::ranges::find(options_.allowed_uids, uid) != options_.allowed_uids.end();
}

void HandshakeService::AddClient(UniqueFd fd) {
  std::optional<Peer> peer = PeerCredentials(fd.get());
  if (!peer || !IsAllowed(peer->uid)) {
    fd.reset();
    Report(peer.value_or(Peer{}), HandshakeRejection::kUserNotAllowed);
    return;
  }
  if (pending_.size() >= options_.pending_max) {
    Reject(pending_.begin(), HandshakeRejection::kEvicted);
  }
  const uint64_t key = next_key_++;
  if (!Watch(epoll_.get(), EPOLL_CTL_ADD, fd.get(), EPOLLIN, key)) {
    counters_.Add(WireCounter::kAcceptErrors);
    return;
  }
  pending_.emplace(
      key, Pending{.fd = std::move(fd),
                   .peer = std::move(*peer),
                   .deadline = Clock::now() + std::chrono::milliseconds(options_.deadline_ms)});
}

void HandshakeService::ReadHandshake(PendingMap::iterator client) {
  // One recv, one datagram: what follows it is the events', and stays in the socket.
  std::array<std::byte, kHandshakeBytesMax + 1> buffer;  // a longer one shows by filling it
  const ssize_t got = ::recv(client->second.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) {
    Reject(client, HandshakeRejection::kClosedEarly);
    return;
  }
  const auto version = ParseHandshake(std::span(buffer).first(static_cast<size_t>(got)));
  if (!version) {
    Reject(client, RejectionOf(version.error()));
    return;
  }
  Admit(client);
}

void HandshakeService::Admit(PendingMap::iterator client) {
  if (options_.prober != 0 && client->second.peer.pid == options_.prober) {
    AnswerProbe(client);
    return;
  }
  Peer& peer = client->second.peer;
  // Before the answer: runsc waits for that, and exits soon after it. And not for silent clients,
  // who would make us keep 64 KiB each.
  peer.command_line = ReadCommandLine(peer.pid);
  peer.runsc = TrustedRunsc(peer.pid);
  const auto answer = EncodeHandshake();
  const int fd = client->second.fd.get();
  const ConnectionId id{next_connection_++};
  if (options_.keeper != nullptr) options_.keeper->OnAdmitted(fd, id, peer);
  const ssize_t sent = ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent != static_cast<ssize_t>(answer.size()) ||
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr) != 0) {
    if (options_.keeper != nullptr) options_.keeper->OnEnded(id);
    Reject(client, HandshakeRejection::kAnswerFailed);
    return;
  }
  if (options_.keeper != nullptr) options_.keeper->OnAnswered(id);
  AcceptedConnection connection{.fd = std::move(client->second.fd),
                                .id = id,
                                .peer = std::make_shared<const Peer>(std::move(peer))};
  pending_.erase(client);
  counters_.Add(WireCounter::kConnectionsAccepted);
  on_accepted_(std::move(connection));
}

void HandshakeService::AnswerProbe(PendingMap::iterator client) {
  const auto answer = EncodeHandshake();
  // Where it fails, who probes sees that.
  [[maybe_unused]] const ssize_t sent =
      ::send(client->second.fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  pending_.erase(client);
  counters_.Add(WireCounter::kProbes);
}

// Closing the descriptor also takes it out of epoll: nobody else has a copy of it.
void HandshakeService::Reject(PendingMap::iterator client, HandshakeRejection reason) {
  Peer peer = std::move(client->second.peer);
  pending_.erase(client);
  Report(std::move(peer), reason);
}

void HandshakeService::Report(Peer peer, HandshakeRejection reason) {
  counters_.Add(kRejections[static_cast<size_t>(reason)].counter);
  reports_.Put(HandshakeRejected{.peer = std::move(peer), .reason = reason});
}

// Those left are late already, so the next wait is none.
void HandshakeService::CloseExpired() {
  const Clock::time_point now = Clock::now();
  for (int i = 0; i < kExpiredPerRound; ++i) {
    if (pending_.empty() || pending_.begin()->second.deadline > now) return;
    Reject(pending_.begin(), HandshakeRejection::kTimeout);
  }
}

}  // namespace gyrfalcon
