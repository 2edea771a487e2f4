#include "service/takeover.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/unix_socket.h"
#include "service/takeover_channel.h"
#include "wire/peer.h"

namespace gyrfalcon {
namespace {

// Room for the longest command line beside them.
constexpr size_t kBatchBytes = 64 * 1024;

std::unexpected<Error> Cannot(std::string what, const std::string& path) {
  return Fail(Fault::kEnvironment, std::move(what) + " " + path + ": " + ErrnoText(errno));
}

// By user: across PID namespaces the pid is 0.
bool IsOneOfUs(int socket) {
  const auto peer = PeerCredentials(socket);
  return peer && (peer->uid == 0 || peer->uid == ::geteuid());
}

bool HasHungUp(int socket) {
  pollfd poll{.fd = socket, .events = POLLRDHUP, .revents = 0};
  return ::poll(&poll, 1, 0) > 0 && (poll.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

// None where nobody listens.
Result<UniqueFd> ConnectTo(const std::string& path) {
  const auto address = UnixAddress(path);
  if (!address) return std::unexpected(address.error());
  UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return Cannot("cannot make a socket for", path);
  if (::connect(socket.get(), Generic(*address), sizeof *address) == 0) return socket;
  if (errno == ENOENT || errno == ECONNREFUSED) return UniqueFd();
  return Cannot("cannot ask", path);
}

}  // namespace

std::string TakeoverSocketPath(const std::string& socket_path) {
  return Beside(socket_path, "takeover.sock");
}

TakeoverServer::TakeoverServer(std::string path, int patience_ms)
    : path_(std::move(path)), patience_ms_(patience_ms) {}

Result<std::unique_ptr<TakeoverServer>> TakeoverServer::Start(std::string path, int patience_ms) {
  std::unique_ptr<TakeoverServer> server(new TakeoverServer(std::move(path), patience_ms));
  server->socket_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  constexpr int kBacklog = 4;
  const auto inode = ListenAlone(server->socket_.get(), SOCK_SEQPACKET, server->path_, kBacklog);
  if (!inode) return std::unexpected(inode.error());
  server->inode_ = *inode;
  return server;
}

TakeoverServer::~TakeoverServer() {
  struct stat status{};
  if (::lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_) ::unlink(path_.c_str());
}

std::optional<TakeoverClient> TakeoverServer::Accept() {
  UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client || !IsOneOfUs(client.get())) return std::nullopt;
  return TakeoverClient(std::move(client), patience_ms_);
}

Result<TakeoverAsk> TakeoverClient::ReadAsk() {
  // It asks at once; who only connects must not keep reloads waiting.
  constexpr int kAskPatienceMs = 1'000;
  auto ask = ExpectTakeover<TakeoverAsk>(socket_.get(), std::min(patience_ms_, kAskPatienceMs));
  if (!ask) {
    Refuse(ask.error().message);
  } else if (HasHungUp()) {
    return Fail(Fault::kEnvironment, "it has not waited for an answer");
  }
  return ask;
}

TakeoverClient::Waiting TakeoverClient::AnswerWaiting(const TakeoverAsk& ask, uint64_t own) {
  const bool is_older = ask.instance != 0 && ask.instance < own;
  if (!is_older && !ask.only_waits) return Waiting::kNo;
  const TakeoverMessage answer = is_older ? TakeoverMessage(TakeoverNewer{.instance = own})
                                          : TakeoverMessage(TakeoverYourTurn{});
  [[maybe_unused]] const auto sent = SendTakeover(socket_.get(), answer, {}, patience_ms_);
  return is_older ? Waiting::kBehindUs : Waiting::kOver;
}

bool TakeoverClient::HasHungUp() const {
  return gyrfalcon::HasHungUp(socket_.get());
}

void TakeoverClient::Refuse(const std::string& why) {
  [[maybe_unused]] const auto sent =
      SendTakeover(socket_.get(), TakeoverRefusal{why}, {}, patience_ms_);
}

Result<void> TakeoverClient::Give(const Inheritance& left, int state) {
  const auto listener = left.listener->Copy();
  if (!listener) return std::unexpected(listener.error());
  std::vector<int> fds = {listener->socket.get()};
  if (listener->lock) fds.push_back(listener->lock.get());
  if (state >= 0) fds.push_back(state);
  const TakeoverBegin begin{.connections = static_cast<uint32_t>(left.connections.size()),
                            .silent = static_cast<uint32_t>(left.silent.size()),
                            .next_connection = left.next_connection.value,
                            .device = listener->device,
                            .inode = listener->inode,
                            .stopped_ns = static_cast<uint64_t>(left.stopped_ns),
                            .owns_file = listener->owns_file,
                            .has_lock = static_cast<bool>(listener->lock),
                            .has_state = state >= 0};
  if (auto sent = SendTakeover(socket_.get(), begin, fds, patience_ms_); !sent) return sent;
  if (auto sent = GiveConnections(left); !sent) return sent;
  if (auto sent = GiveSilent(left); !sent) return sent;
  if (auto sent = SendTakeover(socket_.get(), TakeoverEnd{}, {}, patience_ms_); !sent) return sent;
  if (auto taken = ExpectTakeover<TakeoverTaken>(socket_.get(), patience_ms_); !taken) {
    return std::unexpected(taken.error());
  }
  // It reads this before anything else happens. Where it has hung up, it has given up.
  return SendTakeover(socket_.get(), TakeoverCommitted{}, {}, patience_ms_);
}

Result<void> TakeoverClient::GiveConnections(const Inheritance& left) {
  for (size_t next = 0; next < left.connections.size();) {
    TakeoverConnections batch;
    std::vector<int> fds;
    size_t bytes = 0;
    while (next < left.connections.size() && fds.size() < kTakeoverFdsMax && bytes < kBatchBytes) {
      const AcceptedConnection& connection = left.connections[next++];
      const Peer peer = connection.peer ? *connection.peer : Peer{};
      bytes += peer.command_line.size() + peer.runsc.size();
      batch.items.push_back({.id = connection.id.value, .peer = peer});
      fds.push_back(connection.fd.get());
    }
    if (auto sent = SendTakeover(socket_.get(), batch, fds, patience_ms_); !sent) return sent;
  }
  return {};
}

Result<void> TakeoverClient::GiveSilent(const Inheritance& left) {
  std::vector<int> fds;
  for (const UniqueFd& client : left.silent) fds.push_back(client.get());
  for (std::span<const int> rest = fds; !rest.empty();) {
    const std::span<const int> batch = rest.first(std::min(rest.size(), kTakeoverFdsMax));
    const TakeoverSilent message{.count = static_cast<uint32_t>(batch.size())};
    if (auto sent = SendTakeover(socket_.get(), message, batch, patience_ms_); !sent) return sent;
    rest = rest.subspan(batch.size());
  }
  return {};
}

void TakeoverClient::SayDone() {
  [[maybe_unused]] const auto sent = SendTakeover(socket_.get(), TakeoverDone{}, {}, patience_ms_);
}

namespace {

// What the old one gives, as it comes.
class Receiver {
 public:
  Receiver(int socket, int patience_ms) : socket_(socket), patience_ms_(patience_ms) {}

