// A sandbox's state outlives its connection for a while, for the one that comes after; and never
// goes to anybody else.

#include <gtest/gtest.h>

#include "engine/pipeline.h"
#include "engine/test_goldens.h"
#include "engine/test_replay.h"
#include "points/test_message.h"
#include "wire/capture_source.h"

namespace gyrfalcon {
namespace {

using testing::kSecond;

constexpr std::string_view kCreate("runsc\0--root=/run/r\0create\0sb", 30);
constexpr std::string_view kAttach("runsc\0--root=/run/r\0trace\0create\0sb", 36);
constexpr std::string_view kAttachOther("runsc\0--root=/run/q\0trace\0create\0sb", 36);

class StateGraceTest : public ::testing::Test, public AlertSink {
 protected:
  void Make() {
    alerts_.clear();
    pipeline_ = std::make_unique<Pipeline>(rules_, options_, *this);
  }
  void Send(RecordKind kind, uint64_t connection, std::span<const std::byte> frame = {},
            std::string_view command_line = {}) {
    Record record;
    record.kind = kind;
    record.connection = ConnectionId{connection};
    record.receive_time_ns = now_ns_;
    record.frame = frame;
    if (kind == RecordKind::kOpened) {
      record.peer = std::make_shared<const Peer>(Peer{.command_line = std::string(command_line)});
    }
    pipeline_->Process(record);
  }
  void Open(uint64_t connection, std::string_view command_line) {
    Send(RecordKind::kOpened, connection, {}, command_line);
  }
  void Close(uint64_t connection) { Send(RecordKind::kClosed, connection); }
  void Message(uint64_t connection, uint8_t type, const testing::Message& message) {
    const std::string datagram = testing::Datagram(type, message);
    Send(RecordKind::kFrame, connection, testing::AsBytes(datagram));
  }
  static testing::Message Context(int32_t tid) {
    return testing::Message().Nested(
        1, testing::Message().Number(2, tid).Number(4, tid).Text(6, "sb").Text(9, "sh"));
  }
  void Start(uint64_t connection) {
    Message(connection, 1, Context(1).Text(2, "sb").Text(4, "/bin/sh"));
  }
  void OpenFile(uint64_t connection) {
    Message(connection, 7,
            Context(1).Nested(2, testing::Message().Number(1, 3)).Number(3, 257).Text(6, "/x"));
  }
  void Exit(uint64_t connection) { Message(connection, 5, Context(1)); }
  uint64_t Count(EngineCounter counter) const { return pipeline_->totals().engine[counter]; }
  uint64_t FirstSeen() const {
    return pipeline_->totals().state[StateCounter::kProcessesFirstSeen];
  }

  std::vector<std::string> alerts_;
  std::shared_ptr<const RuleSet> rules_ = testing::RulesFromText("[]");
  PipelineOptions options_;
  std::unique_ptr<Pipeline> pipeline_;
  int64_t now_ns_ = 1'795'335'717'000'000'000;

