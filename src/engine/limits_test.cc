// Each row of the table of limits: set low, and driven beyond it. A row without a test fails.
#include "engine/limits.h"

#include <algorithm>
#include <functional>
#include <map>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/text.h"
#include "engine/alert_budget.h"
#include "engine/builtin_throttle.h"
#include "engine/pipeline.h"
#include "engine/test_replay.h"
#include "points/test_message.h"
#include "state/fork_flood.h"
#include "state/raised_rules.h"
#include "wire/handshake_message.h"
#include "wire/peer.h"
#include "wire/socket_source.h"

namespace gyrfalcon {
namespace {

using testing::kSecond;
using testing::Message;

constexpr std::string_view kRules = R"(
- rule: never
  desc: d
  condition: evt.type = openat and fd.name = /never
  output: x
  priority: INFO
)";

const LimitRow& Row(std::string_view name) {
  const auto found = std::ranges::find(LimitRows(), name, &LimitRow::name);
  if (found == LimitRows().end()) throw std::runtime_error(std::string(name));
  return *found;
}

// A pipeline with one limit set low, and a sandbox that goes beyond it.
class Driven final : private AlertSink {
 public:
  Driven(std::string_view limit, size_t value) : Driven({{limit, value}}) {}
  explicit Driven(std::vector<std::pair<std::string_view, size_t>> limits)
      : limits_(With(limits)),
        memory_(limits_.total_bytes_max),
        pipeline_(testing::RulesFromText(std::string(kRules)),
                  {.limits = limits_.sandbox, .containers = &containers_, .memory = &memory_},
                  *this) {
    Open(1);
  }

  void Open(uint64_t connection) { Process(connection, RecordKind::kOpened, {}, false); }
  void Close(uint64_t connection) { Process(connection, RecordKind::kClosed, {}, false); }
  void Send(MessageType type, const Message& message, uint64_t connection = 1,
            bool truncated = false) {
    Process(connection, RecordKind::kFrame, testing::Datagram(type, message), truncated);
  }
  static Message Context(int32_t tgid, std::string_view container = "c") {
    return Message().Number(2, tgid).Number(4, tgid).Text(6, container).Text(9, "x");
  }
  void Exec(int32_t tgid, const std::string& arg, uint64_t connection = 1) {
    Send(MessageType::kSentryExec,
         Message()
             .Nested(1, Context(tgid, "c" + std::to_string(connection)))
             .Text(2, "/bin/x")
             .Text(3, "x")
             .Text(3, arg),
         connection);
  }
  void OpenFile(int64_t fd, const std::string& path, int64_t flags = 0) {
    Send(MessageType::kOpen, Message()
                                 .Nested(1, Context(1))
                                 .Nested(2, Message().Number(1, fd))
                                 .Number(3, 257)
                                 .Number(4, -100)
                                 .Text(6, path)
                                 .Number(7, flags));
  }
  void RawEnter(int32_t tid, int64_t sysno) {
    Send(MessageType::kRaw, Message().Nested(1, Context(tid)).Number(4, sysno));
  }
  uint64_t Count(std::string_view counter) const {
    for (const Totals::Row& row : pipeline_.totals().Rows()) {
      if (row.def->name == counter) return row.value;
    }
    ADD_FAILURE() << "no counter " << counter;
    return 0;
  }
  Pipeline& pipeline() { return pipeline_; }
  const MemoryBudget& memory() const { return memory_; }

 private:
  static Limits With(const std::vector<std::pair<std::string_view, size_t>>& limits) {
    Limits out;
    for (const auto& [name, value] : limits) Row(name).in(out) = value;
    return out;
  }
  void Process(uint64_t connection, RecordKind kind, const std::string& datagram, bool truncated) {
    Record record;
    record.kind = kind;
    record.connection = ConnectionId{connection};
    record.receive_time_ns = now_ns_ += 1'000;
    record.truncated = truncated;
    record.frame = testing::AsBytes(datagram);
    pipeline_.Process(record);
  }
  bool OnAlert(Alert /*alert*/) override { return true; }