  Result<void> Receive() {
    auto first = ReceiveTakeover(socket_, patience_ms_);
    if (!first) return std::unexpected(first.error());
    if (std::holds_alternative<TakeoverNewer>(first->message)) {
      return Fail(Fault::kEnvironment, "a newer instance listens there");
    }
    const auto* begin = std::get_if<TakeoverBegin>(&first->message);
    if (begin == nullptr) return OutOfTurn();
    if (begin->connections > kTakeoverConnectionsMax || begin->silent > kTakeoverConnectionsMax) {
      return OutOfTurn();
    }
    TakeBegin(*begin, first->fds);
    while (!ended_) {
      auto datagram = ReceiveTakeover(socket_, patience_ms_);
      if (!datagram) return std::unexpected(datagram.error());
      if (auto taken = Take(*datagram); !taken) return taken;
    }
    const bool all = taken_.inherited.connections.size() == begin_.connections &&
                     taken_.inherited.silent.size() == begin_.silent;
    return all ? Result<void>() : OutOfTurn();
  }

  HandedListener& listener() { return listener_; }
  TakenOver& taken() { return taken_; }

 private:
  static Result<void> OutOfTurn() {
    return Fail(Fault::kEnvironment, "the other process says something out of turn");
  }

  void TakeBegin(const TakeoverBegin& begin, std::vector<UniqueFd>& fds) {
    begin_ = begin;
    size_t next = 0;
    listener_.socket = std::move(fds[next++]);
    if (begin.has_lock) listener_.lock = std::move(fds[next++]);
    if (begin.has_state) taken_.state = std::move(fds[next++]);
    listener_.owns_file = begin.owns_file;
    listener_.device = begin.device;
    listener_.inode = begin.inode;
    taken_.inherited.next_connection = ConnectionId{begin.next_connection};
    taken_.inherited.stopped_ns = static_cast<int64_t>(begin.stopped_ns);
  }

