#include "wire/handshake.h"

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "wire/test_support.h"

namespace gyrfalcon {
namespace {

using namespace std::string_literals;
using test::Connect;
using test::Receive;
using test::Send;

const std::string kHello = "\x08\x01";
constexpr std::chrono::seconds kPatience{20};

// A listener with its service, and what the service reported.
class Handshake : public testing::Test {
 protected:
  void StartService(HandshakeOptions options = {}) {
    listener_.emplace(*Listener::Open(path_));
    auto service = HandshakeService::Start(
        *listener_, std::move(options),
        [this](AcceptedConnection connection) {
          const std::lock_guard lock(mutex_);
          accepted_.push_back(std::move(connection));
          changed_.notify_all();
        },
        [this](const HandshakeRejected& rejected) {
          const std::lock_guard lock(mutex_);
          rejected_.push_back(rejected);
          changed_.notify_all();
        });
    ASSERT_TRUE(service) << service.error().message;
    service_ = std::move(*service);
  }

  bool WaitForAccepted(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return accepted_.size() >= count; });
  }
  bool WaitForRejected(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return rejected_.size() >= count; });
  }

  // Does a whole handshake; none when it was not answered.
  UniqueFd GoodClient() {
    UniqueFd client = Connect(path_);
    if (!client || !Send(client, kHello) || Receive(client) != kHello) return {};
    return client;
  }

  TestFolder dir_;
  std::string path_ = dir_ / "s";
  std::optional<Listener> listener_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<AcceptedConnection> accepted_;
  std::vector<HandshakeRejected> rejected_;
  std::unique_ptr<HandshakeService> service_;  // last: its thread ends before what it reports into
};

// UBSan opens a pipe to look at an object's type, and takes a failure for a bad object.
#ifdef __SANITIZE_ADDRESS__
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

TEST_F(Handshake, AGoodClientIsAnsweredAndHandedOverWithItsPeer) {
  StartService();
  const UniqueFd client = GoodClient();
  ASSERT_TRUE(client);
  ASSERT_TRUE(WaitForAccepted(1));
  const AcceptedConnection& connection = accepted_[0];
  EXPECT_EQ(connection.id, ConnectionId{1});
  EXPECT_EQ(connection.peer->pid, ::getpid());
  EXPECT_EQ(connection.peer->uid, ::geteuid());
  EXPECT_EQ(connection.peer->command_line + '\0', test::ReadFile("/proc/self/cmdline"));
  EXPECT_EQ(service_->counters()[WireCounter::kConnectionsAccepted], 1u);
}

TEST_F(Handshake, WhatFollowsTheHandshakeStaysInTheSocket) {
  StartService();
  const UniqueFd client = Connect(path_);
  ASSERT_TRUE(Send(client, kHello) && Send(client, "first") && Send(client, "second"));
  ASSERT_EQ(Receive(client), kHello);
  ASSERT_TRUE(WaitForAccepted(1));
  EXPECT_EQ(Receive(accepted_[0].fd), "first");
  EXPECT_EQ(Receive(accepted_[0].fd), "second");
}

TEST_F(Handshake, ALaterVersionIsAnsweredWithOurs) {
  StartService();
  const UniqueFd client = Connect(path_);
  ASSERT_TRUE(Send(client, "\x08\x02"));
  EXPECT_EQ(Receive(client), kHello);
  EXPECT_TRUE(WaitForAccepted(1));
}

struct BadHandshake {
  std::string message;
  HandshakeRejection reason;
};

