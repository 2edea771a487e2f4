#include "wire/socket_source.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <ctime>
#include <functional>
#include <limits>
#include <utility>

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

namespace gyrfalcon {

namespace {

constexpr uint64_t kWakeKey = std::numeric_limits<uint64_t>::max();  // no connection's id
constexpr int kEventsPerWait = 64;

SocketSourceOptions Sane(SocketSourceOptions options) {
  options.message_bytes_max =
      std::clamp<size_t>(options.message_bytes_max, 1, ReceiveBatch::kMessageBytesMax);
  options.messages_per_turn = std::max<size_t>(options.messages_per_turn, 1);
  return options;
}

bool PeerHungUp(int fd) noexcept {
  pollfd poll{.fd = fd, .events = POLLRDHUP, .revents = 0};
  return ::poll(&poll, 1, 0) > 0 && (poll.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool HasUnreadBytes(int fd) noexcept {
  int bytes = 0;
  return ::ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

// What the kernel charges a queue for a message: buffers have sizes of powers of two, with 320
// bytes of the kernel's in them, and 256 beside them (measured: 278 messages of 114 bytes fill a
// default queue, 93 of 1,000, 49 of 2,000, 26 of 4,000).
constexpr size_t QueueCharge(size_t message_bytes) {
  return std::bit_ceil(message_bytes + 320) + 256;
}

void Sleep(int64_t duration_ns) noexcept {
  const timespec duration{.tv_sec = 0, .tv_nsec = duration_ns};
  ::nanosleep(&duration, nullptr);  // a signal ends it early, which does no harm
}

}  // namespace

SocketSource::SocketSource(SocketSourceOptions options)
    : options_(Sane(options)),
      full_queue_bytes_(options_.messages_per_turn * QueueCharge(1)),
      batch_(options_.message_bytes_max) {}

SocketSource::~SocketSource() = default;

Result<std::unique_ptr<SocketSource>> SocketSource::Create(SocketSourceOptions options) {
  std::unique_ptr<SocketSource> source(new SocketSource(options));
  if (auto ok = source->SetUp(); !ok) return std::unexpected(ok.error());
  return source;
}

Result<void> SocketSource::SetUp() {
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeKey;
  if (!epoll_ || !wake_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
    return Fail(Fault::kEnvironment, "cannot wait for messages: " + ErrnoText(errno) +
                                         "; raise the limit of open files (ulimit -n)");
  }
  return {};
}

void SocketSource::Add(AcceptedConnection connection) {
  {
    const std::lock_guard lock(mutex_);
    added_.push_back(std::move(connection));
  }
  Wake();
}

bool SocketSource::CanRelease(ConnectionId id) const {
  const auto found = connections_.find(id.value);
  return between_batches() && found != connections_.end() && !found->second.ended;
}

std::optional<AcceptedConnection> SocketSource::Release(ConnectionId id) {
  if (!CanRelease(id)) return std::nullopt;
  const auto found = connections_.find(id.value);
  if (current_ == &found->second) current_ = nullptr;
  AcceptedConnection released{
      .fd = std::move(found->second.fd), .id = found->second.id, .peer = found->second.peer};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, released.fd.get(), nullptr);
  connections_.erase(found);
  return released;
}

void SocketSource::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

void SocketSource::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_asked_ = true;
  }
  Wake();
}

void SocketSource::StopReading() {
  release_asked_.store(true, std::memory_order_release);
  Wake();
}

void SocketSource::ReadOn() noexcept {
  release_asked_.store(false, std::memory_order_release);
  releasing_ = false;
}

std::vector<AcceptedConnection> SocketSource::ReleaseAll() {
  std::vector<uint64_t> ids;
  for (const auto& [id, connection] : connections_) ids.push_back(id);
  std::ranges::sort(ids);
  std::vector<AcceptedConnection> released;
  for (const uint64_t id : ids) {
    if (auto connection = Release(ConnectionId{id})) released.push_back(std::move(*connection));
  }
  return released;
}

SourceStatus SocketSource::Next(Record& record) {
  record = Record{};
  while (true) {
    if (ended_) return SourceStatus::kEnd;
    if (TakeReady(record)) return SourceStatus::kRecord;
    if (releasing_) return SourceStatus::kEnd;
    if (release_asked_.load(std::memory_order_acquire)) {
      releasing_ = true;
      TakeAdded();  // their kOpened comes first
      continue;
    }
    if (current_ != nullptr || NextTurn()) {
      ReadTurn();
      continue;
    }
    if (stopping_ && !DrainForStop()) return SourceStatus::kEnd;
    if (stopping_) continue;
    if (Wait() == SourceStatus::kIdle) return SourceStatus::kIdle;
  }
}

// Yields what was received already. A connection's kOpened goes before everything of it, because
// reading it starts only then.
bool SocketSource::TakeReady(Record& record) {
  if (next_ < received_) {
    YieldFrame(record);
    return true;
  }
  if (current_ != nullptr && current_->ended) {
    YieldClosed(record);
    return true;
  }
  if (!opened_.empty()) {
    AcceptedConnection added = std::move(opened_.front());
    opened_.pop_front();
    record.kind = RecordKind::kOpened;
    record.connection = added.id;
    record.receive_time_ns = RealTimeNs();
    record.peer = added.peer;
    Open(std::move(added));
    return true;
  }
  return false;
}

void SocketSource::YieldFrame(Record& record) {
  const size_t i = next_++;
  record.kind = RecordKind::kFrame;
  record.connection = current_->id;
  record.receive_time_ns = received_time_ns_;
  record.frame = batch_.bytes(i);
  record.truncated = batch_.truncated(i);
  record.more_received = static_cast<uint16_t>(received_ - next_);
  record.turn_cut = turn_cut_ && next_ == received_;
}

void SocketSource::YieldClosed(Record& record) {
  record.kind = RecordKind::kClosed;
  record.connection = current_->id;
  record.receive_time_ns = RealTimeNs();
  counters_.Add(WireCounter::kConnectionsClosed);
  if (options_.keeper != nullptr) options_.keeper->OnEnded(current_->id);
  connections_.erase(std::exchange(current_, nullptr)->id.value);
}

void SocketSource::Open(AcceptedConnection added) {
  const uint64_t key = added.id.value;
  const int fd = added.fd.get();
  Connection& connection = connections_[key];
  connection.fd = std::move(added.fd);
  connection.id = added.id;
  connection.peer = std::move(added.peer);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.u64 = key;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return;
  // Never to be heard of again: end it, rather than keep a sandbox that seems connected.
  counters_.Add(WireCounter::kReceiveErrors);
  connection.ended = true;
  turns_.push_back(key);
}

bool SocketSource::NextTurn() {
  while (!turns_.empty()) {
    const auto found = connections_.find(turns_.back());
    turns_.pop_back();
    if (found == connections_.end()) continue;  // closed earlier in this round
    current_ = &found->second;
    current_->queued_bytes = 0;
    current_->left_in_turn = TurnLength();
    if (current_->left_in_turn == 0) NoteCutByStop();
    return true;
  }
  return false;
}

size_t SocketSource::TurnLength() const {
  if (!stopping_) return options_.messages_per_turn;
  return SteadyNs() < stop_until_ns_ ? kStopMessagesMax : 0;
}

// The turn is over. What a sender that has gone left is read nevertheless.
void SocketSource::NoteCutByStop() {
  const int fd = current_->fd.get();
  if (!PeerHungUp(fd) && HasUnreadBytes(fd)) counters_.Add(WireCounter::kDrainCutShort);
}

void SocketSource::ReadTurn() {
  if (current_->ended) return;
  if (current_->left_in_turn == 0 && !GoesOnToItsEnd()) {
    current_ = nullptr;
    return;
  }
  const size_t asked = std::min(ReceiveBatch::kMessagesMax, current_->left_in_turn);
  const size_t got = Receive(asked);
  received_ = CountBeforeEnd(got);
  next_ = 0;
  current_->left_in_turn -= received_;
  // Fewer than asked: the queue is empty, and so ends the turn. The connection stays current until
  // its frames are yielded.
  if (got < asked) {
    current_->left_in_turn = 0;
  } else if (stopping_ && current_->left_in_turn == 0) {
    NoteCutByStop();
  }
  CountBatch();
  turn_cut_ = IsQueueFull();
  if (turn_cut_) counters_.Add(WireCounter::kTurnsCut);
}

// A sender that has gone adds nothing to its queue: what is left there is read at once, before the
// messages of the connection that may have taken its place. At a stop there is no later turn.
bool SocketSource::GoesOnToItsEnd() {
  if (!stopping_ && current_->to_its_end) return false;
  if (stopping_ && current_->failed) return false;
  if (!PeerHungUp(current_->fd.get())) return false;
  current_->to_its_end = true;
  current_->left_in_turn = kStopMessagesMax;
  return true;
}

// How many messages came, at most `count`; marks the connection as ended when it is broken.
size_t SocketSource::Receive(size_t count) {
  const ReceiveBatch::Received received = batch_.Receive(current_->fd.get(), count);
  current_->failed = received.error != 0;
  if (current_->failed) counters_.Add(WireCounter::kReceiveErrors);
  if (received.is_over) current_->ended = true;
  return received.count;
}

// Of a batch, how many are messages and not the end. The end reads as messages of length 0, which a
// peer may also send: it is the end only when the peer hung up and nothing is left in the queue.
// Empty messages that are the very last of a connection are taken for its end: they say nothing.
size_t SocketSource::CountBeforeEnd(size_t count) {
  size_t with_bytes = count;
  while (with_bytes > 0 && batch_.bytes(with_bytes - 1).empty()) --with_bytes;
  if (with_bytes == count) return count;
  // In this order: once it hung up, nothing more can arrive.
  const int fd = current_->fd.get();
  if (!PeerHungUp(fd) || HasUnreadBytes(fd)) return count;
  current_->ended = true;
  return with_bytes;
}

void SocketSource::CountBatch() {
  if (received_ == 0) return;
  received_time_ns_ = RealTimeNs();
  size_t bytes = 0;
  size_t truncated = 0;
  for (size_t i = 0; i < received_; ++i) {
    const size_t size = batch_.bytes(i).size();
    bytes += size;
    current_->queued_bytes += QueueCharge(size);
    if (batch_.truncated(i)) ++truncated;
  }
  peak_queued_bytes_ = std::max(peak_queued_bytes_, current_->queued_bytes);
  counters_.Add(WireCounter::kFrames, received_);
  counters_.Add(WireCounter::kFrameBytes, bytes);
  if (truncated > 0) counters_.Add(WireCounter::kFramesTruncated, truncated);
}

double SocketSource::TakePeakFill() noexcept {
  const size_t bytes = std::min(std::exchange(peak_queued_bytes_, 0), full_queue_bytes_);
  return static_cast<double>(bytes) / static_cast<double>(full_queue_bytes_);
}

// A turn that takes up what a full queue holds, in many messages or in a few large ones, belongs to
// a sender that is ahead of us.
bool SocketSource::IsQueueFull() const {
  if (stopping_ || received_ == 0 || current_->left_in_turn != 0) return false;
  return current_->queued_bytes >= full_queue_bytes_;
}

// Finds out whose turn it is next. kIdle when the timeout passed, or somebody woke it for nothing
// of its own.
SourceStatus SocketSource::Wait() {
  std::array<epoll_event, kEventsPerWait> events;
  const int64_t since_ns = SteadyNs();
  const bool pauses = pause_.is_due() && idle_timeout_ms_ != 0;
  if (pauses) Sleep(StreamPause::kPauseNs);
  const int64_t waits_since_ns = pauses ? SteadyNs() : since_ns;
  const int ready = ::epoll_wait(epoll_.get(), events.data(), kEventsPerWait, idle_timeout_ms_);
  const int64_t now_ns = SteadyNs();
  waited_ns_ += now_ns - since_ns;
  pause_.NoteWait(now_ns - waits_since_ns);
  if (pauses) counters_.Add(WireCounter::kStreamPauses);
  if (ready == 0) return SourceStatus::kIdle;
  // epoll itself puts those it reported last in line.
  for (int i = 0; i < ready; ++i) {
    const uint64_t key = events[static_cast<size_t>(i)].data.u64;
    if (key == kWakeKey) {
      uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
      TakeAdded();
    } else {
      turns_.push_back(key);
    }
  }
  // The oldest first, from the back: of two connections of one sandbox the newer goes on where the
  // older has ended.
  std::ranges::sort(turns_, std::greater());
  const bool nothing = turns_.empty() && opened_.empty() && !stopping_;
  return nothing ? SourceStatus::kIdle : SourceStatus::kRecord;
}

void SocketSource::TakeAdded() {
  const std::lock_guard lock(mutex_);
  for (AcceptedConnection& added : added_) opened_.push_back(std::move(added));
  added_.clear();
  if (stop_asked_ && !stopping_) {
    constexpr int64_t kNsPerMs = 1'000'000;
    stop_until_ns_ = SteadyNs() + options_.stop_patience_ms * kNsPerMs;
  }
  stopping_ = stop_asked_;
}

// One last turn for every connection. False when all have had it.
bool SocketSource::DrainForStop() {
  if (drain_listed_) {
    ended_ = true;
    return false;
  }
  drain_listed_ = true;
  for (const auto& [key, connection] : connections_) turns_.push_back(key);
  std::ranges::sort(turns_, std::greater());
  return true;
}

}  // namespace gyrfalcon
