#include "service/fd_store.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>

#include "base/signals.h"
#include "wire/handshake_message.h"
#include "wire/peer.h"

namespace gyrfalcon {
namespace {

constexpr std::string_view kMapName = "+connections";
constexpr std::string_view kStateName = "+";
constexpr std::string_view kLetters =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr size_t kOtherFds = 8;  // in the store beside connections
// A client waits so long at most for systemd to take its connection, before it is answered.
constexpr std::chrono::milliseconds kPatience{10};

bool IsConnection(int fd) {
  int domain = 0;
  int type = 0;
  socklen_t length = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX &&
         ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET &&
         PeerCredentials(fd).has_value();
}

bool MakeNonBlocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

// Of whom nothing was kept.
Peer AskForPeer(int fd) {
  Peer peer = PeerCredentials(fd).value_or(Peer{});
  peer.command_line = ReadCommandLine(peer.pid);
  peer.runsc = TrustedRunsc(peer.pid);
  return peer;
}

std::string RemoveText(std::string_view name) {
  return "FDSTOREREMOVE=1\nFDNAME=" + std::string(name);
}

Error FullError(size_t capacity) {
  return {"systemd's store of descriptors is full: connections beyond " + std::to_string(capacity) +
              " do not outlive a restart; raise FileDescriptorStoreMax= and FDSTORE= of the unit",
          Fault::kEnvironment};
}

std::string StoreText(std::string_view name) {
  return "FDSTORE=1\nFDPOLL=0\nFDNAME=" + std::string(name);
}

// What the process before has left beside connections. `Made`: what is there now, and whether that
// is new; `was_there`: something of the name, whatever it is.
template <class Made>
struct Beside {
  std::optional<Made> made;
  bool was_there = false;
  bool is_new = false;

  void TakeUp(Result<Made> opened, const FdStore::OnProblem& on_problem) {
    was_there = true;
    if (!opened) return on_problem(opened.error());
    made = std::move(*opened);
  }
  Result<void> Complete(Result<Made> (*make)()) {
    is_new = !made;
    if (!is_new) return {};
    auto another = make();
    if (!another) return std::unexpected(another.error());
    made = std::move(*another);
    return {};
  }
};

}  // namespace

std::string StoredName(uint32_t place) {
  std::string name;
  // Every string of letters stands for one number: "0", …, "z", "00", "01", …
  for (uint64_t rest = uint64_t{place} + 1; rest > 0; rest /= kLetters.size()) {
    --rest;
    name.insert(name.begin(), kLetters[rest % kLetters.size()]);
  }
  return name;
}

std::optional<uint32_t> PlaceOfName(std::string_view name) {
  constexpr size_t kNameMax = 4;
  if (name.empty() || name.size() > kNameMax) return std::nullopt;
  uint64_t number = 0;
  for (const char letter : name) {
    const size_t value = kLetters.find(letter);
    if (value == std::string_view::npos) return std::nullopt;
    number = number * kLetters.size() + value + 1;
  }
  return static_cast<uint32_t>(number - 1);
}

size_t FdStore::Capacity() {
  const char* text = std::getenv("FDSTORE");
  if (!IsNotified() || text == nullptr) return 0;
  size_t number = 0;
  const std::string_view digits(text);
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), number);
  if (error != std::errc() || end != digits.end() || number <= kOtherFds) return 0;
  return std::min(number - kOtherFds, kFdStoreMax);
}

FdStore::FdStore(size_t capacity, ConnectionMap map, std::unique_ptr<SnapshotFile> state,
                 bool has_state, OnProblem on_problem)
    : capacity_(capacity),
      on_problem_(std::move(on_problem)),
      map_(std::move(map)),
      state_(std::move(state)),
      has_state_(has_state) {}

Result<std::unique_ptr<FdStore>> FdStore::Start(size_t capacity, std::vector<ReceivedFd>& received,
                                                OnProblem on_problem) {
  std::vector<Stored> stored;
  Beside<ConnectionMap> map;
  Beside<std::unique_ptr<SnapshotFile>> state;
  for (ReceivedFd& one : received) {
    if (one.name == kMapName) {
      map.TakeUp(ConnectionMap::Open(std::move(one.fd)), on_problem);
    } else if (one.name == kStateName) {
      state.TakeUp(SnapshotFile::Open(std::move(one.fd), {}), on_problem);
    } else if (const auto place = PlaceOfName(one.name); place && IsConnection(one.fd.get())) {
      stored.push_back({std::move(one.fd), *place});
    }
  }
  std::erase_if(received, [](const ReceivedFd& one) { return !one.fd; });
  if (auto made = map.Complete(&ConnectionMap::Create); !made) {
    return std::unexpected(made.error());
  }
  if (auto made = state.Complete([] { return SnapshotFile::Create({}); }); !made) {
    return std::unexpected(made.error());
  }
  std::unique_ptr<FdStore> store(new FdStore(capacity, std::move(*map.made), std::move(*state.made),
                                             !state.is_new, std::move(on_problem)));
  if (map.is_new) store->StoreBeside(kMapName, store->map_.fd(), map.was_there);
  if (state.is_new) store->StoreBeside(kStateName, store->state_->fd(), state.was_there);
  store->TakeUp(std::move(stored));
  const SignalsBlocked blocked;
  store->thread_ = std::thread([raw = store.get()] { raw->Run(); });
  return store;
}

