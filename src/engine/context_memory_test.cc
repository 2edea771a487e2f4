// A sandbox that is told which contexts are the same as before knows just what it would know
// without: on every capture, and on their messages in any order.
#include "points/context_memory.h"

#include <random>

#include <gtest/gtest.h>

#include "engine/test_replay.h"
#include "points/test_message.h"
#include "wire/capture_source.h"
#include "wire/kept_records.h"
#include "wire/message_header.h"

namespace gyrfalcon {
namespace {

// One sandbox, and what it tells of a message.
class Told final : private HappeningSink {
 public:
  void Take(const Event& event) {
    texts_.clear();
    sandbox_.Apply(event, 0, *this);
  }
  void Finish() {
    texts_.clear();
    sandbox_.Finish(*this);
  }

  // Sorted: what is held back of several processes is told in any order.
  std::vector<std::string> texts() const {
    std::vector<std::string> sorted = texts_;
    std::ranges::sort(sorted);
    return sorted;
  }
  std::string Counters() const {
    std::string out;
    for (size_t i = 0; i < static_cast<size_t>(StateCounter::kCount); ++i) {
      out += std::to_string(sandbox_.counters()[static_cast<StateCounter>(i)]) + ' ';
    }
    return out;
  }

 private:
  void OnHappening(const Happening& happening) override {
    const Process& process = *happening.process;
    std::string text =
        std::string(Describe(happening.type).name) + '|' + std::string(happening.path) + '|';
    for (const std::string_view part :
         {process.name.view(), std::string_view(process.cwd), process.previous_name.view()}) {
      text += std::string(part) + '|';
    }
    text += process.CommandLine();
    for (const int64_t number :
         {happening.time_ns, happening.return_value, int64_t{process.tgid}, process.start_time_ns,
          int64_t{process.credentials.effective_uid}, int64_t{process.is_exec_session},
          int64_t{process.parent ? process.parent->tgid : -1}}) {
      text += '|' + std::to_string(number);
    }
    if (happening.container != nullptr) text += '|' + std::string(happening.container->short_id());
    texts_.push_back(std::move(text));
  }
  void OnSignal(const Signal& signal) override {
    texts_.push_back("signal " + std::to_string(static_cast<int>(signal.kind)));
  }

  Sandbox sandbox_{SandboxLimits{}, kHostArch};
  std::vector<std::string> texts_;
};

// Feeds both the same messages.
class Pair {
 public:
  void Take(std::span<const std::byte> frame) {
    const auto message = ReadMessage(frame);
    if (!message) return;
    const bool is_read = Decode(message->type, message->payload, event_).has_value();
    ASSERT_EQ(Decode(message->type, message->payload, remembered_, &memory_).has_value(), is_read);
    if (!is_read) return;
    ++messages;
    if (remembered_.context().id != 0 && remembered_.context().id == last_id_) ++same;
    last_id_ = remembered_.context().id;
    without_.Take(event_);
    with_.Take(remembered_);
    ASSERT_EQ(with_.texts(), without_.texts()) << "message " << messages;
  }
  void Finish() {
    without_.Finish();
    with_.Finish();
    EXPECT_EQ(with_.texts(), without_.texts());
    EXPECT_EQ(with_.Counters(), without_.Counters());
  }

  std::vector<std::string> texts() const { return with_.texts(); }

  size_t messages = 0;
  size_t same = 0;

