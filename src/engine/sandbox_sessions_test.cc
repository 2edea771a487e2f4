// With a runsc that is a script: sandboxes are files in its root.
#include "engine/sandbox_sessions.h"

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/test_folder.h"
#include "engine/session_updater.h"

namespace gyrfalcon {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

// Below its root, FILE.session is what sandbox FILE has dropped so far.
constexpr const char* kRunsc = R"sh(
root=${1#--root=}
cd "$root" || exit 1
echo "$*" >>calls
for id; do :; done
case "$2 $3" in
"list -format")
  [ ! -e list.hangs ] || exec sleep 60
  cat list
  exit ;;
"list -quiet") exec cat ids ;;
esac
[ ! -e "$id.hangs" ] || exec sleep 60
if [ "$2" = state ]; then
  printf '{"id":"%s","pid":0,"status":"running"}' "$id"
  exit
fi
case "$3" in
list)
  if [ -s "$id.session" ]; then
    printf 'SESSIONS (1)\n"Default"\n\tSink: "remote", dropped: %s\n' "$(cat "$id.session")"
  else
    echo 'SESSIONS (0)'
  fi ;;
create)
  [ "$4" = --force ] && rm -f "$id.session"
  if [ -e refuses ]; then
    echo 'creating session: creating trace session: point "x" not found' >&2
    exit 128
  fi
  echo 0 >"$id.session" ;;
delete) rm "$id.session" ;;
esac
)sh";

class SandboxSessionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    asked_.roots = {folder_.path()};
    asked_.runsc = folder_.WriteScript("runsc", kRunsc);
    asked_.socket_path = "/s/gvisor.sock";
    asked_.limits.patience = milliseconds(30'000);
  }
  void List(const std::vector<std::string>& ids) {
    std::string json = "[";
    for (const std::string& id : ids) {
      json +=
          (json.size() > 1 ? "," : "") + (R"({"id":")" + id + R"(","pid":0,"status":"running"})");
    }
    folder_.Write("list", json + "]");
  }
  std::string Calls() const { return folder_.Read("calls"); }

  const TestFolder folder_;
  SandboxesAsked asked_;
};

TEST_F(SandboxSessionsTest, OnlySandboxesThatRunAreLookedAtNotTheContainersOfPods) {
  folder_.Write("list", R"([{"id":"a","status":"running"},{"id":"b","status":"stopped"},
    {"id":"c","status":"running","annotations":{"io.kubernetes.cri.container-type":"container",
                                                "io.kubernetes.cri.sandbox-id":"a"}}])");
  const TracedSandboxes found = LookAtSandboxes(asked_);
  ASSERT_EQ(found.sandboxes.size(), 1u);
  EXPECT_EQ(found.sandboxes[0].id, "a");
  EXPECT_EQ(found.sandboxes[0].tracing, Tracing::kNone);
}

TEST_F(SandboxSessionsTest, WhoseSessionItIsGoesByTheConnectionWhereSocketsAreNotSeen) {
  List({"ours", "whose"});
  folder_.Write("ours.session", "3");
  folder_.Write("whose.session", "0");
  asked_.is_connected = [this](const std::string& root, const std::string& id) {
    return root == folder_.path() && id == "ours";
  };
  const TracedSandboxes found = LookAtSandboxes(asked_);
  ASSERT_EQ(found.sandboxes.size(), 2u);
  EXPECT_EQ(found.sandboxes[0].tracing, Tracing::kOurs);
  EXPECT_EQ(found.sandboxes[0].dropped, 3u);
  EXPECT_EQ(found.sandboxes[1].tracing, Tracing::kUnknown);
  EXPECT_THAT(found.sandboxes[1].problem, HasSubstr("can't be seen from here"));
}

