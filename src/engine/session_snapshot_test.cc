// What comes of a session that goes on in another process: nobody can tell, on every capture there
// is; and what bytes that are no snapshot do: nothing.
#include "engine/session_snapshot.h"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "engine/sandbox_id.h"
#include "engine/test_kept_alerts.h"
#include "engine/test_replay.h"
#include "points/test_message.h"
#include "wire/capture_source.h"

namespace gyrfalcon {
namespace {

using testing::CapturesBelow;
using testing::Message;
using testing::RulesFromText;
using testing::SharedPath;

// Every field of every happening.
std::shared_ptr<const RuleSet> EveryField() {
  static const auto rules = [] {
    std::string output;
    for (const FieldDef& row : AllFields().rows()) {
      // From the events before, of whatever sandbox: of the worker, not of the state.
      if (row.name.starts_with("evt.deltatime") || row.name == "util.cnt") continue;
      if (AllFields().Bind(row.name, std::nullopt)) output += "%" + std::string(row.name) + " ";
    }
    output += "%proc.aname[2] %proc.aname[3] %proc.env[PATH] %evt.arg[0] %proc.args[1]";
    return RulesFromText("- rule: all\n  desc: d\n  condition: evt.num >= 1\n  output: \"" +
                         output + "\"\n  priority: INFO\n  warn_evttypes: false\n");
  }();
  return rules;
}

// Sends a capture through pipelines, one after the other: another takes over before each record
// that `restart_before` names.
class Relay {
 public:
  explicit Relay(std::shared_ptr<const RuleSet> rules) : rules_(std::move(rules)) { Begin(); }

  std::vector<std::string> Run(const std::string& capture, const std::set<size_t>& restart_before) {
    CaptureSource source({capture});
    Record record;
    for (size_t i = 0; source.Next(record) != SourceStatus::kEnd; ++i) {
      if (restart_before.contains(i)) Restart();
      if (record.kind == RecordKind::kOpened) open_.insert(record.connection.value);
      pipeline_->Process(record);
      if (record.kind == RecordKind::kClosed) open_.erase(record.connection.value);
    }
    // What is told at the end comes in the order of a hash table.
    std::ranges::sort(alerts_);
    return alerts_;
  }
  size_t snapshot_bytes_max() const { return snapshot_bytes_max_; }

 private:
  void Begin() { pipeline_ = std::make_unique<Pipeline>(rules_, PipelineOptions(), sink_); }
  void Restart() {
    const std::unique_ptr<Pipeline> before = std::move(pipeline_);
    Begin();
    for (const uint64_t connection : open_) {
      const std::string bytes = before->SaveSession(connection);
      snapshot_bytes_max_ = std::max(snapshot_bytes_max_, bytes.size());
      const auto restored = pipeline_->RestoreSession({.connection = connection}, bytes);
      ASSERT_TRUE(restored) << restored.error().message;
      // Nothing is added or forgotten on the way.
      EXPECT_EQ(pipeline_->SaveSession(connection).size(), bytes.size());
    }
  }

