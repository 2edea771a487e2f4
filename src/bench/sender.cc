#include "bench/sender.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <memory>
#include <thread>

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd_limit.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "bench/sender_messages.h"
#include "bench/traffic.h"
#include "wire/handshake_message.h"

namespace gyrfalcon {
namespace {

// A thread a connection, like a Sentry each; beyond that they take turns.
constexpr size_t kThreadsMax = 64;
constexpr size_t kMessagesPerTurn = 64;

int64_t ProcessCpuNs() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

Result<UniqueFd> ConnectTo(const std::string& path) {
  const auto fail = [&path](std::string_view what) {
    return Fail(Fault::kEnvironment, "cannot connect to " + path + ": " + std::string(what));
  };
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const auto address = UnixAddress(path);
  if (!address) return std::unexpected(address.error());
  if (!fd) return fail(ErrnoText(errno) + "; raise the limit of open files (ulimit -n)");
  if (::connect(fd.get(), Generic(*address), sizeof *address) != 0) {
    return fail(ErrnoText(errno));
  }
  const auto hello = EncodeHandshake();
  std::array<std::byte, kHandshakeBytesMax> answer;
  if (::send(fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL) < 0 ||
      ::recv(fd.get(), answer.data(), answer.size(), 0) <= 0) {
    return fail("the handshake was not answered");
  }
  return fd;
}

// One sandbox: where it stands in the captures, and what its containers are called.
struct Connection {
  UniqueFd fd;
  std::vector<std::string> ids;
  size_t next = 0;
  size_t in_loop = 0;  // messages since the loop began
  uint64_t sent = 0;
  std::atomic<uint64_t> loops = 0;
};

// Holds one thread to a rate, a few messages at a time.
class Pace {
 public:
  explicit Pace(double messages_per_s) : messages_per_s_(messages_per_s) {}

  // After each message.
  void Wait() {
    constexpr uint64_t kAtOnce = 32;
    if (messages_per_s_ <= 0 || ++sent_ % kAtOnce != 0) return;
    const std::chrono::duration<double> due(static_cast<double>(sent_) / messages_per_s_);
    std::this_thread::sleep_until(begin_ + std::chrono::duration_cast<Clock::duration>(due));
  }

 private:
  using Clock = std::chrono::steady_clock;

  const double messages_per_s_;
  const Clock::time_point begin_ = Clock::now();
  uint64_t sent_ = 0;
};

class Sender {
 public:
  Sender(int control, const SenderOptions& options, Traffic traffic)
      : control_(control), options_(options), traffic_(std::move(traffic)) {}

  void Run() {
    while (const auto order = TakeOrder(control_)) {
      const SenderAnswer answer =
          order->kind == SenderOrderKind::kConnect ? Connect() : Send(*order);
      if (!PutAnswer(control_, answer)) return;
    }
  }

 private:
  using Set = std::vector<std::unique_ptr<Connection>>;

  SenderAnswer Connect() {
    for (size_t set = 0; set < sets_.size(); ++set) {
      if (options_.sockets[set].empty()) continue;
      for (size_t i = 0; i < options_.connections; ++i) {
        auto fd = ConnectTo(options_.sockets[set]);
        if (!fd) return {true, fd.error().fault, {}, fd.error().message};
        auto connection = std::make_unique<Connection>();
        connection->fd = std::move(*fd);
        connection->ids = traffic_.IdsFor(i);
        connection->next = traffic_.beginnings()[i % traffic_.beginnings().size()];
        sets_[set].push_back(std::move(connection));
      }
    }
    return {};
  }

  SenderAnswer Send(const SenderOrder& order) {
    const auto& set = sets_[order.set % sets_.size()];
    stop_ = false;
    failed_errno_ = 0;
    const size_t threads = std::min(kThreadsMax, set.size());
    const uint64_t sent_before = SentBy(set);
    std::vector<std::thread> running;
    running.reserve(threads);
    const int64_t cpu_before = ProcessCpuNs();
    const int64_t begin = SteadyNs();
    for (size_t i = 0; i < threads; ++i) {
      running.emplace_back([&, i] {
        Pace pace(order.bounds.messages_per_s / static_cast<double>(threads));
        SendShare(set, i, threads, pace);
      });
    }
    WaitForEnd(set, order.bounds, begin);
    stop_ = true;
    for (std::thread& thread : running) thread.join();
    WaitUntilReceived(set);
    SenderAnswer answer;
    answer.sent.elapsed_ns = SteadyNs() - begin;
    answer.sent.cpu_ns = ProcessCpuNs() - cpu_before;
    answer.sent.messages = SentBy(set) - sent_before;
    answer.sent.loops = LoopsOf(set);
    if (failed_errno_ != 0) {
      answer.failed = true;
      answer.text = "cannot send: " + ErrnoText(failed_errno_);
    }
    return answer;
  }

  static uint64_t LoopsOf(const Set& set) {
    uint64_t loops = UINT64_MAX;
    for (const auto& connection : set) loops = std::min(loops, connection->loops.load());
    return loops;
  }

  // While nobody sends.
  static uint64_t SentBy(const Set& set) {
    uint64_t sent = 0;
    for (const auto& connection : set) sent += connection->sent;
    return sent;
  }