  Result<void> Take(TakeoverDatagram& datagram) {
    if (auto* some = std::get_if<TakeoverConnections>(&datagram.message)) {
      return TakeConnections(*some, datagram.fds);
    }
    if (std::holds_alternative<TakeoverSilent>(datagram.message)) {
      std::ranges::move(datagram.fds, std::back_inserter(taken_.inherited.silent));
      return taken_.inherited.silent.size() > begin_.silent ? OutOfTurn() : Result<void>();
    }
    ended_ = std::holds_alternative<TakeoverEnd>(datagram.message);
    return ended_ ? Result<void>() : OutOfTurn();
  }

  Result<void> TakeConnections(TakeoverConnections& some, std::vector<UniqueFd>& fds) {
    auto& connections = taken_.inherited.connections;
    for (size_t i = 0; i < some.items.size(); ++i) {
      auto& item = some.items[i];
      const uint64_t last = connections.empty() ? 0 : connections.back().id.value;
      if (item.id <= last || item.id >= begin_.next_connection) return OutOfTurn();
      // Here that path may lead to another file.
      if (!IsRootsAlone(item.peer.runsc)) item.peer.runsc.clear();
      connections.push_back({.fd = std::move(fds[i]),
                             .id = ConnectionId{item.id},
                             .peer = std::make_shared<const Peer>(std::move(item.peer))});
    }
    return connections.size() > begin_.connections ? OutOfTurn() : Result<void>();
  }

  const int socket_;
  const int patience_ms_;
  TakeoverBegin begin_;
  HandedListener listener_;
  TakenOver taken_;
  bool ended_ = false;
};

// Whether it is ours after `taken` was sent: the other one says so, or is gone.
Result<void> AwaitCommit(int socket, const std::string& path, int patience_ms) {
  auto committed = ExpectTakeover<TakeoverCommitted>(socket, patience_ms);
  if (committed) return {};
  // Nothing can be said after this, so either it stands in the queue by now, or it never will.
  const bool has_hung_up = HasHungUp(socket);
  ::shutdown(socket, SHUT_RDWR);
  committed = ExpectTakeover<TakeoverCommitted>(socket, 0);
  if (committed) return {};
  // Did it die, or did it give us up and go on? While it lives it can be asked.
  const auto again = ConnectTo(path);
  if (has_hung_up && again && !*again) return {};
  return Fail(Fault::kEnvironment,
              committed.error().message + "; it has kept its sandboxes: start this one again");
}

}  // namespace

Result<std::optional<TakenOver>> TakeOver(const TakeoverOptions& options) {
  const std::string path = TakeoverSocketPath(options.socket_path);
  const auto failed = [&path](const Error& error) {
    return Fail(Fault::kEnvironment, "cannot take over at " + path + ": " + error.message);
  };
  const auto socket = ConnectTo(path);
  if (!socket) return std::unexpected(socket.error());
  if (!*socket) return std::nullopt;
  const int fd = socket->get();
  if (!IsOneOfUs(fd)) {
    return failed({"who listens there is neither root nor this user", Fault::kEnvironment});
  }
  const int patience_ms = options.patience_ms;
  const TakeoverAsk ask{.state_version = options.state_version, .instance = options.instance};
  if (const auto sent = SendTakeover(fd, ask, {}, patience_ms); !sent) return failed(sent.error());
  Receiver receiver(fd, patience_ms);
  if (const auto received = receiver.Receive(); !received) return failed(received.error());
  auto listener = Listener::Inherit(std::move(receiver.listener()), options.socket_path);
  if (!listener) return failed(listener.error());
  // Nothing can fail any more that the old one would be needed for.
  const auto sent = SendTakeover(fd, TakeoverTaken{}, {}, patience_ms);
  if (sent || HasHungUp(fd)) {
    if (const auto ours = AwaitCommit(fd, path, patience_ms); !ours) return failed(ours.error());
  } else {
    return failed(sent.error());
  }
  TakenOver& taken = receiver.taken();
  taken.is_done = ExpectTakeover<TakeoverDone>(fd, patience_ms).has_value() || HasHungUp(fd);
  taken.inherited.listener = std::move(*listener);
  return std::move(taken);
}

Result<UniqueFd> FindNewerInstance(const TakeoverOptions& options) {
  const std::string path = TakeoverSocketPath(options.socket_path);
  auto socket = ConnectTo(path);
  if (!socket || !*socket || !IsOneOfUs(socket->get())) return socket;
  const TakeoverAsk ask{.instance = options.instance, .only_waits = true};
  const auto sent = SendTakeover(socket->get(), ask, {}, options.patience_ms);
  if (!sent) return std::unexpected(sent.error());
  const auto answer = ReceiveTakeover(socket->get(), options.patience_ms);
  if (!answer) return std::unexpected(answer.error());
  if (!std::holds_alternative<TakeoverNewer>(answer->message)) return UniqueFd();
  return socket;
}

}  // namespace gyrfalcon
