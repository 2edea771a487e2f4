#include "engine/watch.h"

#include <gtest/gtest.h>

#include "engine/sandbox_id.h"

namespace gyrfalcon {
namespace {

constexpr int64_t kGrace = 30;

ListedContainer Running(const std::string& id, const std::string& sandbox = "") {
  return {.id = id,
          .sandbox_id = sandbox.empty() ? id : sandbox,
          .running = true,
          .pid = 7,
          .bundle = {}};
}

ListedContainer Paused(const std::string& id) {
  ListedContainer container = Running(id);
  container.running = false;
  return container;
}

// One sandbox "s" below /r; what is listed and noted at which time, and what must be said then.
class WatchTest : public ::testing::Test {
 protected:
  std::optional<Builtin> At(int64_t now, const std::vector<ListedContainer>& listed) {
    const auto findings = watch_.Judge("/r", listed, now);
    EXPECT_LE(findings.size(), 1u);
    if (findings.empty()) return std::nullopt;
    EXPECT_EQ(findings[0].sandbox_id, "s");
    EXPECT_EQ(findings[0].root, "/r");
    return findings[0].builtin;
  }
  std::optional<Builtin> At(int64_t now) { return At(now, {Running("s")}); }

  SandboxWatch watch_{kGrace};
  WatchedConnection connection_{.connection = 1,
                                .sandbox_id = "s",
                                .root = "/r",
                                .from_start = true,
                                .spoke = false,
                                .opened_ns = 0,
                                .ended = false,
                                .ended_ns = 0,
                                .accepted = false};
};

struct WatchCase {
  const char* what;
  bool known;  // there is a connection at all
  bool from_start, spoke, ended;
  std::optional<Builtin> expected;
};

TEST_F(WatchTest, WhatIsSaidOfARunningSandboxAfterTheGraceTime) {
  const WatchCase kCases[] = {
      {"never connected", false, false, false, false, Builtin::kSandboxUntraced},
      {"speaks", true, true, true, false, std::nullopt},
      {"begun, silent", true, true, false, false, Builtin::kSandboxSilent},
      {"attached or restored, silent", true, false, false, false, std::nullopt},
      {"attached, speaks", true, false, true, false, std::nullopt},
      {"spoke, ended", true, true, true, true, Builtin::kConnectionEnded},
      {"attached, spoke, ended", true, false, true, true, Builtin::kConnectionEnded},
      {"begun, ended without a word", true, true, false, true, Builtin::kSandboxSilent},
      {"refused `trace create`, nothing else", true, false, false, true, Builtin::kSandboxUntraced},
  };
  for (const WatchCase& c : kCases) {
    SCOPED_TRACE(c.what);
    watch_ = SandboxWatch(kGrace);
    connection_.from_start = c.from_start;
    connection_.spoke = c.spoke;
    connection_.ended = c.ended;
    connection_.ended_ns = 5;
    if (c.known) watch_.Note(connection_);
    EXPECT_EQ(At(5), std::nullopt);
    EXPECT_EQ(At(34), std::nullopt);
    EXPECT_EQ(At(35), c.expected);
    EXPECT_EQ(At(1000), std::nullopt) << "told once";
  }
}

TEST_F(WatchTest, OnlyWhatRunsIsMissed) {
  ListedContainer created = Running("s");
  created.running = false;
  watch_.Note(connection_);
  EXPECT_EQ(At(0, {created}), std::nullopt);
  EXPECT_EQ(At(500, {created}), std::nullopt) << "made, not started";
  EXPECT_EQ(At(501), std::nullopt) << "the time of grace begins with its start";
  EXPECT_EQ(At(531), Builtin::kSandboxSilent);
}

TEST_F(WatchTest, AHealthCheckBesideALivingConnectionChangesNothing) {
  connection_.spoke = true;
  watch_.Note(connection_);
  WatchedConnection check = connection_;
  check.connection = 2;
  check.from_start = check.spoke = false;
  check.ended = true;
  watch_.Note(check);
  EXPECT_EQ(At(0), std::nullopt);
  EXPECT_EQ(At(100), std::nullopt);
}

TEST_F(WatchTest, ANewerConnectionMendsWhatTheOlderLeft) {
  connection_.spoke = connection_.ended = true;
  watch_.Note(connection_);
  EXPECT_EQ(At(0), std::nullopt);
  EXPECT_EQ(At(30), Builtin::kConnectionEnded);
  WatchedConnection newer = connection_;
  newer.connection = 2;
  newer.from_start = newer.ended = false;
  watch_.Note(newer);
  EXPECT_EQ(At(60), std::nullopt);
  newer.ended = true;
  newer.ended_ns = 70;
  watch_.Note(newer);
  EXPECT_EQ(At(71), std::nullopt);
  EXPECT_EQ(At(101), Builtin::kConnectionEnded) << "the second time is news";
}

TEST_F(WatchTest, ASandboxThatEndsWithItsConnectionIsNoNews) {
  connection_.spoke = true;
  watch_.Note(connection_);
  EXPECT_EQ(At(0), std::nullopt);
  connection_.ended = true;
  connection_.ended_ns = 10;
  watch_.Note(connection_);
  EXPECT_EQ(At(11), std::nullopt) << "still listed for a moment";
  EXPECT_EQ(At(50, {}), std::nullopt);
  EXPECT_TRUE(watch_.Roots().empty()) << "and forgotten";
}

TEST_F(WatchTest, AConnectionWithoutAReadableRunscIsKnownByTheContainerThatItNames) {
  connection_.root.clear();
  connection_.sandbox_id = "app";
  connection_.spoke = true;
  watch_.Note(connection_);
  const std::vector<ListedContainer> pod = {Running("s"), Running("app", "s")};
  EXPECT_EQ(At(0, pod), std::nullopt);
  EXPECT_EQ(At(100, pod), std::nullopt);
}

TEST_F(WatchTest, TheSameIdBelowAnotherRootIsAnotherSandbox) {
  connection_.spoke = true;
  connection_.root = "/other";
  watch_.Note(connection_);
  EXPECT_EQ(At(0), std::nullopt);
  EXPECT_EQ(At(30), Builtin::kSandboxUntraced);
  EXPECT_EQ(watch_.Roots(), std::vector<std::string>{"/other"});
}

TEST_F(WatchTest, OnlyThePodsSandboxIsJudgedNotItsContainers) {
  const std::vector<ListedContainer> pod = {Running("app", "s"), Running("s"), Running("b", "s")};
  EXPECT_EQ(At(0, pod), std::nullopt);
  EXPECT_EQ(At(30, pod), Builtin::kSandboxUntraced) << "once, by the sandbox's own id";
  EXPECT_EQ(At(60, pod), std::nullopt);
}

TEST_F(WatchTest, APausedOrStoppedSandboxIsNotMissedAndAPausedOneIsNotForgotten) {
  connection_.spoke = connection_.ended = true;
  watch_.Note(connection_);
  EXPECT_EQ(At(0), std::nullopt);
  EXPECT_EQ(At(500, {Paused("s")}), std::nullopt);
  EXPECT_EQ(At(501), std::nullopt);
  EXPECT_EQ(At(531), Builtin::kConnectionEnded);
  ListedContainer stopped = Paused("s");
  stopped.stopped = true;
  EXPECT_EQ(At(600, {stopped}), std::nullopt);
  EXPECT_EQ(At(601), std::nullopt);
  EXPECT_EQ(At(631), Builtin::kSandboxUntraced) << "another sandbox of the same id";
}

TEST_F(WatchTest, WhatHasEndedOrComeBackMeanwhileIsNotSoAnyMore) {
  connection_.spoke = connection_.ended = true;
  watch_.Note(connection_);
  EXPECT_EQ(At(0), std::nullopt);
  const auto findings = watch_.Judge("/r", {Running("s")}, 30);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_TRUE(watch_.StillSo(findings[0], {Running("s")}));
  EXPECT_FALSE(watch_.StillSo(findings[0], {}));
  EXPECT_FALSE(watch_.StillSo(findings[0], {Paused("s")}));
  watch_.Retract(findings[0]);
  EXPECT_EQ(At(31), Builtin::kConnectionEnded) << "it was not told";
  connection_.connection = 2;
  connection_.ended = false;
  watch_.Note(connection_);
  EXPECT_FALSE(watch_.StillSo(findings[0], {Running("s")}));
}

TEST_F(WatchTest, AnIdleSandboxIsMissedOnceItsConnectionEnds) {
  watch_.Note(connection_);
  EXPECT_EQ(At(0), std::nullopt);
  const auto findings = watch_.Judge("/r", {Running("s")}, 30);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].builtin, Builtin::kSandboxSilent);
  EXPECT_TRUE(findings[0].connected);
  watch_.Accept(findings[0]);
  EXPECT_EQ(At(60), std::nullopt);
  connection_.ended = true;
  connection_.ended_ns = 70;
  watch_.Note(connection_);
  EXPECT_EQ(At(71), std::nullopt);
  EXPECT_EQ(At(100), Builtin::kConnectionEnded);
}