  std::shared_ptr<const RuleSet> rules_;
  std::vector<std::string> alerts_;
  testing::KeepAlertLines sink_{alerts_};
  std::unique_ptr<Pipeline> pipeline_;
  std::set<uint64_t> open_;
  size_t snapshot_bytes_max_ = 0;
};

size_t CountRecords(const std::string& capture) {
  CaptureSource source({capture});
  Record record;
  size_t count = 0;
  while (source.Next(record) != SourceStatus::kEnd) ++count;
  return count;
}

// All places of a short capture, else some at random.
std::set<size_t> Places(size_t records, size_t most, std::mt19937& random) {
  std::set<size_t> places;
  if (records <= most) {
    for (size_t i = 1; i < records; ++i) places.insert(i);
    return places;
  }
  std::uniform_int_distribution<size_t> any(1, records - 1);
  while (places.size() < most) places.insert(any(random));
  return places;
}

std::string FirstDifference(const std::string& a, const std::string& b) {
  const auto at = static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
  const size_t from = at < 60 ? 0 : at - 60;
  return "whole: " + a.substr(from, 200) +
         "\nparts: " + (from < b.size() ? b.substr(from, 200) : b);
}

void ExpectNoDifference(const std::string& capture, const std::shared_ptr<const RuleSet>& rules,
                        const std::set<size_t>& places) {
  const std::vector<std::string> whole = Relay(rules).Run(capture, {});
  const std::vector<std::string> parts = Relay(rules).Run(capture, places);
  std::vector<std::string> missing;
  std::vector<std::string> extra;
  std::ranges::set_difference(whole, parts, std::back_inserter(missing));
  std::ranges::set_difference(parts, whole, std::back_inserter(extra));
  if (missing.empty() && extra.empty()) return;
  ADD_FAILURE() << capture << ": " << missing.size() << " missing, " << extra.size() << " extra\n"
                << FirstDifference(missing.empty() ? "" : missing.front(),
                                   extra.empty() ? "" : extra.front());
}

void ExpectNoDifferenceBelow(const std::string& folder, size_t most,
                             const std::shared_ptr<const RuleSet>& rules) {
  const auto captures = CapturesBelow(folder);
  ASSERT_FALSE(captures.empty());
  std::mt19937 random(20260728);
  for (const std::string& capture : captures) {
    const size_t records = CountRecords(capture);
    if (records < 3) continue;
    ExpectNoDifference(capture, rules, Places(records, most, random));
  }
}

TEST(SessionSnapshot, GoesOnInAnotherProcessAtAnyMessageWithEveryFieldTheSame) {
  ExpectNoDifferenceBelow(std::string(GYRFALCON_TEST_DATA) + "/captures", 20, EveryField());
}

TEST(SessionSnapshot, GoesOnInAnotherProcessOnTheSharedCaptures) {
  const std::string folder = SharedPath("captures");
  if (folder.empty()) GTEST_SKIP() << "no ../shared/captures beside the project";
  ExpectNoDifferenceBelow(folder, 12, EveryField());
}

TEST(SessionSnapshot, GivesFalcosRulesTheSameAlerts) {
  const std::string folder = SharedPath("falco-rules");
  if (folder.empty()) GTEST_SKIP() << "no ../shared/falco-rules beside the project";
  const auto rules = testing::LoadRulesForTest(
      {folder + "/falco_rules.yaml", folder + "/falco-incubating_rules.yaml",
       folder + "/falco-sandbox_rules.yaml", folder + "/falco-deprecated_rules.yaml"});
  ExpectNoDifferenceBelow(SharedPath("captures"), 3, rules);
  ExpectNoDifferenceBelow(std::string(GYRFALCON_TEST_DATA) + "/captures/attacks", 3, rules);
}

// ---- one session

constexpr std::string_view kCommandLine("runsc\0--root=/run/r\0create\0sb", 30);

class SessionSnapshotTest : public ::testing::Test {
 protected:
  static constexpr int64_t kNowNs = 1'795'335'717'000'000'000;

  static void Open(Pipeline& pipeline, uint64_t connection, std::string_view command_line) {
    Record record;
    record.kind = RecordKind::kOpened;
    record.connection = ConnectionId{connection};
    record.receive_time_ns = kNowNs;
    record.peer = PeerOf(command_line);
    pipeline.Process(record);
  }
  static std::shared_ptr<const Peer> PeerOf(std::string_view command_line) {
    return std::make_shared<const Peer>(Peer{.command_line = std::string(command_line)});
  }
  static void Send(Pipeline& pipeline, uint64_t connection, uint16_t type, const Message& message,
                   uint32_t dropped = 0) {
    const std::string datagram = testing::Datagram(type, message, dropped);
    Record record;
    record.connection = ConnectionId{connection};
    record.receive_time_ns = kNowNs;
    record.frame = testing::AsBytes(datagram);
    pipeline.Process(record);
  }
  static void Start(Pipeline& pipeline, uint64_t connection, uint32_t dropped = 0) {
    Send(pipeline, connection, 1,
         Message().Nested(1, Message().Number(2, 1)).Text(2, "sb").Text(4, "/bin/sh"), dropped);
  }
  static void OpenFile(Pipeline& pipeline, uint64_t connection, uint32_t dropped = 0) {
    Send(pipeline, connection, 7,
         Message()
             .Nested(1, Message().Number(2, 1).Text(6, "sb"))
             .Nested(2, Message().Number(1, 3))
             .Number(3, 257)
             .Text(6, "/etc/x"),
         dropped);
  }
  std::string Saved() {
    Pipeline before(rules_, options_, sink_);
    Open(before, 7, kCommandLine);
    Start(before, 7);
    OpenFile(before, 7, 3);
    alerts_.clear();
    return before.SaveSession(7);
  }