TEST_F(Handshake, ABadHandshakeClosesThatClientAndNoOther) {
  StartService();
  const UniqueFd bystander = Connect(path_);
  const BadHandshake cases[] = {
      {"garbage", HandshakeRejection::kMalformed},
      {"\x08\x00"s, HandshakeRejection::kVersionZero},
      {std::string(20'000, '\x08'), HandshakeRejection::kTooLong},
  };
  size_t count = 0;
  for (const BadHandshake& c : cases) {
    const UniqueFd client = Connect(path_);
    ASSERT_TRUE(Send(client, c.message));
    EXPECT_EQ(Receive(client), "") << "closed without an answer";
    ASSERT_TRUE(WaitForRejected(++count));
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(rejected_.back().reason, c.reason) << HandshakeRejectionText(c.reason);
    EXPECT_EQ(rejected_.back().peer.pid, ::getpid());
  }
  ASSERT_TRUE(Send(bystander, kHello));
  EXPECT_EQ(Receive(bystander), kHello);
  EXPECT_EQ(service_->counters()[WireCounter::kHandshakesRejected], std::size(cases));
}

TEST_F(Handshake, AClientThatHangsUpIsReported) {
  StartService();
  Connect(path_).reset();
  ASSERT_TRUE(WaitForRejected(1));
  EXPECT_EQ(rejected_[0].reason, HandshakeRejection::kClosedEarly);
  EXPECT_TRUE(GoodClient());
  EXPECT_EQ(service_->counters()[WireCounter::kProbes], 1u);
  EXPECT_EQ(service_->counters()[WireCounter::kHandshakesRejected], 0u) << "nothing was lost";
}

TEST_F(Handshake, WhoOnlyProbesIsAnsweredAndIsNoConnection) {
  HandshakeOptions options;
  options.prober = ::getpid();
  StartService(options);
  EXPECT_TRUE(GoodClient());
  service_->Stop();
  EXPECT_EQ(service_->counters()[WireCounter::kProbes], 1u);
  EXPECT_EQ(service_->counters()[WireCounter::kConnectionsAccepted], 0u);
  EXPECT_TRUE(accepted_.empty());
}

TEST_F(Handshake, AUserWhoMayNotConnectIsClosedUnread) {
  StartService({.allowed_uids = {::geteuid() + 12'345}});
  const UniqueFd client = Connect(path_);
  EXPECT_EQ(Receive(client), "");
  ASSERT_TRUE(WaitForRejected(1));
  EXPECT_EQ(rejected_[0].reason, HandshakeRejection::kUserNotAllowed);
}

// Connects `count` times and says nothing, in a process of its own: half of the open files that a
// test may have would else be the clients'.
class SilentClients {
 public:
  SilentClients(const std::string& path, int count) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    done_.reset(ends[0]);
    UniqueFd tell(ends[1]);
    child_ = ::fork();
    if (child_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const sockaddr_un address = test::Address(path);
    char ok = 1;
    for (int i = 0; i < count; ++i) {  // nothing here that another thread could have locked
      const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
      const auto* name = reinterpret_cast<const sockaddr*>(&address);
      if (fd < 0 || ::connect(fd, name, sizeof address) != 0) ok = 0;
    }
    [[maybe_unused]] const ssize_t written = ::write(tell.get(), &ok, 1);
    for (;;) ::pause();
  }
  ~SilentClients() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  SilentClients(const SilentClients&) = delete;
  SilentClients& operator=(const SilentClients&) = delete;

  bool WaitForAll() {
    char ok = 0;
    return ::read(done_.get(), &ok, 1) == 1 && ok == 1;
  }

 private:
  UniqueFd done_;
  pid_t child_ = -1;
};

class CrowdedHandshake : public Handshake {
 protected:
  static constexpr int kSilent = 10'000;

  void SetUp() override {
    constexpr rlim_t kFiles = kSilent + 200;
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    if (before_.rlim_max < kFiles) GTEST_SKIP() << "needs a limit of " << kFiles << " open files";
    const rlimit enough{.rlim_cur = std::max(before_.rlim_cur, kFiles),
                        .rlim_max = before_.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &enough), 0);
  }
  void TearDown() override {
    if (service_) service_->Stop();
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  // How long a good client waits. bench/wire_soak measures this against 50 ms; a busy machine and a
  // sanitizer get twenty times as long.
  void ExpectToBeServedSoon(int times) {
    for (int i = 0; i < times; ++i) {
      const auto began = std::chrono::steady_clock::now();
      EXPECT_TRUE(GoodClient());
      EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(1));
    }
  }

  rlimit before_{};
};

TEST_F(CrowdedHandshake, TenThousandSilentClientsDoNotKeepAGoodOneWaiting) {
  StartService({.deadline_ms = 600'000});
  SilentClients silent(path_, kSilent);
  ExpectToBeServedSoon(10);  // while they come
  ASSERT_TRUE(silent.WaitForAll());
  ExpectToBeServedSoon(10);
  EXPECT_EQ(service_->counters()[WireCounter::kHandshakesEvicted], 0u);
  EXPECT_EQ(service_->counters()[WireCounter::kAcceptErrors], 0u);
}

TEST_F(CrowdedHandshake, NorDoesTheirEndNorALogThatBlocks) {
  {
    std::unique_lock blocked(mutex_);  // as a log whose reader does not read
    listener_.emplace(*Listener::Open(path_));
    constexpr int kDeadlineMs = 1'000;
    std::atomic<uint64_t> accepted = 0;
    std::atomic<uint64_t> told = 0;
    auto service = HandshakeService::Start(
        *listener_, {.deadline_ms = kDeadlineMs}, [&](AcceptedConnection) { ++accepted; },
        [&](const HandshakeRejected& rejected) {
          told += 1 + rejected.untold_before;
          const std::lock_guard waits(mutex_);
        });
    ASSERT_TRUE(service);
    service_ = std::move(*service);
    SilentClients silent(path_, kSilent);
    ASSERT_TRUE(silent.WaitForAll());
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (service_->counters()[WireCounter::kHandshakeTimeouts] < kSilent &&
           std::chrono::steady_clock::now() < end) {
      ExpectToBeServedSoon(1);
    }
    EXPECT_EQ(service_->counters()[WireCounter::kHandshakeTimeouts], uint64_t{kSilent});
    EXPECT_LE(told.load(), 1u) << "the first report blocks";
    blocked.unlock();
    service_->Stop();
    EXPECT_LE(told.load(), RejectionReports::kWaitingMax + 1);
  }
}

TEST(RejectionReports, AreToldWithHowManyWereNot) {
  std::atomic<size_t> reports = 0;
  std::atomic<uint64_t> untold = 0;
  RejectionReports told([&](const HandshakeRejected& rejected) {
    ++reports;
    untold += rejected.untold_before;
  });
  constexpr uint64_t kMany = 1'000;
  for (uint64_t i = 0; i < kMany; ++i) told.Put({});
  std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
  told.Put({});
  told.Stop();
  EXPECT_LE(reports, 2 * RejectionReports::kPerSecondMax + 1);
  EXPECT_EQ(reports + untold, kMany + 1);
}

TEST_F(Handshake, TheDeadlineClosesASilentClient) {
  StartService({.deadline_ms = 50});
  const UniqueFd client = Connect(path_);
  EXPECT_EQ(Receive(client), "");
  ASSERT_TRUE(WaitForRejected(1));
  EXPECT_EQ(rejected_[0].reason, HandshakeRejection::kTimeout);
  EXPECT_EQ(service_->counters()[WireCounter::kHandshakeTimeouts], 1u);
}

TEST_F(Handshake, BeyondTheMostPendingTheOldestSilentOneIsClosed) {
  StartService({.deadline_ms = 600'000, .pending_max = 2});
  const UniqueFd oldest = Connect(path_);
  const UniqueFd middle = Connect(path_);
  const UniqueFd newest = Connect(path_);
  EXPECT_EQ(Receive(oldest), "");
  ASSERT_TRUE(Send(middle, kHello) && Send(newest, kHello));
  EXPECT_EQ(Receive(middle), kHello);
  EXPECT_EQ(Receive(newest), kHello);
  EXPECT_EQ(service_->counters()[WireCounter::kHandshakesEvicted], 1u);
}

// While it lives, this process can open nothing more.
class NoMoreFds {
 public:
  NoMoreFds() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    int highest = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      highest = std::max(highest, std::atoi(entry.path().filename().c_str()));
    }
    // Leaves no gap below the limit.
    while (filler_.empty() || filler_.back().get() < highest) filler_.emplace_back(::dup(0));
    const rlimit none{.rlim_cur = static_cast<rlim_t>(filler_.back().get()) + 1,
                      .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoMoreFds() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoMoreFds(const NoMoreFds&) = delete;
  NoMoreFds& operator=(const NoMoreFds&) = delete;

 private:
  rlimit before_{};
  std::vector<UniqueFd> filler_;
};

TEST_F(Handshake, WithoutFileDescriptorsClientsAreRefusedAndLaterOnesServed) {
  if (kSanitized) GTEST_SKIP() << "the sanitizer's own checks need a file descriptor";
  StartService();
  const UniqueFd client(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  std::string answer = "not connected";
  {
    const NoMoreFds none;
    if (test::ConnectTo(client, path_)) answer = Receive(client);
  }
  EXPECT_EQ(answer, "") << "refused at once";
  EXPECT_GE(service_->counters()[WireCounter::kAcceptErrors], 1u);
  EXPECT_TRUE(GoodClient());
}

TEST_F(Handshake, WithoutFileDescriptorsASilentClientMakesWayForANewOne) {
  if (kSanitized) GTEST_SKIP() << "the sanitizer's own checks need a file descriptor";
  StartService({.deadline_ms = 600'000});
  const UniqueFd silent = Connect(path_);
  const UniqueFd good = GoodClient();  // so the silent one before it was accepted, too
  ASSERT_TRUE(good);
  const UniqueFd client(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  std::string answer = "not connected";
  {
    const NoMoreFds none;
    if (test::ConnectTo(client, path_) && Send(client, kHello)) answer = Receive(client);
  }
  EXPECT_EQ(answer, kHello);
  EXPECT_EQ(Receive(silent), "");
  EXPECT_EQ(service_->counters()[WireCounter::kHandshakesEvicted], 1u);
}

TEST_F(Handshake, StopClosesSilentClientsAndReturns) {
  StartService({.deadline_ms = 600'000});
  const UniqueFd silent = Connect(path_);
  ASSERT_TRUE(GoodClient());  // so the silent one before it was accepted, too
  service_->Stop();
  EXPECT_EQ(Receive(silent), "");
  EXPECT_EQ(accepted_.size(), 1u);
}

TEST_F(Handshake, ASilentClientIsHeardByTheServiceThatFollows) {
  StartService({.deadline_ms = 600'000});
  const UniqueFd silent = Connect(path_);
  ASSERT_TRUE(GoodClient());  // so the silent one before it was accepted, too
  std::vector<UniqueFd> released = service_->Release();
  ASSERT_EQ(released.size(), 1u);
  EXPECT_EQ(service_->next_connection(), ConnectionId{2});
  auto next = HandshakeService::Start(
      *listener_, {.first_connection = service_->next_connection()},
      [this](AcceptedConnection connection) {
        const std::lock_guard lock(mutex_);
        accepted_.push_back(std::move(connection));
        changed_.notify_all();
      },
      nullptr, std::move(released));
  ASSERT_TRUE(next);
  ASSERT_TRUE(Send(silent, kHello));
  EXPECT_EQ(Receive(silent), kHello);
  ASSERT_TRUE(WaitForAccepted(2));
  EXPECT_EQ(accepted_[1].id, ConnectionId{2});
  (*next)->Stop();
}

TEST_F(Handshake, AKeeperHearsOfAConnectionBeforeItsClientIsAnswered) {
  struct Keeper final : ConnectionKeeper {
    void OnAdmitted(int fd, ConnectionId id, const Peer& peer) override {
      unread = ::recv(fd, nullptr, 0, MSG_DONTWAIT | MSG_PEEK);
      calls += "admitted " + std::to_string(id.value) + (peer.pid == ::getpid() ? " ours, " : ", ");
    }
    void OnAnswered(ConnectionId) override { calls += "answered, "; }
    void OnEnded(ConnectionId) override { calls += "ended, "; }
    ssize_t unread = 0;
    std::string calls;
  } keeper;
  StartService({.keeper = &keeper});
  ASSERT_TRUE(GoodClient());
  ASSERT_TRUE(WaitForAccepted(1));
  service_->Stop();
  EXPECT_EQ(keeper.calls, "admitted 1 ours, answered, ");
}

}  // namespace
}  // namespace gyrfalcon