struct LookCase {
  const char* what;
  Builtin found;
  bool connected;
  SessionLook look;
  std::optional<Builtin> expected;
};

TEST(SessionLook, TellsWhoseTheSessionIs) {
  using enum Builtin;
  const std::vector<std::string> nobody;
  const std::vector<std::string> other = {"/run/other.sock"};
  const LookCase kCases[] = {
      {"refused", kSandboxSilent, true, {false, nobody}, kSandboxSilent},
      {"refused, its runsc closed", kSandboxSilent, false, {false, nobody}, kSandboxSilent},
      {"runsc does not tell", kSandboxSilent, true, {std::nullopt, {}}, kSandboxSilent},
      {"idle", kSandboxSilent, true, {true, {}}, std::nullopt},
      {"idle, then taken", kSandboxSilent, false, {true, other}, kSessionTaken},
      {"deleted", kConnectionEnded, false, {false, nobody}, kConnectionEnded},
      {"runsc does not tell", kConnectionEnded, false, {std::nullopt, other}, kConnectionEnded},
      {"taken", kConnectionEnded, false, {true, other}, kSessionTaken},
      {"taken, by whom can't be seen", kConnectionEnded, false, {true, {}}, kSessionTaken},
      {"a session that leads nowhere", kConnectionEnded, false, {true, nobody}, kConnectionEnded},
      {"taken, it seems, by whoever listens where we do",
       kConnectionEnded,
       false,
       {true, other, true},
       kConnectionEnded},
      {"somebody else's from the start", kSandboxUntraced, false, {true, other}, kSandboxUntraced},
  };
  for (const LookCase& c : kCases) {
    const WatchFinding finding{c.found, "s", "/r", 7, c.connected};
    EXPECT_EQ(Judged(finding, c.look), c.expected) << c.what;
  }
}

