// The watch with a runsc that is a real program: a script that prints what the test puts into
// files.
#include "engine/watch_thread.h"

#include <chrono>
#include <csignal>
#include <fstream>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/test_folder.h"

namespace gyrfalcon {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kListed = R"([{"id":"s","pid":0,"status":"running"}])";
constexpr const char* kMadeOnly = R"([{"id":"s","pid":0,"status":"created"}])";  // not started yet

class WatchThreadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_.Write("list", kListed);
    folder_.Write("sessions", "SESSIONS (0)\n");
    Script("echo \"$*\" >>calls; case $2 in list) cat list ;; trace) cat sessions ;; esac");
  }
  void Script(const std::string& commands) { folder_.WriteScript("runsc", commands); }
  void Start(int grace_ms = 50, int patience_ms = 60'000) {
    WatchOptions options;
    options.reconcile_interval_ms = 20;
    options.runsc = folder_ / "runsc";
    options.roots = {folder_.path()};
    options.interval_ms = 10;
    options.grace_ms = grace_ms;
    options.patience_ms = patience_ms;
    watch_.emplace(
        options,
        [this](Alert alert) {
          const std::scoped_lock lock(mutex_);
          rules_.push_back(std::move(alert.rule));
          changed_.notify_all();
        },
        [this](const Error&) {
          const std::scoped_lock lock(mutex_);
          ++problems_;
        },
        [this](std::vector<UntracedSandbox> untraced) {
          const std::scoped_lock lock(mutex_);
          ++rounds_;
          untraced_ = std::move(untraced);
          changed_.notify_all();
        });
  }
  // What the next round but one tells: one that begins after this call.
  std::vector<UntracedSandbox> Untraced() {
    std::unique_lock lock(mutex_);
    const int wanted = rounds_ + 2;
    EXPECT_TRUE(changed_.wait_for(lock, seconds(30), [&] { return rounds_ >= wanted; }));
    return untraced_;
  }
  // Its first connection, made by `runsc create`.
  void Connect(bool from_start = true) {
    watch_->OnOpened(1, {.state_root = folder_.path(), .sandbox_id = "s", .bundle = {}},
                     from_start);
  }
  // A sandbox that is listed as running once its connection has spoken and ended.
  void RunOnAfterTheConnection() {
    folder_.Write("list", kMadeOnly);
    Start(0);
    Connect();
    watch_->OnSpoke(1);
    watch_->OnEnded(1);
    folder_.Write("list", kListed);
  }
  bool Raised(const std::string& rule) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(30),
                             [&] { return !rules_.empty() && rules_.back() == rule; });
  }
  size_t raised() {
    const std::scoped_lock lock(mutex_);
    return rules_.size();
  }
  // How many calls of the script had this in their arguments.
  int Calls(const std::string& what) {
    std::ifstream file(folder_ / "calls");
    int count = 0;
    for (std::string line; std::getline(file, line);) count += line.contains(what) ? 1 : 0;
    return count;
  }
  // Until the script has been called so often from now on.
  void WaitForCalls(int calls) {
    const auto count = [this] {
      std::ifstream file(folder_ / "calls");
      return std::count(std::istreambuf_iterator<char>(file), {}, '\n');
    };
    const auto wanted = count() + calls;
    const auto end = Clock::now() + seconds(30);
    while (count() < wanted && Clock::now() < end) std::this_thread::sleep_for(milliseconds(5));
    EXPECT_GE(count(), wanted);
  }

  const TestFolder folder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> rules_;
  int problems_ = 0;
  int rounds_ = 0;
  std::vector<UntracedSandbox> untraced_;
  std::optional<WatchThread> watch_;
};

TEST_F(WatchThreadTest, ASandboxWithoutAConnectionIsTold) {
  Start();
  EXPECT_TRUE(Raised("gyrfalcon: sandbox not traced"));
}

TEST_F(WatchThreadTest, ARefusedSessionIsToldAndAnIdleSandboxIsNot) {
  folder_.Write("sessions", "SESSIONS (1)\n\"Default\"\n\tSink: \"remote\", dropped: 0\n");
  Start(500);
  Connect();
  std::this_thread::sleep_for(milliseconds(600));
  WaitForCalls(20);
  EXPECT_EQ(raised(), 0u);
  watch_->OnEnded(1);
  EXPECT_TRUE(Raised("gyrfalcon: session taken over")) << "a session is there, and nobody's sight";
  watch_.reset();
  rules_.clear();
  folder_.Write("sessions", "SESSIONS (0)\n");
  Start(500);
  Connect();
  EXPECT_TRUE(Raised("gyrfalcon: sandbox went silent"));
}

TEST_F(WatchThreadTest, ASandboxThatHasEndedMeanwhileIsNotTold) {
  // Each second list, which is the one after a closer look, is empty.
  Script(
      "echo \"$*\" >>calls; case $2 in trace) cat sessions; touch looked ;; "
      "list) if [ -e looked ]; then rm looked; echo null; else cat list; fi ;; esac");
  RunOnAfterTheConnection();
  WaitForCalls(30);
  EXPECT_EQ(raised(), 0u);
}