  std::shared_ptr<const RuleSet> rules_ = EveryField();
  std::vector<std::string> alerts_;
  testing::KeepAlertLines sink_{alerts_};
  PipelineOptions options_;
};

TEST_F(SessionSnapshotTest, OfNoConnectionIsEmpty) {
  Pipeline pipeline(rules_, options_, sink_);
  EXPECT_EQ(pipeline.SaveSession(1), "");
}

TEST_F(SessionSnapshotTest, TellsWhoItIs) {
  const auto identity = ReadSnapshotIdentity(Saved());
  ASSERT_TRUE(identity) << identity.error().message;
  EXPECT_EQ(identity->sandbox_key, SandboxKeyFromCommandLine(kCommandLine));
  EXPECT_EQ(identity->place.sandbox_id, "sb");
  EXPECT_EQ(identity->place.state_root, "/run/r");
  EXPECT_EQ(identity->name, "sb");
  EXPECT_TRUE(identity->from_start);
}

TEST_F(SessionSnapshotTest, CutOrChangedAnywhereIsAnErrorAndTheConnectionIsOpenAllTheSame) {
  const std::string bytes = Saved();
  const auto expect_refused = [&](const std::string& wrong, size_t at) {
    Pipeline after(rules_, options_, sink_);
    EXPECT_FALSE(after.RestoreSession({.connection = 7}, wrong)) << at;
    EXPECT_EQ(after.sandbox_count(), 1U);
    EXPECT_EQ(after.totals().engine[EngineCounter::kSnapshotsRefused], 1U);
  };
  for (size_t i = 0; i < bytes.size(); ++i) {
    expect_refused(bytes.substr(0, i), i);
    for (const char change : {'\x01', '\x80'}) {
      std::string other = bytes;
      other[i] = static_cast<char>(other[i] ^ change);
      expect_refused(other, i);
    }
  }
  expect_refused(bytes + '\0', bytes.size());
}

TEST_F(SessionSnapshotTest, WithoutStateIsAskedAndHeardAnew) {
  Pipeline after(rules_, options_, sink_);
  EXPECT_FALSE(
      after.RestoreSession({.connection = 9, .peer = PeerOf(kCommandLine)}, "no snapshot"));
  OpenFile(after, 9);
  EXPECT_EQ(after.totals().engine[EngineCounter::kHappenings], 1U);
  EXPECT_EQ(after.totals().state[StateCounter::kProcessesFirstSeen], 1U);
}

TEST_F(SessionSnapshotTest, OfAnotherSandboxIsRefused) {
  Pipeline after(rules_, options_, sink_);
  const std::string_view other("runsc\0--root=/run/r\0create\0so", 30);
  EXPECT_FALSE(after.RestoreSession({.connection = 7, .peer = PeerOf(other)}, Saved()));
  OpenFile(after, 7);
  EXPECT_EQ(after.totals().state[StateCounter::kProcessesFirstSeen], 1U);
}

TEST_F(SessionSnapshotTest, CountsDropsOn) {
  Pipeline after(rules_, options_, sink_);
  ASSERT_TRUE(after.RestoreSession({.connection = 7}, Saved()));
  OpenFile(after, 7, 5);
  EXPECT_EQ(after.totals().engine[EngineCounter::kDroppedBySandboxes], 2U);
}

TEST_F(SessionSnapshotTest, TellsThatMessagesWhichTheDeadProcessHadReadAreLost) {
  Pipeline after(rules_, options_, sink_);
  ASSERT_TRUE(after.RestoreSession({.connection = 7, .frames_read = 2 + 5}, Saved()));
  EXPECT_EQ(after.totals().engine[EngineCounter::kMessagesUnsaved], 5U);
  after.TellRest();  // a loss before has been told a moment ago
  ASSERT_EQ(alerts_.size(), 1U);
  const std::string& alert = alerts_.front();
  EXPECT_TRUE(alert.starts_with("gyrfalcon: events lost: ")) << alert;
  EXPECT_NE(alert.find("gyrfalcon_lost_unsaved=5 "), std::string::npos) << alert;
  EXPECT_NE(alert.find("gyrfalcon_lost_cause=gyrfalcon ended at once "), std::string::npos)
      << alert;
}

TEST_F(SessionSnapshotTest, BelongsToItsContainersAgain) {
  ContainerRegistry containers;
  options_.containers = &containers;
  const std::string bytes = Saved();
  ContainerRegistry anew;
  options_.containers = &anew;
  Pipeline after(rules_, options_, sink_);
  ASSERT_TRUE(after.RestoreSession({.connection = 7}, bytes));
  std::string other;
  EXPECT_FALSE(anew.Claim({.owner = "liar", .root = "/run/r"}, "sb", other));
}

TEST_F(SessionSnapshotTest, GoesOnWithASuccessorThatWasHandedOverToo) {
  Pipeline before(rules_, options_, sink_);
  Open(before, 7, kCommandLine);
  Start(before, 7);
  const std::string_view create("runsc\0--root=/run/r\0trace\0create\0--force\0sb", 44);
  Open(before, 8, create);
  const std::string first = before.SaveSession(7);
  const std::string second = before.SaveSession(8);
  Pipeline after(rules_, options_, sink_);
  ASSERT_TRUE(after.RestoreSession({.connection = 8}, second));
  ASSERT_TRUE(after.RestoreSession({.connection = 7}, first));
  OpenFile(after, 8);
  EXPECT_EQ(after.totals().engine[EngineCounter::kSandboxesMoved], 1U);
  EXPECT_EQ(after.totals().state[StateCounter::kProcessesFirstSeen], 0U);
}

// A state with more than the limits in force allow is not half taken.
TEST_F(SessionSnapshotTest, BeyondTheLimitsInForceIsRefused) {
  const std::string bytes = Saved();
  options_.limits.sandbox_bytes_max = 512;
  Pipeline after(rules_, options_, sink_);
  EXPECT_FALSE(after.RestoreSession({.connection = 7}, bytes));
  EXPECT_EQ(after.sandbox_count(), 1U);
}

}  // namespace
}  // namespace gyrfalcon