TEST_F(SandboxSessionsTest, ARootThatCannotBeListedIsToldAndTheOthersAreLookedAt) {
  List({"a"});
  asked_.roots = {"/no/such/root", folder_.path()};
  const TracedSandboxes found = LookAtSandboxes(asked_);
  ASSERT_EQ(found.problems.size(), 1u);
  EXPECT_THAT(found.problems[0].message, HasSubstr("/no/such/root"));
  EXPECT_EQ(found.sandboxes.size(), 1u);
}

TEST_F(SandboxSessionsTest, OneThatHangsHoldsUpNoOther) {
  std::vector<std::string> ids = {"hangs"};
  for (int i = 0; i < 20; ++i) ids.push_back("s" + std::to_string(i));
  List(ids);
  folder_.Write("hangs.hangs", "");
  asked_.limits.patience = milliseconds(3'000);
  size_t done = 0;
  std::chrono::steady_clock::duration others{};
  const auto began = std::chrono::steady_clock::now();
  asked_.progress = [&](size_t now, size_t count) {
    done = now;
    EXPECT_EQ(count, 21u);
    if (now == 20) others = std::chrono::steady_clock::now() - began;
  };
  const TracedSandboxes found = LookAtSandboxes(asked_);
  EXPECT_EQ(done, 21u);
  EXPECT_LT(others, milliseconds(2'900)) << "before the one that hangs";
  EXPECT_EQ(found.sandboxes[0].tracing, Tracing::kUnknown);
  EXPECT_THAT(found.sandboxes[0].problem, HasSubstr("took too long"));
  for (size_t i = 1; i < found.sandboxes.size(); ++i) {
    EXPECT_EQ(found.sandboxes[i].tracing, Tracing::kNone);
  }
}

// `runsc list` asks each sandbox, so it hangs with one of them.
TEST_F(SandboxSessionsTest, WhereTheListHangsEachIsAskedByItself) {
  folder_.Write("list.hangs", "");
  folder_.Write("hangs.hangs", "");
  folder_.Write("ids", "a\nhangs\nb\n");
  folder_.Write("b.session", "0");
  asked_.limits.patience = milliseconds(1'500);
  const TracedSandboxes found = LookAtSandboxes(asked_);
  EXPECT_TRUE(found.problems.empty());
  ASSERT_EQ(found.sandboxes.size(), 3u);
  EXPECT_EQ(found.sandboxes[0].tracing, Tracing::kNone);
  EXPECT_EQ(found.sandboxes[1].tracing, Tracing::kUnknown);
  EXPECT_THAT(found.sandboxes[1].problem, HasSubstr("took too long; its Sentry does not answer"));
  EXPECT_EQ(found.sandboxes[2].dropped, 0u);
}

TEST_F(SandboxSessionsTest, AttachesAndReplacesAndSumsUpTheLoss) {
  List({"fresh", "old", "older"});
  folder_.Write("old.session", "7");
  folder_.Write("older.session", "4");
  const TracedSandboxes found = LookAtSandboxes(asked_);
  const auto reports = AttachAll(asked_, found.sandboxes, "/etc/x.json");
  ASSERT_EQ(reports.size(), 3u);
  EXPECT_EQ(reports[0].result, AttachResult::kAttached);
  EXPECT_FALSE(reports[0].dropped_before);
  EXPECT_EQ(reports[0].window_ns, 0) << "nothing was seen before";
  EXPECT_EQ(reports[1].result, AttachResult::kUpdated);
  EXPECT_EQ(reports[1].dropped_before, 7u);
  EXPECT_GT(reports[1].window_ns, 0);
  const AttachLoss loss = LossOf(reports);
  EXPECT_EQ(loss.dropped_before, 11u);
  EXPECT_EQ(loss.window_ns, reports[1].window_ns + reports[2].window_ns);
  EXPECT_EQ(loss.window_longest_ns, std::max(reports[1].window_ns, reports[2].window_ns));
  EXPECT_THAT(Calls(), HasSubstr("trace create --config /etc/x.json fresh\n"));
  EXPECT_THAT(Calls(), HasSubstr("trace create --force --config /etc/x.json old\n"));
}

TEST_F(SandboxSessionsTest, AConfigThatOneRefusesCostsTheOthersNothing) {
  std::vector<std::string> ids;
  for (int i = 0; i < 12; ++i) {
    ids.push_back("s" + std::to_string(i));
    folder_.Write(ids.back() + ".session", "1");
  }
  ids.push_back("fresh");
  List(ids);
  folder_.Write("refuses", "");
  const TracedSandboxes found = LookAtSandboxes(asked_);
  const auto reports = AttachAll(asked_, found.sandboxes, "/etc/x.json");
  for (const AttachReport& report : reports) {
    EXPECT_EQ(report.result, AttachResult::kFailed);
    EXPECT_FALSE(report.session_lost) << report.id;
    const bool is_first = report.id == "fresh";
    EXPECT_THAT(report.problem, HasSubstr(is_first ? "point \"x\" not found" : "not tried"));
    EXPECT_TRUE(is_first || folder_.Has(report.id + ".session"));
  }
}

TEST_F(SandboxSessionsTest, EndsSessions) {
  List({"a", "b"});
  folder_.Write("a.session", "2");
  const auto reports = DetachAll(asked_, LookAtSandboxes(asked_).sandboxes);
  EXPECT_EQ(reports[0].result, AttachResult::kDetached);
  EXPECT_EQ(reports[0].dropped_before, 2u);
  EXPECT_FALSE(folder_.Has("a.session"));
  EXPECT_EQ(reports[1].result, AttachResult::kFailed);
}

class SessionUpdaterTest : public SandboxSessionsTest {
 protected:
  void Start(milliseconds second_round) {
    SessionUpdaterOptions options;
    options.runsc = folder_ / "runsc";
    options.session_file = "/etc/x.json";
    options.socket_path = "/s/gvisor.sock";
    options.second_round = second_round;
    options.on_update = [this](const SessionUpdate& update) {
      const std::scoped_lock lock(mutex_);
      updates_.push_back(update);
      changed_.notify_all();
    };
    options.on_reconciled = [this](const ReconcileReport& report) {
      const std::scoped_lock lock(mutex_);
      reconciled_.push_back(report);
      changed_.notify_all();
    };
    options.on_alert = [this](Alert alert) {
      const std::scoped_lock lock(mutex_);
      alerts_.push_back(std::move(alert));
    };
    options.on_detached = [this](const std::vector<AttachReport>& reports) { detached_ = reports; };
    options.updates_attached_only = updates_attached_only_;
    options.patience = patience_;
    updater_.emplace(std::move(options), [this] {
      const std::scoped_lock lock(mutex_);
      return connected_;
    });
  }
  void Connect(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    connected_.push_back({.state_root = folder_.path(), .sandbox_id = id, .bundle = {}});
  }
  bool WaitForUpdates(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30),
                             [&] { return updates_.size() >= count; });
  }

  // What the watch would hand on.
  UntracedSandbox Untraced(const std::string& id, std::optional<int64_t> ended_ns = {}) const {
    return {.root = folder_.path(), .sandbox_id = id, .pid = 0, .ended_ns = ended_ns};
  }
  ReconcileReport Reconcile(std::vector<UntracedSandbox> untraced) {
    std::unique_lock lock(mutex_);
    const size_t wanted = reconciled_.size() + 1;
    lock.unlock();
    updater_->Reconcile(std::move(untraced));
    lock.lock();
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(30),
                                  [&] { return reconciled_.size() >= wanted; }));
    return reconciled_.empty() ? ReconcileReport() : reconciled_.back();
  }
  uint64_t Counter(EngineCounter which) const { return updater_->counters()[which]; }

  bool updates_attached_only_ = false;
  milliseconds patience_{30'000};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ReconcileReport> reconciled_;
  std::vector<AttachReport> detached_;
  std::vector<Alert> alerts_;
  std::vector<SandboxPlace> connected_;
  std::vector<SessionUpdate> updates_;
  std::optional<SessionUpdater> updater_;
};

TEST_F(SessionUpdaterTest, GivesOursTheSessionAndLeavesTheOthersAlone) {
  List({"ours", "whose", "none"});
  folder_.Write("ours.session", "5");
  folder_.Write("whose.session", "0");
  Connect("ours");
  Start(milliseconds(60'000));
  updater_->Update();
  ASSERT_TRUE(WaitForUpdates(1));
  ASSERT_EQ(updates_[0].reports.size(), 1u);
  EXPECT_EQ(updates_[0].reports[0].id, "ours");
  EXPECT_EQ(updates_[0].problems.size(), 1u) << "whose session that is can't be seen";
  EXPECT_FALSE(folder_.Has("none.session"));
  const auto counters = updater_->counters();
  EXPECT_EQ(counters[EngineCounter::kSessionUpdates], 1u);
  EXPECT_EQ(counters[EngineCounter::kSessionUpdatesFailed], 0u);
  EXPECT_EQ(counters[EngineCounter::kSessionUpdateDropped], 5u);
  EXPECT_GT(counters[EngineCounter::kSessionUpdateMs], 0u);
}

TEST_F(SessionUpdaterTest, OneThatWasStartingMeanwhileIsTakenInASecondRound) {
  List({"first"});
  folder_.Write("first.session", "0");
  Connect("first");
  Start(milliseconds(300));
  updater_->Update();
  ASSERT_TRUE(WaitForUpdates(1));
  Connect("late");
  folder_.Write("late.session", "0");
  List({"first", "late"});
  ASSERT_TRUE(WaitForUpdates(2));
  ASSERT_EQ(updates_[1].reports.size(), 1u);
  EXPECT_EQ(updates_[1].reports[0].id, "late");
  EXPECT_TRUE(updates_[1].is_second);
}

TEST_F(SessionUpdaterTest, UntracedSandboxesAreAttachedWithoutForce) {
  Start(milliseconds(60'000));
  const ReconcileReport report = Reconcile({Untraced("a"), Untraced("b")});
  ASSERT_EQ(report.attached.size(), 2u);
  EXPECT_EQ(report.attached[0].report.result, AttachResult::kAttached);
  EXPECT_EQ(report.attached[0].reason, AttachReason::kUntraced);
  EXPECT_THAT(Calls(), HasSubstr("trace create --config /etc/x.json a\n"));
  EXPECT_EQ(Counter(EngineCounter::kSessionsAttached), 2u);
  EXPECT_TRUE(alerts_.empty()) << "nobody knows of anything that was lost";
}

TEST_F(SessionUpdaterTest, OursAfterALossIsTakenBackAndTheLossIsCountedAndTold) {
  folder_.Write("ours.session", "41");
  Start(milliseconds(60'000));
  const int64_t ended_ns = SteadyNs() - 2'000'000'000;
  // The first look can't tell: nobody sees who listens. Drops that rise say that nobody does.
  EXPECT_EQ(Reconcile({Untraced("ours", ended_ns)}).left.size(), 1u);
  folder_.Write("ours.session", "42");
  const ReconcileReport report = Reconcile({Untraced("ours", ended_ns)});
  ASSERT_EQ(report.attached.size(), 1u);
  EXPECT_EQ(report.attached[0].reason, AttachReason::kLost);
  EXPECT_THAT(Calls(), HasSubstr("trace create --force --config /etc/x.json ours\n"));
  EXPECT_EQ(Counter(EngineCounter::kSessionsReattached), 1u);
  EXPECT_EQ(Counter(EngineCounter::kSessionAttachDropped), 42u);
  ASSERT_EQ(alerts_.size(), 1u);
  EXPECT_EQ(alerts_[0].rule, "gyrfalcon: events lost");
  EXPECT_THAT(alerts_[0].message, HasSubstr("gyrfalcon_lost_cause=nobody listened"));
  EXPECT_THAT(alerts_[0].message, HasSubstr("gyrfalcon_lost_dropped=42 "));
  EXPECT_THAT(alerts_[0].message, HasSubstr("gyrfalcon_sandbox=ours "));
}

TEST_F(SessionUpdaterTest, ASessionOfOursThatWasDeletedIsALossToo) {
  Start(milliseconds(60'000));
  const ReconcileReport report = Reconcile({Untraced("ours", SteadyNs())});
  ASSERT_EQ(report.attached.size(), 1u);
  EXPECT_EQ(report.attached[0].report.result, AttachResult::kAttached);
  ASSERT_EQ(alerts_.size(), 1u);
  EXPECT_THAT(alerts_[0].message, HasSubstr("gyrfalcon_lost_dropped=0 "));
}

TEST_F(SessionUpdaterTest, OneThatHangsKeepsNoOtherFromBeingAttached) {
  patience_ = milliseconds(300);
  folder_.Write("hangs.hangs", "");
  Start(milliseconds(60'000));
  std::vector<UntracedSandbox> untraced = {Untraced("hangs")};
  for (int i = 0; i < 12; ++i) untraced.push_back(Untraced("s" + std::to_string(i)));
  const ReconcileReport report = Reconcile(untraced);
  EXPECT_EQ(report.attached.size(), 12u);
  ASSERT_EQ(report.left.size(), 1u);
  EXPECT_EQ(report.left[0].id, "hangs");
  EXPECT_THAT(report.left[0].reason, HasSubstr("took too long"));
}

TEST_F(SessionUpdaterTest, OneThatCannotBeAttachedIsToldOnceAndTriedAgain) {
  folder_.Write("refuses", "");
  Start(milliseconds(60'000));
  ReconcileReport report = Reconcile({Untraced("a")});
  ASSERT_EQ(report.attached.size(), 1u);
  EXPECT_EQ(report.attached[0].report.result, AttachResult::kFailed);
  updater_->Reconcile({Untraced("a")});
  while (Counter(EngineCounter::kSessionAttachesFailed) < 2) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  std::filesystem::remove(folder_ / "refuses");
  report = Reconcile({Untraced("a")});
  ASSERT_EQ(report.attached.size(), 1u);
  EXPECT_EQ(report.attached[0].report.result, AttachResult::kAttached);
  EXPECT_EQ(reconciled_.size(), 2u) << "the second failure was the same";
}

TEST_F(SessionUpdaterTest, ASessionOfOurMakingReplacesOnlyThoseThatWereAttachedWithIt) {
  updates_attached_only_ = true;
  List({"attached", "started"});
  folder_.Write("started.session", "0");
  Connect("started");
  Start(milliseconds(60'000));
  Reconcile({Untraced("attached")});
  Connect("attached");
  updater_->Update();
  ASSERT_TRUE(WaitForUpdates(1));
  ASSERT_EQ(updates_[0].reports.size(), 1u);
  EXPECT_EQ(updates_[0].reports[0].id, "attached");
}

TEST_F(SessionUpdaterTest, DetachesThoseThatAreConnectedAtTheEnd) {
  List({"ours", "others"});
  folder_.Write("ours.session", "0");
  folder_.Write("others.session", "0");
  Connect("ours");
  Start(milliseconds(60'000));
  updater_->Stop();
  updater_->DetachConnected();
  ASSERT_EQ(detached_.size(), 1u);
  EXPECT_EQ(detached_[0].result, AttachResult::kDetached);
  EXPECT_FALSE(folder_.Has("ours.session"));
  EXPECT_TRUE(folder_.Has("others.session"));
}

TEST_F(SessionUpdaterTest, StoppingDoesNotWaitForARunscThatHangs) {
  List({"hangs"});
  folder_.Write("hangs.hangs", "");
  Connect("hangs");
  Start(milliseconds(60'000));
  updater_->Update();
  while (!Calls().contains("trace list")) std::this_thread::sleep_for(milliseconds(5));
  const auto began = std::chrono::steady_clock::now();
  updater_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(4'000));
}

}  // namespace
}  // namespace gyrfalcon