TEST_F(WatchThreadTest, OneWhoseRunscHangsKeepsNoOtherBack) {
  constexpr int kSandboxes = 20;
  const auto list = [](std::string_view status) {
    std::string text;
    for (int i = 0; i < kSandboxes; ++i) {
      text +=
          fmt::format(R"({}{{"id":"s{}","pid":0,"status":"{}"}})", i == 0 ? "[" : ",", i, status);
    }
    return text + "]";
  };
  Script("echo \"$*\" >>calls; case $2 in list) cat list ;; trace) exec sleep 60 ;; esac");
  folder_.Write("list", list("created"));
  constexpr int kPatienceMs = 200;
  Start(0, kPatienceMs);
  for (int i = 0; i < kSandboxes; ++i) {
    const uint64_t connection = static_cast<uint64_t>(i) + 1;
    watch_->OnOpened(
        connection,
        {.state_root = folder_.path(), .sandbox_id = "s" + std::to_string(i), .bundle = {}}, true);
    watch_->OnSpoke(connection);
    watch_->OnEnded(connection);
  }
  folder_.Write("list", list("running"));
  EXPECT_TRUE(Raised("gyrfalcon: connection ended while sandbox runs"));
  EXPECT_LT(Calls(" trace "), kSandboxes / 2) << "told only after all had been looked at";
  // Twenty do not fit into a round; all are told in the end.
  const auto end = Clock::now() + seconds(60);
  while (raised() < kSandboxes && Clock::now() < end) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(raised(), static_cast<size_t>(kSandboxes));
}

TEST_F(WatchThreadTest, OneThatWasNeverConnectedIsToldWithoutAskingForItsSession) {
  Start();
  EXPECT_TRUE(Raised("gyrfalcon: sandbox not traced"));
  EXPECT_EQ(Calls(" trace "), 0);
}

TEST_F(WatchThreadTest, WhereItCannotBeListedAgainItIsToldAfterSomeRounds) {
  // Each list after a look fails.
  Script(
      "echo \"$*\" >>calls; case $2 in trace) cat sessions; touch looked ;; "
      "list) if [ -e looked ]; then rm looked; exit 1; else cat list; fi ;; esac");
  RunOnAfterTheConnection();
  EXPECT_TRUE(Raised("gyrfalcon: connection ended while sandbox runs"));
  const std::scoped_lock lock(mutex_);
  EXPECT_EQ(problems_, 1) << "told once";
}

TEST_F(WatchThreadTest, UntracedSandboxesAreHandedOnOnceThatIsStartedUntilTheyConnect) {
  constexpr int kLongGraceMs = 60'000;
  Start(kLongGraceMs);
  WaitForCalls(5);
  EXPECT_EQ(rounds_, 0) << "nobody has said that they can be attached";
  watch_->StartReconciling();
  auto untraced = Untraced();
  ASSERT_EQ(untraced.size(), 1u);
  EXPECT_EQ(untraced[0].sandbox_id, "s");
  EXPECT_EQ(untraced[0].root, folder_.path());
  Connect(false);
  EXPECT_TRUE(Untraced().empty());
  EXPECT_EQ(raised(), 0u);
}

TEST_F(WatchThreadTest, OneThatHangsDoesNotHideTheOthers) {
  Script(
      "case $2.$3.$4 in list.-format.*) exec sleep 60 ;; list.-quiet.*) echo hangs; echo s ;; "
      R"(state.hangs.*) exec sleep 60 ;; state.*) echo '{"id":"s","pid":0,"status":"running"}' ;; )"
      "esac");
  constexpr int kLongGraceMs = 60'000;
  Start(kLongGraceMs, 200);
  watch_->StartReconciling();
  const auto untraced = Untraced();
  ASSERT_EQ(untraced.size(), 1u);
  EXPECT_EQ(untraced[0].sandbox_id, "s");
  const std::scoped_lock lock(mutex_);
  EXPECT_EQ(problems_, 1);
}

TEST_F(WatchThreadTest, OneThatIsCalledStoppedAndHasAProcessRuns) {
  // A process that looks like its Sentry.
  const pid_t sentry = ::fork();
  if (sentry == 0) {
    ::setpgid(0, 0);  // to be ended with what it starts
    ::execl("/bin/sh", "runsc-sandbox", "-c", "sleep 60; :", "boot", "s", nullptr);
    ::_exit(1);
  }
  folder_.Write(
      "list", R"([{"id":"s","pid":-1,"status":"stopped"},{"id":"t","pid":-1,"status":"stopped"}])");
  Start();
  watch_->StartReconciling();
  std::vector<UntracedSandbox> untraced;
  const auto end = Clock::now() + seconds(30);
  while (untraced.empty() && Clock::now() < end) untraced = Untraced();  // it takes a moment
  EXPECT_TRUE(Raised("gyrfalcon: sandbox not traced"));
  ::kill(-sentry, SIGKILL);
  ::waitpid(sentry, nullptr, 0);
  ASSERT_EQ(untraced.size(), 1u);
  EXPECT_EQ(untraced[0].sandbox_id, "s");
  EXPECT_EQ(untraced[0].pid, sentry);
}

TEST_F(WatchThreadTest, StoppingDoesNotWaitForARunscThatHangs) {
  Script("touch begun; sleep 60");
  Start();
  const auto end = Clock::now() + seconds(30);
  while (!folder_.Has("begun") && Clock::now() < end) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  ASSERT_TRUE(folder_.Has("begun"));
  const auto begin = Clock::now();
  watch_->Stop();
  EXPECT_LT(Clock::now() - begin, seconds(5)) << "its patience is a minute";
  EXPECT_EQ(raised(), 0u);
}

}  // namespace
}  // namespace gyrfalcon