  int64_t now_ns_ = 1000 * kSecond;
  const Limits limits_;
  MemoryBudget memory_;
  ContainerRegistry containers_;
  Pipeline pipeline_;
};

// A source and the sandbox's end of its one connection.
class Wired {
 public:
  explicit Wired(SocketSourceOptions options) : source_(*SocketSource::Create(options)) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    fd_.reset(ends[0]);
    source_->set_idle_timeout_ms(0);
    source_->Add({.fd = UniqueFd(ends[1]), .id = ConnectionId{1}, .peer = nullptr});
  }
  bool Send(size_t bytes) {
    const std::string message(bytes, 'm');
    return ::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL) >= 0;
  }
  void Read(const std::function<void(const Record&)>& look = [](const Record&) {}) {
    Record record;
    for (int idle = 0; idle < 3;) {
      const SourceStatus status = source_->Next(record);
      if (status == SourceStatus::kEnd) return;
      if (status == SourceStatus::kIdle) {
        ++idle;
      } else {
        look(record);
      }
    }
  }
  SocketSource& source() { return *source_; }

 private:
  UniqueFd fd_;
  std::unique_ptr<SocketSource> source_;
};

using Case = std::function<void()>;

void HoldsProcesses() {
  Driven driven("processes_max", 10);
  for (int32_t tgid = 1; tgid <= 100; ++tgid) driven.Exec(tgid, "a");
  EXPECT_EQ(driven.Count("processes_refused"), 90u);
}
void HoldsThreads() {
  Driven driven("threads_max", 10);
  for (int32_t tid = 1; tid <= 100; ++tid) {
    driven.Send(MessageType::kChdir,
                Message().Nested(1, Message().Number(2, tid).Number(4, 1).Text(6, "c")));
  }
  EXPECT_EQ(driven.Count("threads_refused"), 90u);
}
void HoldsContainers() {
  Driven driven("containers_max", 5);
  for (int i = 0; i < 20; ++i) {
    driven.Send(MessageType::kChdir,
                Message().Nested(1, Driven::Context(i + 1, "container-" + std::to_string(i))));
  }
  EXPECT_EQ(driven.Count("containers_disowned"), 15u);
}
void HoldsIds() {
  Driven driven("id_bytes_max", 64);
  driven.Send(MessageType::kChdir, Message().Nested(1, Driven::Context(1, std::string(64, 'i'))));
  EXPECT_EQ(driven.Count("containers_refused"), 0u);
  driven.Send(MessageType::kChdir, Message().Nested(1, Driven::Context(2, std::string(65, 'i'))));
  EXPECT_GT(driven.Count("containers_refused"), 0u);
}
void HoldsDescriptors() {
  Driven driven("fds_per_process_max", 10);
  for (int64_t fd = 0; fd < 30; ++fd) driven.OpenFile(fd, "/f");
  EXPECT_EQ(driven.Count("fds_refused"), 20u);
}
void HoldsAncestors() {
  Driven driven("ancestors_max", 5);
  for (int32_t tgid = 1; tgid <= 20; ++tgid) {
    driven.Send(MessageType::kSentryClone, Message()
                                               .Nested(1, Driven::Context(tgid))
                                               .Number(3, tgid + 1)
                                               .Number(4, tgid + 1)
                                               .Number(5, tgid + 1));
  }
  EXPECT_GT(driven.Count("ancestors_cut"), 10u);
}
void HoldsTexts() {
  Driven driven("text_bytes_max", 64);
  driven.OpenFile(3, "/" + std::string(63, 'p'));
  EXPECT_EQ(driven.Count("texts_cut"), 0u);
  driven.OpenFile(4, "/" + std::string(64, 'p'));
  EXPECT_GT(driven.Count("texts_cut"), 0u);
}
void HoldsArguments() {
  Driven driven("argv_bytes_max", 64);
  driven.Exec(1, std::string(10, 'a'));
  EXPECT_EQ(driven.Count("texts_cut"), 0u);
  driven.Exec(1, std::string(100, 'a'));
  EXPECT_EQ(driven.Count("texts_cut"), 1u);
}
void HoldsWrittenFiles() {
  constexpr int64_t kWrite = 1;
  Driven driven("written_files_max", 5);
  for (int64_t i = 0; i < 20; ++i) driven.OpenFile(3, "/written/" + std::to_string(i), kWrite);
  EXPECT_EQ(driven.Count("written_files_forgotten"), 15u);
}
void HoldsUnjudgedRaws() {
  constexpr int64_t kSysOpenat = 257;
  Driven driven("unjudged_raws_max", 5);
  for (int32_t tid = 1; tid <= 20; ++tid) {
    driven.RawEnter(tid, kSysOpenat);
    driven.Send(MessageType::kChdir, Message().Nested(1, Driven::Context(tid)));
  }
  EXPECT_EQ(driven.Count("raws_refused"), 15u);
}
void HoldsSandboxBytes() {
  constexpr size_t kBytes = 1 << 20;
  Driven driven("sandbox_bytes_max", kBytes);
  for (int32_t tgid = 1; tgid <= 1'000; ++tgid) driven.Exec(tgid, std::string(10'000, 'a'));
  EXPECT_GT(driven.Count("threads_forgotten"), 0u);
  EXPECT_LT(driven.memory().held_bytes(), 3 * kBytes);
}
void HoldsTotalBytes() {
  constexpr size_t kBytes = 8 << 20;
  Driven driven("total_bytes_max", kBytes);
  for (uint64_t connection = 2; connection <= 20; ++connection) driven.Open(connection);
  // Small, and does nothing more.
  driven.Exec(1, "a", 20);
  size_t most = 0;
  for (int32_t tgid = 1; tgid <= 2'000; ++tgid) {
    for (uint64_t connection = 1; connection <= 10; ++connection) {
      driven.Exec(tgid, std::string(5'000, 'a'), connection);
    }
    most = std::max(most, driven.memory().held_bytes());
  }
  EXPECT_LE(most, kBytes);
  EXPECT_GT(driven.Count("threads_forgotten") + driven.Count("state_forgotten"), 0u);
  for (uint64_t connection = 1; connection <= 20; ++connection) driven.Close(connection);
  EXPECT_EQ(driven.memory().held_bytes(), 0u) << "all that was counted is given back";
}

class Snapshots final : public HappeningSink {
 public:
  explicit Snapshots(const SandboxLimits& limits) : sandbox_(limits, Arch::kX86_64) {
    sandbox_.AllowSnapshots(true);
    sandbox_.NoteSnapshotAsked(1);
  }
  void Speak(int32_t tgid) {
    const Message message = Message().Nested(1, Driven::Context(tgid));
    Event event;
    ASSERT_TRUE(Decode(static_cast<uint16_t>(MessageType::kChdir),
                       testing::AsBytes(message.bytes()), event));
    sandbox_.Apply(event, 1, *this);
  }
  Sandbox& sandbox() { return sandbox_; }
  void OnHappening(const Happening& /*happening*/) override {}

 private:
  Sandbox sandbox_;
};

void HoldsAwaited() {
  SandboxLimits limits;
  limits.awaiting_snapshot_max = 5;
  Snapshots snapshots(limits);
  for (int32_t tgid = 1; tgid <= 20; ++tgid) snapshots.Speak(tgid);
  EXPECT_EQ(snapshots.sandbox().AwaitedTgids().size(), 5u);
}
std::vector<ProcessSnapshot> ManyProcesses(int32_t count) {
  std::vector<ProcessSnapshot> processes(static_cast<size_t>(count));
  for (int32_t i = 0; i < count; ++i) {
    processes[static_cast<size_t>(i)].tgid = i + 100;
    processes[static_cast<size_t>(i)].start_time_ns = i + 1;
  }
  return processes;
}
void HoldsSeeded() {
  SandboxLimits limits;
  limits.processes_seeded_max = 5;
  Snapshots snapshots(limits);
  snapshots.Speak(1);
  const auto processes = ManyProcesses(20);
  snapshots.sandbox().TakeSnapshot(
      {.question = 1, .failed = false, .whole = true, .processes = processes}, snapshots);
  EXPECT_GT(snapshots.sandbox().counters()[StateCounter::kSnapshotsCut], 0u);
  EXPECT_LE(snapshots.sandbox().counters()[StateCounter::kProcessesSeeded], 5u);
}
// Beyond it nothing that the answer says of what may have ended is believed.
void HoldsChanges() {
  SandboxLimits limits;
  limits.changes_since_question_max = 3;
  Snapshots snapshots(limits);
  for (int32_t tgid = 1; tgid <= 10; ++tgid) {
    snapshots.Speak(tgid);
    const Message exit = Message().Nested(1, Driven::Context(tgid));
    Event event;
    ASSERT_TRUE(Decode(static_cast<uint16_t>(MessageType::kSentryTaskExit),
                       testing::AsBytes(exit.bytes()), event));
    snapshots.sandbox().Apply(event, 1, snapshots);
  }
  const auto processes = ManyProcesses(2);
  snapshots.sandbox().TakeSnapshot(
      {.question = 1, .failed = false, .whole = true, .processes = processes}, snapshots);
  EXPECT_EQ(snapshots.sandbox().counters()[StateCounter::kProcessesSeeded], 0u);
}
void HoldsMessageBytes() {
  Wired wired({.message_bytes_max = 1'024});
  wired.Send(1'024);
  wired.Send(1'025);
  std::vector<bool> cut;
  wired.Read([&](const Record& record) {
    if (record.kind == RecordKind::kFrame) cut.push_back(record.truncated);
  });
  EXPECT_EQ(cut, (std::vector<bool>{false, true}));
  EXPECT_EQ(wired.source().counters().Snapshot()[WireCounter::kFramesTruncated], 1u);
}
void HoldsTurns() {
  Wired wired({.messages_per_turn = 4});
  for (int i = 0; i < 40; ++i) wired.Send(10);
  wired.Read();
  EXPECT_EQ(wired.source().counters().Snapshot()[WireCounter::kTurnsCut], 10u);
}
void HoldsDrain() {
  Wired wired({});
  size_t sent = 0;
  while (sent < SocketSource::kStopMessagesMax && ::usleep(0) == 0 && wired.Send(1)) ++sent;
  wired.source().Stop();
  size_t read = 0;
  wired.Read([&](const Record& record) { read += record.kind == RecordKind::kFrame ? 1u : 0u; });
  EXPECT_EQ(read, sent) << "a queue holds fewer than a stop reads";
  EXPECT_LT(sent, SocketSource::kStopMessagesMax);
}
void HoldsLists() {
  Driven driven("processes_max", 10);
  Message message;
  message.Nested(1, Driven::Context(1));
  for (size_t i = 0; i <= kListItemsMax; ++i) message.Text(3, "");
  driven.Send(MessageType::kSentryExec, message);
  EXPECT_EQ(driven.Count("undecodable_too_long"), 1u);
}
void HoldsHandshakeBytes() {
  const std::vector<std::byte> long_one(kHandshakeBytesMax + 1);
  const auto read = ParseHandshake(long_one);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error(), HandshakeFault::kTooLong);
}
void HoldsBuiltins() {
  BuiltinThrottle throttle;
  uint64_t admitted = 0;
  for (int i = 0; i < 1'000; ++i) {
    admitted += throttle.Admit(Builtin::kPathChanged, kSecond, i) ? 1u : 0u;
  }
  EXPECT_EQ(admitted, BuiltinThrottle::kBurst);
}
void HoldsRaisedRules() {
  RaisedRules raised;
  for (uint64_t rule = 1; rule <= 1'000; ++rule) raised.Note(rule);
  EXPECT_TRUE(raised.Has(RaisedRules::kMax));
  EXPECT_FALSE(raised.Has(RaisedRules::kMax + 5));
}
void HoldsForks() {
  ForkFlood flood;
  for (int32_t tgid = 1; tgid <= 100'000; ++tgid) flood.Note(tgid, 1);
  EXPECT_LE(flood.count(), ForkFlood::kRemembered);
}
void HoldsBudgets() {
  AlertBudget budget;
  for (size_t i = 0; i < AlertBudget::kRulesMax; ++i) {
    Rule rule;
    rule.name = std::to_string(i);
    budget.Admit({.burst = 1, .per_minute = 0}, rule, 1, 1);
  }
  Rule further;
  further.name = "further";
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(budget.Admit({.burst = 1, .per_minute = 0}, further, 1, 1));
  }
}

// Of those whose test starts a daemon or a thread, where that is.
void IsHeldElsewhere() {}

const std::map<std::string_view, Case>& Cases() {
  static const std::map<std::string_view, Case> cases = {
      {"total_bytes_max", HoldsTotalBytes},
      {"sandbox_bytes_max", HoldsSandboxBytes},
      {"processes_max", HoldsProcesses},
      {"threads_max", HoldsThreads},
      {"containers_max", HoldsContainers},
      {"id_bytes_max", HoldsIds},
      {"fds_per_process_max", HoldsDescriptors},
      {"ancestors_max", HoldsAncestors},
      {"text_bytes_max", HoldsTexts},
      {"argv_bytes_max", HoldsArguments},
      {"written_files_max", HoldsWrittenFiles},
      {"unjudged_raws_max", HoldsUnjudgedRaws},
      {"awaiting_snapshot_max", HoldsAwaited},
      {"processes_seeded_max", HoldsSeeded},
      {"changes_since_question_max", HoldsChanges},
      {"message_bytes_max", HoldsMessageBytes},
      {"messages_per_turn", HoldsTurns},
      {"handshake_ms", IsHeldElsewhere},              // wire/handshake_test.cc
      {"handshakes_waiting_max", IsHeldElsewhere},    // wire/handshake_test.cc
      {"held_bytes_max", IsHeldElsewhere},            // engine/metadata_lookup_test.cc
      {"held_total_bytes_max", IsHeldElsewhere},      // engine/metadata_lookup_test.cc
      {"metadata_lookups_at_once", IsHeldElsewhere},  // engine/metadata_lookup_test.cc
      {"handshake_bytes", HoldsHandshakeBytes},
      {"command_line_bytes", IsHeldElsewhere},  // wire/peer_test.cc
      {"list_items", HoldsLists},
      {"drain_messages", HoldsDrain},
      {"builtin_burst", HoldsBuiltins},
      {"raised_rules", HoldsRaisedRules},
      {"forks_remembered", HoldsForks},
      {"budgeted_rules", HoldsBudgets},
  };
  return cases;
}

TEST(Limits, ThoseWithAKeyAreCounted) {
  EXPECT_EQ(std::ranges::count_if(LimitRows(), &LimitRow::is_configurable),
            static_cast<std::ptrdiff_t>(kConfigurableLimits));
}

TEST(Limits, EachRowHasATest) {
  for (const LimitRow& row : LimitRows()) {
    EXPECT_TRUE(Cases().contains(row.name)) << row.name << ": write its test";
  }
  EXPECT_EQ(Cases().size(), LimitRows().size()) << "a test of a row that is gone";
}

TEST(Limits, DefaultsLieWithinTheirBounds) {
  for (const LimitRow& row : LimitRows()) {
    EXPECT_GT(row.default_value(), 0u) << row.name;
    if (!row.is_configurable()) continue;
    EXPECT_GE(row.default_value(), row.min) << row.name;
    EXPECT_LE(row.default_value(), row.max) << row.name;
  }
}

TEST(Limits, CountersOfTheTableExist) {
  const Totals totals;
  for (const LimitRow& row : LimitRows()) {
    if (row.counters.empty()) continue;
    for (std::string_view name : Split(row.counters, ',')) {
      name.remove_prefix(std::min(name.find_first_not_of(' '), name.size()));
      const auto rows = totals.Rows();
      EXPECT_TRUE(std::ranges::any_of(rows, [&](const Totals::Row& counter) {
        return counter.def->name == name;
      })) << name;
    }
  }
}

class EachLimit : public ::testing::TestWithParam<std::string_view> {};

TEST_P(EachLimit, IsHeldAndCounted) {
  Cases().at(GetParam())();
}

INSTANTIATE_TEST_SUITE_P(Limits, EachLimit, ::testing::ValuesIn([] {
                           std::vector<std::string_view> names;
                           for (const auto& [name, test] : Cases()) names.push_back(name);
                           return names;
                         }()),
                         [](const auto& row) { return std::string(row.param); });

}  // namespace
}  // namespace gyrfalcon