FdStore::~FdStore() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// Before there are other threads.
void FdStore::TakeUp(std::vector<Stored> stored) {
  std::ranges::stable_sort(stored, {}, &Stored::place);
  // Nobody gets the number of one whose state is there.
  next_connection_.value = state_->last_connection() + 1;
  for (const Stored& one : stored) {
    places_used_ = std::max(places_used_, one.place + 1);
    const auto entry = map_.Get(one.place);
    if (entry) next_connection_.value = std::max(next_connection_.value, entry->id.value + 1);
  }
  for (uint32_t place = 0; place < places_used_; ++place) free_places_.insert(place);
  for (const Stored& one : stored) free_places_.erase(one.place);
  for (size_t i = 0; i < stored.size(); ++i) {
    const bool same_as_before = i > 0 && stored[i - 1].place == stored[i].place;
    const bool same_as_next = i + 1 < stored.size() && stored[i + 1].place == stored[i].place;
    // A name that two have is given up, and each gets one of its own.
    if (same_as_next && !same_as_before) Say(RemoveText(StoredName(stored[i].place)));
    TakeUpOne({std::move(stored[i].fd), stored[i].place}, !same_as_before && !same_as_next);
  }
  std::ranges::sort(connections_, {}, &AcceptedConnection::id);
}

void FdStore::TakeUpOne(Stored stored, bool is_alone) {
  const int fd = stored.fd.get();
  MakeNonBlocking(fd);
  auto entry = map_.Get(stored.place);
  const bool is_known = entry && entry->cookie == SocketCookie(fd);
  ConnectionId id = is_known ? entry->id : ConnectionId{next_connection_.value++};
  if (is_known && place_of_.contains(id.value)) id = ConnectionId{next_connection_.value++};
  Peer peer = is_known ? std::move(entry->peer) : AskForPeer(fd);
  if (!IsRootsAlone(peer.runsc)) peer.runsc.clear();
  // Once too often does no harm: nobody reads it any more.
  if (!is_known || !entry->answered) {
    const auto answer = EncodeHandshake();
    [[maybe_unused]] const auto sent =
        ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  if (is_alone) {
    place_of_[id.value] = stored.place;
    map_.Put(stored.place, {.cookie = SocketCookie(fd), .id = id, .peer = peer, .answered = true});
  } else {
    const std::scoped_lock lock(mutex_);
    Keep(fd, id, peer, true);
  }
  connections_.push_back({.fd = std::move(stored.fd),
                          .id = id,
                          .peer = std::make_shared<const Peer>(std::move(peer))});
}

uint64_t FdStore::refused() const {
  const std::scoped_lock lock(mutex_);
  return refused_ + failed_;
}

std::optional<uint32_t> FdStore::FreePlace() {
  if (place_of_.size() >= capacity_) return std::nullopt;
  if (free_places_.empty()) return places_used_++;
  return free_places_.extract(free_places_.begin()).value();
}

void FdStore::Keep(int fd, ConnectionId id, const Peer& peer, bool answered) {
  const auto place = FreePlace();
  UniqueFd copy(place ? ::fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1);
  if (!copy) {
    if (place) free_places_.insert(*place);
    ++refused_;
    wake_.notify_one();
    return;
  }
  place_of_[id.value] = *place;
  map_.Put(*place, {.cookie = SocketCookie(fd), .id = id, .peer = peer, .answered = answered});
  messages_.push_back({StoreText(StoredName(*place)), std::move(copy), true});
  ++messages_put_;
  wake_.notify_one();
}

void FdStore::OnAdmitted(int fd, ConnectionId id, const Peer& peer) {
  std::unique_lock lock(mutex_);
  const bool is_idle = messages_said_ == messages_put_;
  Keep(fd, id, peer, false);
  if (!is_idle) return;  // where systemd is busy nobody waits for it
  said_.wait_for(lock, kPatience, [this, put = messages_put_] { return messages_said_ >= put; });
}

void FdStore::OnAnswered(ConnectionId id) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = place_of_.find(id.value); found != place_of_.end()) {
    map_.MarkAnswered(found->second);
  }
}

void FdStore::OnEnded(ConnectionId id) {
  const std::scoped_lock lock(mutex_);
  const auto found = place_of_.find(id.value);
  if (found == place_of_.end()) return;
  const uint32_t place = found->second;
  place_of_.erase(found);
  map_.Clear(place);
  free_places_.insert(place);
  messages_.push_back({RemoveText(StoredName(place)), {}, false});
  ++messages_put_;
  wake_.notify_one();
}

void FdStore::StoreBeside(std::string_view name, int fd, bool replaces) {
  if (replaces) Say(RemoveText(name));
  Say(StoreText(name), UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)));
}

void FdStore::Say(std::string text, UniqueFd fd) {
  const std::scoped_lock lock(mutex_);
  messages_.push_back({std::move(text), std::move(fd), false});
  ++messages_put_;
  wake_.notify_one();
}

// One after the other: a name must be free in the store before it is given to the next.
void FdStore::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !messages_.empty() || full_is_news(); });
    if (full_is_news()) {
      full_told_ = true;
      lock.unlock();
      on_problem_(FullError(capacity_));
      lock.lock();
      continue;
    }
    if (messages_.empty()) return;
    const Message message = std::move(messages_.front());
    messages_.pop_front();
    lock.unlock();
    const int fd = message.fd.get();
    const auto told = NotifyWithFds(message.text, std::span(&fd, message.fd ? 1 : 0));
    if (!told && !failing_) on_problem_(told.error());
    lock.lock();
    failing_ = !told;
    if (failing_ && message.is_connection) ++failed_;
    ++messages_said_;
    said_.notify_all();
    if (failing_ && stopping_) return;  // each would take its time
  }
}

}  // namespace gyrfalcon