  void WaitForEnd(const Set& set, const SendBounds& bounds, int64_t begin) const {
    constexpr std::chrono::nanoseconds kLookAgain = std::chrono::milliseconds(5);
    for (;;) {
      const std::chrono::nanoseconds passed(SteadyNs() - begin);
      const bool enough = passed >= bounds.at_least && LoopsOf(set) >= bounds.loops;
      if (enough || passed >= bounds.at_most || failed_errno_ != 0) return;
      const auto end = passed < bounds.at_least ? bounds.at_least : bounds.at_most;
      std::this_thread::sleep_for(std::min(kLookAgain, end - passed));
    }
  }

  // What the kernel has not given to the other side still counts as ours.
  static void WaitUntilReceived(const Set& set) {
    for (const auto& connection : set) {
      int bytes = 0;
      while (::ioctl(connection->fd.get(), SIOCOUTQ, &bytes) == 0 && bytes > 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
    }
  }

  // Every `step`th connection from `first` on, a turn each; one message at least, however late this
  // thread is scheduled.
  void SendShare(const Set& set, size_t first, size_t step, Pace& pace) {
    std::vector<std::byte> buffer(traffic_.message_bytes_max());
    const size_t turn = set.size() > step ? kMessagesPerTurn : SIZE_MAX;
    size_t i = first;
    do {
      for (size_t n = 0; n == 0 || (n < turn && !stop_); ++n) {
        if (!SendNext(*set[i], buffer)) return;
        pace.Wait();
      }
      i = i + step < set.size() ? i + step : first;
    } while (!stop_);
  }

  bool SendNext(Connection& connection, std::span<std::byte> buffer) {
    const auto message = traffic_.Render(connection.next, connection.ids, RealTimeNs(), buffer);
    if (WriteMessage(connection.fd.get(), message)) {
      ++connection.sent;
    } else if (errno != EMSGSIZE) {  // which no Sentry could have sent either: left out
      failed_errno_ = errno;
      return false;
    }
    if (++connection.next == traffic_.message_count()) connection.next = 0;
    if (++connection.in_loop == traffic_.message_count()) {
      connection.in_loop = 0;
      ++connection.loops;
    }
    return true;
  }

  // False: errno says why.
  static bool WriteMessage(int fd, const Traffic::Rendered& message) {
    // iovec has no const; writev does not write there.
    std::array<iovec, 2> parts = {{
        {const_cast<std::byte*>(message.header.data()), message.header.size()},
        {const_cast<std::byte*>(message.payload.data()), message.payload.size()},
    }};
    ssize_t written = 0;
    do {
      written = ::writev(fd, parts.data(), parts.size());
    } while (written < 0 && errno == EINTR);
    return written >= 0;
  }

  const int control_;
  const SenderOptions& options_;
  const Traffic traffic_;
  std::array<Set, 2> sets_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> failed_errno_ = 0;
};

void RunChild(const SenderOptions& options, int control) {
  std::signal(SIGPIPE, SIG_IGN);
  RaiseFdLimit();
  auto traffic = Traffic::Load(options.captures, options.connections);
  if (!traffic) {
    PutAnswer(control, {true, traffic.error().fault, {}, traffic.error().message});
    return;
  }
  SenderAnswer loaded;
  loaded.text = Join(traffic->warnings(), "\n");
  if (PutAnswer(control, loaded)) Sender(control, options, std::move(*traffic)).Run();
}

}  // namespace

Result<SenderProcess> SenderProcess::Start(const SenderOptions& options) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return Fail(Fault::kEnvironment, "cannot talk to a sending process: " + ErrnoText(errno));
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    return Fail(Fault::kEnvironment, "cannot start a sending process: " + ErrnoText(errno));
  }
  if (child == 0) {
    ours.reset();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == parent) RunChild(options, theirs.get());
    ::_exit(0);
  }
  return SenderProcess(child, std::move(ours));
}

SenderProcess::SenderProcess(SenderProcess&& other) noexcept
    : child_(std::exchange(other.child_, -1)), control_(std::move(other.control_)) {}

SenderProcess::~SenderProcess() {
  if (child_ <= 0) return;
  control_.reset();
  ::kill(child_, SIGKILL);
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<std::vector<std::string>> SenderProcess::Loaded() {
  const auto answer = TakeAnswer(control_.get());
  if (!answer) return std::unexpected(answer.error());
  std::vector<std::string> warnings;
  if (answer->text.empty()) return warnings;
  for (const std::string_view line : Split(answer->text, '\n')) warnings.emplace_back(line);
  return warnings;
}

Result<void> SenderProcess::Connect() {
  if (const auto put = PutOrder(control_.get(), {SenderOrderKind::kConnect, 0, {}}); !put) {
    return put;
  }
  const auto answer = TakeAnswer(control_.get());
  if (!answer) return std::unexpected(answer.error());
  return {};
}

Result<Sent> SenderProcess::Send(size_t set, SendBounds bounds) {
  const SenderOrder order{SenderOrderKind::kSend, static_cast<uint8_t>(set), bounds};
  if (const auto put = PutOrder(control_.get(), order); !put) return std::unexpected(put.error());
  const auto answer = TakeAnswer(control_.get());
  if (!answer) return std::unexpected(answer.error());
  return answer->sent;
}

}  // namespace gyrfalcon
