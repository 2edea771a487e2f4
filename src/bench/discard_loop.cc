#include "bench/discard_loop.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <unordered_map>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "wire/receive_batch.h"

namespace gyrfalcon {
namespace {

constexpr int kEventsPerWait = 64;

}  // namespace

struct DiscardLoop::Worker {
  explicit Worker(const SocketSourceOptions& options)
      : messages_per_turn(options.messages_per_turn), batch(options.message_bytes_max) {}

  Result<void> SetUp() {
    epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
    end.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!epoll || !end || !Listen(end.get())) {
      return Fail(Fault::kEnvironment, "cannot wait for messages: " + ErrnoText(errno) +
                                           "; raise the limit of open files (ulimit -n)");
    }
    return {};
  }

  bool Listen(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  }

  void Add(UniqueFd connection) {
    const std::scoped_lock lock(mutex);
    if (Listen(connection.get())) connections.push_back(std::move(connection));
  }

  void Run() {
    std::array<epoll_event, kEventsPerWait> events;
    for (;;) {
      const int ready = ::epoll_wait(epoll.get(), events.data(), kEventsPerWait, -1);
      for (int i = 0; i < ready; ++i) {
        const int fd = events[static_cast<size_t>(i)].data.fd;
        if (fd == end.get()) return;
        TakeTurn(fd);
      }
    }
  }

  void TakeTurn(int fd) {
    for (size_t left = messages_per_turn; left > 0;) {
      const size_t asked = std::min(ReceiveBatch::kMessagesMax, left);
      const ReceiveBatch::Received received = batch.Receive(fd, asked);
      // A connection's end reads as empty messages, for ever.
      if (received.is_over || (received.count > 0 && batch.bytes(0).empty())) {
        ::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
        return;
      }
      if (received.count > 0) {
        messages.fetch_add(received.count, std::memory_order_relaxed);
        receives.fetch_add(1, std::memory_order_relaxed);
      }
      if (received.count < asked) return;
      left -= received.count;
    }
  }

  void End() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(end.get(), &one, sizeof one);
    if (thread.joinable()) thread.join();
  }

  const size_t messages_per_turn;
  ReceiveBatch batch;
  UniqueFd epoll;
  UniqueFd end;
  std::atomic<uint64_t> messages = 0;
  std::atomic<uint64_t> receives = 0;
  std::mutex mutex;
  std::vector<UniqueFd> connections;  // under mutex; only to be closed at the end
  std::thread thread;
};

DiscardLoop::DiscardLoop(Listener listener) : listener_(std::move(listener)) {}

Result<std::unique_ptr<DiscardLoop>> DiscardLoop::Start(std::string socket_path, size_t workers,
                                                        const SocketSourceOptions& options) {
  auto listener = Listener::Open(std::move(socket_path));
  if (!listener) return std::unexpected(listener.error());
  std::unique_ptr<DiscardLoop> loop(new DiscardLoop(std::move(*listener)));
  for (size_t i = 0; i < std::max<size_t>(1, workers); ++i) {
    auto worker = std::make_unique<Worker>(options);
    if (const auto ok = worker->SetUp(); !ok) return std::unexpected(ok.error());
    loop->workers_.push_back(std::move(worker));
  }
  for (const auto& worker : loop->workers_) {
    worker->thread = std::thread([&target = *worker] { target.Run(); });
  }
  auto handshakes = HandshakeService::Start(
      loop->listener_, {},
      [&self = *loop](AcceptedConnection connection) {
        const size_t worker = connection.id.value % self.workers_.size();
        self.workers_[worker]->Add(std::move(connection.fd));
      },
      [](const HandshakeRejected&) {});
  if (!handshakes) return std::unexpected(handshakes.error());
  loop->handshakes_ = std::move(*handshakes);
  return loop;
}

DiscardLoop::~DiscardLoop() {
  if (handshakes_) handshakes_->Stop();
  for (const auto& worker : workers_) worker->End();
}

uint64_t DiscardLoop::messages() const noexcept {
  uint64_t sum = 0;
  for (const auto& worker : workers_) sum += worker->messages;
  return sum;
}

uint64_t DiscardLoop::receives() const noexcept {
  uint64_t sum = 0;
  for (const auto& worker : workers_) sum += worker->receives;
  return sum;
}

}  // namespace gyrfalcon