 private:
  bool OnAlert(Alert alert) override {
    alerts_.push_back(testing::ToJson(alert).dump());
    return true;
  }
};

TEST_F(StateGraceTest, KeptStatesCountAsMemoryUntilTheyGo) {
  MemoryBudget memory(0);
  options_.memory = &memory;
  Make();
  Open(1, kCreate);
  Start(1);
  for (uint64_t connection = 1; connection < 20; ++connection) {
    Close(connection);
    EXPECT_GT(memory.held_bytes(), 0U) << "kept";
    Open(connection + 1, kAttach);
    OpenFile(connection + 1);
  }
  EXPECT_EQ(Count(EngineCounter::kStatesResumed), 19U);
  Exit(20);
  Close(20);
  EXPECT_EQ(memory.held_bytes(), 0U);
}

TEST_F(StateGraceTest, KeptStatesGoFirstWhereMemoryIsShort) {
  MemoryBudget of_one(0);
  options_.memory = &of_one;
  Make();
  Open(1, kCreate);
  Start(1);
  MemoryBudget memory(of_one.held_bytes() * 3 / 2);
  options_.memory = &memory;
  Make();
  Open(1, kCreate);
  Start(1);
  Close(1);
  EXPECT_EQ(Count(EngineCounter::kStatesKept), 1U);
  for (uint64_t connection = 2; connection < 6; ++connection) Open(connection, kAttachOther);
  EXPECT_EQ(Count(EngineCounter::kStatesEvicted), 1U);
}

TEST_F(StateGraceTest, GoesToTheConnectionThatComesInTime) {
  Make();
  Open(1, kCreate);
  Start(1);
  Close(1);
  EXPECT_EQ(Count(EngineCounter::kStatesKept), 1U);
  now_ns_ += 20 * kSecond;
  pipeline_->TellDue(now_ns_);
  Open(2, kAttach);
  OpenFile(2);
  EXPECT_EQ(Count(EngineCounter::kStatesResumed), 1U);
  EXPECT_EQ(FirstSeen(), 0U);
}

TEST_F(StateGraceTest, IsOverAfterAWhile) {
  Make();
  Open(1, kCreate);
  Start(1);
  Close(1);
  now_ns_ += 31 * kSecond;
  Open(2, kAttach);
  OpenFile(2);
  EXPECT_EQ(Count(EngineCounter::kStatesResumed), 0U);
  EXPECT_EQ(FirstSeen(), 1U);
}

TEST_F(StateGraceTest, EndsWithTheSandbox) {
  Make();
  Open(1, kCreate);
  Start(1);
  Exit(1);
  Close(1);
  EXPECT_EQ(Count(EngineCounter::kStatesKept), 0U);
}

TEST_F(StateGraceTest, IsForNobodyElse) {
  Make();
  Open(1, kCreate);
  Start(1);
  Close(1);
  // The same id below another root; nobody knows who; and a sandbox that begins.
  Open(2, kAttachOther);
  OpenFile(2);
  Open(3, {});
  OpenFile(3);
  EXPECT_EQ(Count(EngineCounter::kStatesResumed), 0U);
  EXPECT_EQ(FirstSeen(), 2U);
  Open(4, kCreate);
  Close(4);
  Open(5, kAttach);
  OpenFile(5);
  EXPECT_EQ(Count(EngineCounter::kStatesResumed), 0U) << "the id has begun anew meanwhile";
}

TEST_F(StateGraceTest, IsNotForAnAttachedConnectionThatTellsOfABeginning) {
  Make();
  Open(1, kCreate);
  Start(1);
  Close(1);
  Open(2, kAttach);
  Start(2);
  EXPECT_EQ(Count(EngineCounter::kStatesResumed), 0U);
}

TEST_F(StateGraceTest, IsForSoManyAndTheOldestMakesRoom) {
  options_.kept_states_max = 2;
  Make();
  for (uint64_t i = 0; i < 3; ++i) {
    const std::string id(1, static_cast<char>('a' + i));
    Open(i, std::string("runsc\0--root=/run/r\0create\0", 28) + id);
    Start(i);
    now_ns_ += kSecond;
    Close(i);
  }
  EXPECT_EQ(Count(EngineCounter::kStatesKept), 3U);
  EXPECT_EQ(Count(EngineCounter::kStatesEvicted), 1U);
  Open(10, std::string("runsc\0--root=/run/r\0trace\0create\0", 34) + "a");
  OpenFile(10);
  EXPECT_EQ(Count(EngineCounter::kStatesResumed), 0U);
  Open(11, std::string("runsc\0--root=/run/r\0trace\0create\0", 34) + "c");
  OpenFile(11);
  EXPECT_EQ(Count(EngineCounter::kStatesResumed), 1U);
}

TEST_F(StateGraceTest, CanBeSwitchedOff) {
  options_.grace_ns = 0;
  Make();
  Open(1, kCreate);
  Start(1);
  Close(1);
  EXPECT_EQ(Count(EngineCounter::kStatesKept), 0U);
}

// ---- a recording cut in two

class CutCaptureTest : public StateGraceTest {
 protected:
  // All alerts; `cut_before`: the message before which its connection ends, and another begins.
  std::vector<std::string> Run(const std::string& capture, std::optional<size_t> cut_before,
                               int64_t pause_ns) {
    Make();
    CaptureSource source({capture});
    Record record;
    uint64_t connection = 1;
    Open(connection, kCreate);
    for (size_t i = 0; source.Next(record) != SourceStatus::kEnd;) {
      if (record.kind != RecordKind::kFrame) continue;
      if (i++ == cut_before) {
        Close(connection++);
        now_ns_ += pause_ns;
        Open(connection, kAttach);
      }
      Send(RecordKind::kFrame, connection, record.frame);
    }
    Close(connection);
    std::erase_if(alerts_, [](const std::string& alert) {
      return alert.find("gyrfalcon: ") != std::string::npos;
    });
    std::ranges::sort(alerts_);
    return alerts_;
  }
  static size_t CountFrames(const std::string& capture) {
    CaptureSource source({capture});
    Record record;
    size_t count = 0;
    while (source.Next(record) != SourceStatus::kEnd) count += record.kind == RecordKind::kFrame;
    return count;
  }
};

// Where a pause makes a difference of itself: that no message gave a descriptor can be said of an
// unbroken stream only, and whether a session has sentry/execve shows a connection's own messages.
bool KnowsLessAfterAPause(const std::string& capture) {
  constexpr std::string_view kAttacks[] = {"scm-rights", "big-env",    "bad-env", "bad-argv",
                                           "big-argv",   "exec-fails", "ld-so",   "exec-session"};
  return std::ranges::any_of(kAttacks, [&](std::string_view attack) {
    return capture.find("/attacks/") != std::string::npos &&
           capture.find("/" + std::string(attack)) != std::string::npos;
  });
}

TEST_F(CutCaptureTest, RaisesTheAlertsOfTheWhole) {
  rules_ = testing::LoadRulesForTest(
      {std::string(GYRFALCON_TEST_DATA) + "/../../rules/gyrfalcon_rules.yaml"});
  // Their times are those of the recordings.
  options_.clock_skew_ns = 0;
  size_t cuts = 0;
  size_t alerts = 0;
  size_t beyond = 0;
  for (const std::string& capture : testing::OwnCaptures()) {
    const auto whole = Run(capture, std::nullopt, 0);
    const size_t frames = CountFrames(capture);
    for (const size_t tenth : {3U, 5U, 8U}) {
      const size_t at = frames * tenth / 10;
      if (at == 0) continue;
      if (KnowsLessAfterAPause(capture)) continue;
      ++cuts;
      alerts += whole.size();
      EXPECT_EQ(Run(capture, at, 20 * kSecond), whole) << capture << " at " << at;
    }
    if (!whole.empty() && frames > 2) beyond += Run(capture, frames / 2, 40 * kSecond) != whole;
  }
  EXPECT_GT(cuts, 500U);
  EXPECT_GT(alerts, 200U);
  EXPECT_GT(beyond, 0U) << "a state that is not kept is missed";
}

}  // namespace
}  // namespace gyrfalcon