 private:
  Event event_;
  Event remembered_;
  ContextMemory memory_;
  uint64_t last_id_ = 0;
  Told without_;
  Told with_;
};

KeptRecords RecordsOf(const std::string& capture) {
  KeptRecords records;
  CaptureSource source({capture});
  Record record;
  while (source.Next(record) != SourceStatus::kEnd) {
    if (record.kind == RecordKind::kFrame) records.Add(record);
  }
  return records;
}

TEST(ContextMemory, ChangesNothingThatASandboxKnows) {
  size_t messages = 0;
  size_t same = 0;
  for (const std::string& capture : testing::OwnCaptures()) {
    SCOPED_TRACE(capture);
    Pair pair;
    const KeptRecords records = RecordsOf(capture);
    for (const Record& record : records.all()) {
      ASSERT_NO_FATAL_FAILURE(pair.Take(record.frame));
    }
    pair.Finish();
    messages += pair.messages;
    same += pair.same;
  }
  EXPECT_GT(messages, 20'000u);
  EXPECT_GT(same, messages / 2) << "nothing was remembered";
}

// As a hostile Sentry may send them: out of order, again, and of several programs.
TEST(ContextMemory, ChangesNothingInAnyOrderOfMessages) {
  std::mt19937 random(1);
  std::vector<KeptRecords> kept;
  for (const std::string& capture : testing::OwnCaptures()) kept.push_back(RecordsOf(capture));
  size_t same = 0;
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    Pair pair;
    for (int step = 0; step < 2'000; ++step) {
      const auto records = kept[random() % std::min<size_t>(kept.size(), 8)].all();
      if (records.empty()) continue;
      size_t at = random() % records.size();
      for (size_t run = random() % 6; run > 0 && at < records.size(); --run, ++at) {
        ASSERT_NO_FATAL_FAILURE(pair.Take(records[at].frame));
        if (random() % 8 != 0) continue;
        ASSERT_NO_FATAL_FAILURE(pair.Take(records[at].frame));
      }
    }
    pair.Finish();
    same += pair.same;
  }
  EXPECT_GT(same, 10'000u);
}

// What an event is changed by must stay with it: the next one is lent the same context.
TEST(ContextMemory, LendsEachEventWhatWasSent) {
  using testing::Message;
  const Message context = Message().Number(1, 7).Number(2, 5).Text(6, "mine").Text(9, "sh");
  const std::string payload = Message().Nested(1, context).bytes();
  ContextMemory memory;
  Event event;
  const auto type = static_cast<uint16_t>(MessageType::kOpen);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(Decode(type, testing::AsBytes(payload), event, &memory));
    EXPECT_NE(event.context().id, 0u);
    EXPECT_EQ(event.context().container_id, "mine");
    EXPECT_EQ(event.context().time_ns, 7);
    event.DisownContainer();
    event.SetTime(8);
    EXPECT_EQ(event.context().container_id, "");
    EXPECT_EQ(event.context().time_ns, 8);
    EXPECT_EQ(event.context().process_name, "sh");
  }
}

TEST(ContextMemory, ACopyOfAnEventHasItsOwnContext) {
  using testing::Message;
  ContextMemory memory;
  Event event;
  const auto decode = [&](int64_t tid) {
    const std::string payload =
        Message().Nested(1, Message().Number(1, tid).Number(2, tid)).Number(4, 59).bytes();
    const auto type = static_cast<uint16_t>(MessageType::kRaw);
    return Decode(type, testing::AsBytes(payload), event, &memory).has_value();
  };
  ASSERT_TRUE(decode(5));
  const Event copy = event.CopyOfRaw();
  Event assigned;
  assigned = event;
  ASSERT_TRUE(decode(6));
  EXPECT_EQ(event.context().thread_id, 6);
  EXPECT_EQ(copy.context().thread_id, 5);
  EXPECT_EQ(assigned.context().thread_id, 5);
  EXPECT_EQ(assigned.context().time_ns, 5);
}

// One thread of one process, at one moment after the other.
class OfOneThread : public ::testing::Test {
 protected:
  using Message = testing::Message;

  static Message Context(int64_t time_ns, std::string_view name, std::string_view cwd) {
    return Message()
        .Number(1, time_ns)
        .Number(2, 5)
        .Number(4, 5)
        .Text(6, "c")
        .Text(8, cwd)
        .Text(9, name);
  }
  void Send(MessageType type, const Message& message) {
    pair_.Take(testing::AsBytes(testing::Datagram(type, message)));
  }
  // What is told: "openat|PATH|NAME".
  std::string Open(const Message& context) {
    constexpr int64_t kHere = -100;  // AT_FDCWD
    Send(MessageType::kOpen, Message()
                                 .Nested(1, context)
                                 .Nested(2, Message().Number(1, 3))
                                 .Number(3, 257)
                                 .Number(4, kHere)
                                 .Text(6, "x"));
    return pair_.texts().empty() ? "" : pair_.texts().back().substr(0, 14);
  }

  Pair pair_;
};

TEST_F(OfOneThread, WhatChangesItsProcessMakesItsContextNews) {
  const Message context = Context(1, "sh", "/a");
  Open(context);
  // A program that it starts, whose name it then denies.
  Send(MessageType::kSentryExec, Message().Nested(1, context).Text(2, "/bin/ls").Text(3, "ls"));
  EXPECT_EQ(Open(context), "openat|/a/x|sh");
}

TEST_F(OfOneThread, ANameThatAnExecHadNotToBelieveIsBelievedAfterIt) {
  Open(Context(1, "sh", "/a"));
  Send(MessageType::kRaw, Message().Nested(1, Context(2, "ls", "/a")).Number(4, 59));
  EXPECT_EQ(Open(Context(3, "ls", "/a")), "openat|/a/x|ls");
  EXPECT_EQ(pair_.same, 1u);
}

// Protobuf joins the parts of a message that comes twice; what they mean together is not what the
// first one means.
TEST_F(OfOneThread, AContextInTwoPartsIsNotTakenForItsFirst) {
  const auto open = [](std::initializer_list<Message> contexts) {
    Message message;
    for (const Message& context : contexts) message.Nested(1, context);
    return message.Nested(2, Message().Number(1, 3)).Number(3, 257).Number(4, -100).Text(6, "x");
  };
  const Message first = Context(1, "sh", "/a");
  const Message other = Message().Number(2, 77).Number(4, 77).Text(9, "other");
  for (const auto& contexts :
       {std::initializer_list<Message>{first}, {other}, {first, other}, {first}, {first}}) {
    Send(MessageType::kOpen, open(contexts));
  }
  EXPECT_EQ(pair_.texts().back().substr(0, 14), "openat|/a/x|sh");
}

}  // namespace
}  // namespace gyrfalcon