TEST(Mend, IsACommandForAShell) {
  WatchFinding finding{Builtin::kSandboxUntraced, "s", "/r"};
  EXPECT_EQ(MendOf(finding, "runsc", "/etc/x.json"),
            "runsc --root=/r trace create --force --config /etc/x.json s");
  finding.root = "/r $(id)";
  finding.sandbox_id = "it's";
  EXPECT_EQ(MendOf(finding, "runsc", ""),
            R"(runsc --root='/r $(id)' trace create --force --config SESSION.json 'it'\''s')");
}

TEST(SandboxKey, SaysWhetherTheSandboxBeginsWithTheConnection) {
  const auto begins = [](std::string words) {
    std::ranges::replace(words, ' ', '\0');
    return BeginsSandbox(words);
  };
  EXPECT_TRUE(begins("runsc --root=/r create --bundle /b abc"));
  EXPECT_TRUE(begins("runsc --root create run abc"));
  EXPECT_TRUE(begins("runsc do true"));
  EXPECT_FALSE(begins("runsc --root=/r trace create --config x abc"));
  EXPECT_FALSE(begins("runsc restore abc"));
  EXPECT_FALSE(begins(""));
}

TEST_F(WatchTest, UntracedAreThoseWithoutAConnectionThatMaySpeak) {
  const auto untraced = [this](int64_t now) {
    return watch_.Untraced("/r", {Running("s"), Running("c", "s"), Paused("p")}, now);
  };
  ASSERT_EQ(untraced(0).size(), 1u) << "at once, and the sandbox only";
  EXPECT_EQ(untraced(0)[0].sandbox_id, "s");
  EXPECT_EQ(untraced(0)[0].pid, 7);
  EXPECT_FALSE(untraced(0)[0].ended_ns);
  watch_.Note(connection_);
  EXPECT_TRUE(untraced(kGrace - 1).empty()) << "it may be about to begin";
  EXPECT_EQ(untraced(kGrace).size(), 1u) << "its session config was refused";
  connection_.spoke = true;
  watch_.Note(connection_);
  EXPECT_TRUE(untraced(10 * kGrace).empty());
  connection_.ended = true;
  connection_.ended_ns = 5;
  watch_.Note(connection_);
  ASSERT_EQ(untraced(6).size(), 1u);
  EXPECT_EQ(untraced(6)[0].ended_ns, 5);
}

}  // namespace
}  // namespace gyrfalcon
